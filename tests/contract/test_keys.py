"""API keys on every backend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from skills.api_key import KeyDraft, Scope
from skills.errors import InputError
from storage.catalog import Catalog
from tests.contract.conftest import Execute

PARSE = KeyDraft("dialog", frozenset({Scope.PARSE}))


def test_a_key_comes_back_as_it_was_made(catalog: Catalog) -> None:
    later = datetime.now(UTC) + timedelta(days=90)
    draft = KeyDraft("trainer", frozenset(Scope), frozenset({"banking", "travel"}), 1.5, later)
    before = catalog.revision()
    tokens = [catalog.keys.create(PARSE), catalog.keys.create(draft)]
    first, second = catalog.keys.all()
    assert [first.id, second.id] == [token.id for token in tokens]
    assert first.has_secret(tokens[0].secret) and not first.has_secret(tokens[1].secret)
    assert (first.name, first.scopes, first.skills) == ("dialog", PARSE.scopes, PARSE.skills)
    assert (first.rate, first.expires_at, first.revoked_at, first.used_at) == (None, None, None, None)
    assert (second.scopes, second.skills, second.rate) == (draft.scopes, draft.skills, 1.5)
    assert second.expires_at == later
    assert catalog.revision() == before + 2  # which servers see


def test_the_catalog_has_no_secret(catalog: Catalog, execute: Execute) -> None:
    token = catalog.keys.create(PARSE)
    (row,) = execute("SELECT * FROM api_keys")
    stored = [bytes(value) if isinstance(value, memoryview) else value for value in row]
    assert len([value for value in stored if isinstance(value, bytes)]) == 2  # salt and digest
    for value in stored:
        assert value not in (token.secret, token.secret.hex(), token.reveal())
    assert token.secret.hex() not in str(catalog.audit())


def test_a_revoked_key_stays_so_that_its_name_means_one_key(catalog: Catalog) -> None:
    token = catalog.keys.create(PARSE)
    catalog.keys.revoke("dialog")
    (key,) = catalog.keys.all()
    assert key.revoked_at is not None
    for again in (lambda: catalog.keys.create(PARSE), lambda: catalog.keys.revoke("dialog")):
        with pytest.raises(InputError, match=r"'dialog'.*already") as caught:
            again()
        assert caught.value.field == "name"
    assert [(entry.action, entry.detail) for entry in catalog.audit()] == [
        ("revoke key", f"dialog ({token.id})"),
        ("create key", f"dialog ({token.id}) for parse"),
    ]


def test_what_cannot_be_revoked_or_made_says_why(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="there is no key 'nobody'"):
        catalog.keys.revoke("nobody")
    with pytest.raises(InputError, match="would have expired already"):
        catalog.keys.create(KeyDraft("late", frozenset({Scope.PARSE}), expires_at=datetime.now(UTC)))
    assert catalog.keys.all() == [] and catalog.audit() == []


def test_a_use_is_noted_without_a_revision(catalog: Catalog) -> None:
    token, other = catalog.keys.create(PARSE), catalog.keys.create(KeyDraft("other", PARSE.scopes))
    revision, now = catalog.revision(), datetime.now(UTC)
    catalog.keys.note_use({token.id: now, "no such key": now})
    assert {key.id: key.used_at for key in catalog.keys.all()} == {token.id: now, other.id: None}
    assert catalog.revision() == revision
