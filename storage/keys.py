"""API keys in the catalog: made, listed, revoked; never changed and never deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update

from skills.api_key import ApiKey, KeyDraft, Scope, Token, hash_secret, new_salt
from skills.errors import InputError
from storage.change import changing
from storage.database import Database
from storage.tables import ApiKeyRow


class ApiKeys:
    """All API keys. Safe to share between threads.

    Raises:
        CatalogError: from every method; the database cannot be reached, read or written.
    """

    def __init__(self, database: Database, by: str) -> None:
        self._database = database
        self._by = by

    def create(self, draft: KeyDraft) -> Token:
        """Make a key and return it whole: the catalog keeps a hash of its secret only.

        Raises:
            InputError: there is or was a key of that name, or it would have expired already.
        """
        token, salt = Token.new(), new_salt()
        with changing(self._database, self._by) as change:
            if change.session.scalar(select(ApiKeyRow.id).filter_by(name=draft.name)) is not None:
                raise InputError(
                    f"there is a key {draft.name!r} already, and the audit log knows keys by their names: "
                    "use another name, such as one with a date",
                    field="name",
                )
            if draft.expires_at is not None and draft.expires_at <= change.at:
                raise InputError("the key would have expired already: give a later time", field="expires")
            row = ApiKeyRow(
                id=token.id,
                name=draft.name,
                scopes=sorted(draft.scopes),
                skills=sorted(draft.skills),
                rate=draft.rate,
                salt=salt,
                digest=hash_secret(token.secret, salt),
                created_at=change.at,
                expires_at=draft.expires_at,
            )
            change.session.add(row)
            scopes = ", ".join(sorted(draft.scopes))
            change.record("create key", "", detail=f"{draft.name} ({token.id}) for {scopes}")
        return token

    def revoke(self, name: str) -> None:
        """End a key for good; servers refuse it within 2 s.

        Raises:
            InputError: there is no such key, or it is revoked already.
        """
        with changing(self._database, self._by) as change:
            row = change.session.scalar(select(ApiKeyRow).filter_by(name=name))
            if row is None:
                raise InputError(f"there is no key {name!r}: see softspoken keys list", field="name")
            if row.revoked_at is not None:
                raise InputError(f"key {name!r} is revoked already", field="name")
            row.revoked_at = change.at
            change.record("revoke key", "", detail=f"{name} ({row.id})")

    def all(self) -> list[ApiKey]:
        """Return all keys, also those that expired or were revoked, by name."""
        with self._database.read() as session:
            return [_read(row) for row in session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.name))]

    def note_use(self, used: Mapping[str, datetime]) -> None:
        """Store when keys were last used, by id; raises no revision, for nothing else changes."""
        with self._database.write() as session:
            for key_id in sorted(used):  # always in one order, so that no two servers wait for each other
                session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(used_at=used[key_id]))


def _read(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        scopes=frozenset(map(Scope, row.scopes)),
        salt=row.salt,
        digest=row.digest,
        created_at=row.created_at,
        skills=frozenset(row.skills),
        rate=row.rate,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
    )
