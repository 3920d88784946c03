"""Who may call: the API keys of the catalog, as last read, against what a call brings with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from nlu.caller import Caller
from nlu.rate import TokenBucket
from nlu.v1 import nlu_pb2, training_pb2
from skills.api_key import ApiKey, Scope, Token
from skills.errors import CatalogError, NotReadyError, UnauthenticatedError
from storage.catalog import Catalog

KEY_METADATA = "authorization"
POLL_SECONDS = 1.0  # at most, between looks at the catalog: a revoked key stops within two
USE_SECONDS = 60.0  # between writes of when keys were last used

_SCHEME = "bearer "
_NLU = nlu_pb2.DESCRIPTOR.services_by_name["NluService"].full_name
PARSE_METHOD = f"/{_NLU}/Parse"
_TRAINING = training_pb2.DESCRIPTOR.services_by_name["TrainingService"].full_name
_TRAIN = ("SubmitTraining", "GetJob", "ListJobs", "WatchJob", "CancelJob", "RetryJob")

logger = logging.getLogger(__name__)


def scope_of(method: str) -> Scope:
    """Return the scope that a method, `/package.Service/Method`, needs; the highest where none was chosen."""
    service, _, name = method.removeprefix("/").partition("/")
    if service == _NLU:
        return Scope.PARSE
    return Scope.TRAIN if service == _TRAINING and name in _TRAIN else Scope.ADMIN


class KeyRing:
    """The API keys, in step with the catalog while `following`; one event loop's."""

    def __init__(self) -> None:
        self._revision = -1
        self._keys: Mapping[str, ApiKey] | None = None
        self._buckets: dict[str, TokenBucket] = {}
        self._calls: dict[str, set[asyncio.Timeout]] = {}
        self._used: dict[str, datetime] = {}

    @asynccontextmanager
    async def following(self, catalog: Catalog, poll_seconds: float) -> AsyncIterator[asyncio.Task[None]]:
        """Read the keys, and again after every change; if the catalog is away, the last ones go on.

        Yields the task that does so: it ends by a fault only.

        Raises:
            CatalogError: they cannot be read the first time.
        """
        await self._refresh(catalog)
        if not self._keys:
            logger.warning("there is no API key, so nobody may call: softspoken keys create makes one")
        polling = asyncio.create_task(self._poll(catalog, min(poll_seconds, POLL_SECONDS)))
        try:
            yield polling
        finally:
            polling.cancel()
            with suppress(asyncio.CancelledError):
                await polling
            await self._note_use(catalog)

    def admit(self, method: str, metadata: Iterable[tuple[str, str | bytes]]) -> Caller:
        """Return who calls a method, by the key in the call's metadata.

        Raises:
            NotReadyError: no keys were read yet.
            UnauthenticatedError: there is no key, or none that is in force.
            AccessError: the key is not for this method.
            RateLimitError: the key has had its share.
        """
        caller = self._identify([str(value) for key, value in metadata or () if key == KEY_METADATA])
        caller.check_scope(scope_of(method), method.rpartition("/")[2])
        caller.charge()
        return caller

    def _identify(self, authorizations: Sequence[str]) -> Caller:
        if self._keys is None:
            raise NotReadyError("the server is reading its API keys: try again in a few seconds")
        if len(authorizations) != 1 or authorizations[0][: len(_SCHEME)].lower() != _SCHEME:
            raise UnauthenticatedError(
                f"there is no API key, or more than one: send it as {KEY_METADATA}: Bearer ssk_..."
            )
        token = Token.parse(authorizations[0][len(_SCHEME) :].strip())
        key = None if token is None else self._keys.get(token.id)
        if token is None or key is None or not key.has_secret(token.secret):
            raise UnauthenticatedError("the API key is not known here: check it, or ask for another one")
        self._check_in_force(key)
        self._used[key.id] = datetime.now(UTC)
        return Caller(key, self._bucket(key))

    @asynccontextmanager
    async def holding(self, caller: Caller) -> AsyncIterator[None]:
        """Answer a call only for as long as its key is in force: streams may go on for days.

        Raises:
            UnauthenticatedError: the key was revoked or has expired meanwhile.
        """
        if caller.key is None:
            yield
            return
        self._check_in_force(caller.key)
        calls = self._calls.setdefault(caller.key.id, set())
        try:
            async with asyncio.timeout(_seconds_left(caller.key)) as call:
                calls.add(call)
                yield
        except TimeoutError:
            if call.expired():
                raise UnauthenticatedError(
                    f"API key {caller.name!r} has ended during the call: use another one"
                ) from None
            raise
        finally:
            calls.discard(call)

    def _check_in_force(self, key: ApiKey) -> None:
        newest = (self._keys or {}).get(key.id)
        end = "revoked" if newest is None else newest.end(datetime.now(UTC))
        if end:
            raise UnauthenticatedError(f"API key {key.name!r} is {end}: use another one")

    def _bucket(self, key: ApiKey) -> TokenBucket | None:
        if key.rate is None:
            return None
        if key.id not in self._buckets:
            self._buckets[key.id] = TokenBucket(key.rate)
        return self._buckets[key.id]

    async def _poll(self, catalog: Catalog, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        noted = loop.time()
        while True:
            await asyncio.sleep(seconds)
            try:
                await self._refresh(catalog)
            except CatalogError as error:
                logger.warning("API keys not read, those that are known go on: %s", error)
            if loop.time() - noted >= USE_SECONDS:
                noted = loop.time()
                await self._note_use(catalog)

    async def _refresh(self, catalog: Catalog) -> None:
        revision = await asyncio.to_thread(catalog.revision)
        if revision == self._revision:
            return
        keys = {key.id: key for key in await asyncio.to_thread(catalog.keys.all)}
        self._revision, self._keys = revision, keys
        for key_id, calls in self._calls.items():
            if key_id not in keys or keys[key_id].revoked_at is not None:
                for call in calls:
                    if not call.expired():
                        call.reschedule(0)

    async def _note_use(self, catalog: Catalog) -> None:
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await asyncio.to_thread(catalog.keys.note_use, used)
        except CatalogError as error:
            logger.warning("when API keys were last used is not stored: %s", error)


def _seconds_left(key: ApiKey) -> float | None:
    return None if key.expires_at is None else (key.expires_at - datetime.now(UTC)).total_seconds()
