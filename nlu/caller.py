"""Who makes the call that is being answered, and what that caller may do."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, replace

from nlu.rate import TokenBucket
from nlu.registry import Snapshot
from skills.api_key import ApiKey, Scope
from skills.errors import AccessError, RateLimitError


@dataclass(frozen=True)
class Caller:
    """Who calls: the holder of an API key, or without one anyone, who may do everything.

    address: of the machine that calls, without a port.

    Raises:
        AccessError, RateLimitError: from the checks; the key does not let its holder do that, or not now.
    """

    key: ApiKey | None = None
    bucket: TokenBucket | None = None
    address: str = ""

    @property
    def share(self) -> str:
        """Whose share of the server the caller takes: the key's, or without one the machine's."""
        return self.address if self.key is None else self.key.id

    @property
    def name(self) -> str:
        """The name of the key; empty for anyone."""
        return "" if self.key is None else self.key.name

    @property
    def skills(self) -> frozenset[str]:
        """The names of the skills that the caller may use; empty for all."""
        return frozenset() if self.key is None else self.key.skills

    def check_scope(self, scope: Scope, what: str) -> None:
        """Check that the key is for `scope`, which `what` needs."""
        if self.key is not None and scope not in self.key.scopes:
            raise AccessError(
                f"API key {self.name!r} has no scope {str(scope)!r}, which {what} needs: use one that has"
            )

    def check_skill(self, name: str) -> None:
        """Check that the key lets its holder use a skill; whether there is such a skill is not told."""
        if self.skills and name not in self.skills:
            raise AccessError(
                f"API key {self.name!r} may not use the skill {name!r}: ask for one of its own skills"
            )

    def view(self, snapshot: Snapshot) -> Snapshot:
        """Return what there is to see for the caller: the skills that the key is for."""
        if not self.skills:
            return snapshot
        seen = {key: version for key, version in snapshot.skills.items() if key[0] in self.skills}
        refused = tuple(each for each in snapshot.refused if each.version.name in self.skills)
        return replace(snapshot, skills=seen, refused=refused)

    def charge(self) -> None:
        """Count one request; refuse it if the key has had its share."""
        if self.bucket is not None and (seconds := self.bucket.take()):
            raise RateLimitError(
                f"API key {self.name!r} has had its share of requests: try again in {seconds:.2g} s",
                retry_after=seconds,
            )

    def owe(self, requests: int) -> None:
        """Count requests that come with one that was charged for; those after them wait longer."""
        if self.bucket is not None:
            self.bucket.owe(requests)

    async def pace(self) -> None:
        """Count one request of a stream; a stream is slowed down, where a call is refused."""
        while self.bucket is not None and (seconds := self.bucket.take()):
            await asyncio.sleep(seconds)


ANYONE = Caller()
_current: ContextVar[Caller] = ContextVar("caller", default=ANYONE)  # every call runs in a task of its own


def current_caller() -> Caller:
    """Return who makes the call that is being answered."""
    return _current.get()


def set_caller(caller: Caller) -> None:
    """Say who makes the call that this task answers."""
    _current.set(caller)
