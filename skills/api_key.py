"""API keys: who may call a server, for what, for how long and how often.

A key is shown once, when it is made, as `ssk_<id>_<secret>`. The catalog has the id, which is no secret, and
a salted hash of the secret. The secret is 256 random bits, which nobody can find by trying, however fast the
hash is: a slow one (scrypt, argon2) protects passwords that people choose, and would cost every call here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from skills.errors import InputError
from skills.skill import check_name

SECRET_BYTES = 32
SALT_BYTES = 16
MAX_SKILLS = 1000  # of one key
MAX_RATE = 1e6  # calls a second; more cannot be told from no limit
_TOKEN = re.compile(r"ssk_([0-9a-f]{16})_([0-9a-f]{64})")


class Scope(StrEnum):
    """What a key is for; one does not include another."""

    PARSE = "parse"  # ask skills
    TRAIN = "train"  # submit, watch, cancel and retry trainings
    ADMIN = "admin"  # change which versions are served


@dataclass(frozen=True)
class ApiKey:
    """A key as the catalog has it.

    Args:
        id: public part of the key.
        name: who has it, in logs and in the audit log.
        scopes: what it is for.
        salt, digest: of the secret, see `hash_secret`.
        skills: names that it may use; empty for all.
        rate: requests a second that one server answers, on average; None for no limit.
        used_at: some minute in which it was last used; None if it never was.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    created_at: datetime
    skills: frozenset[str] = frozenset()
    rate: float | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None

    def has_secret(self, secret: bytes) -> bool:
        """Whether this is the key's secret; takes as long for a wrong one."""
        return hmac.compare_digest(hash_secret(secret, self.salt), self.digest)

    def end(self, now: datetime) -> str:
        """Return how the key's time ended: "revoked" or "expired"; empty for one that is in force."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else ""


@dataclass(frozen=True)
class KeyDraft:
    """A key that is to be made.

    Raises:
        InputError: a value is not valid; names the field.
    """

    name: str
    scopes: frozenset[Scope]
    skills: frozenset[str] = frozenset()
    rate: float | None = None
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        check_name(self.name, what="key name")
        if not self.scopes:
            raise InputError(f"key {self.name!r} is for nothing: give it a scope", field="scope")
        if len(self.skills) > MAX_SKILLS:
            raise InputError(f"{len(self.skills)} skills, at most {MAX_SKILLS} are allowed", field="skills")
        for skill in self.skills:
            check_name(skill)
        if self.rate is not None and not 0 < self.rate <= MAX_RATE:
            raise InputError(f"rate {self.rate:g} is not above 0 and at most {MAX_RATE:g}", field="rate")


@dataclass(frozen=True)
class Token:
    """A key as its holder sends it: the id, and the secret, which no text of it shows."""

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def new(cls) -> Token:
        """Draw a key at random."""
        return cls(secrets.token_hex(8), secrets.token_bytes(SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Token | None:
        """Read `ssk_<id>_<secret>`; None for anything else."""
        found = _TOKEN.fullmatch(text)
        return None if found is None else cls(found[1], bytes.fromhex(found[2]))

    def reveal(self) -> str:
        """Return `ssk_<id>_<secret>`, to be shown once."""
        return f"ssk_{self.id}_{self.secret.hex()}"


def new_salt() -> bytes:
    """Draw a key's salt: equal secrets, which there are not, would have unequal hashes."""
    return secrets.token_bytes(SALT_BYTES)


def hash_secret(secret: bytes, salt: bytes) -> bytes:
    """Return the salted BLAKE2b hash of a secret (RFC 7693), 32 bytes."""
    return hashlib.blake2b(secret, digest_size=32, salt=salt, person=b"softspoken key").digest()
