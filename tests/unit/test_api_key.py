from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skills.api_key import MAX_SKILLS, ApiKey, KeyDraft, Scope, Token, hash_secret, new_salt
from skills.errors import InputError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def make_key(token: Token, **changes: Any) -> ApiKey:
    salt = new_salt()
    fields: dict[str, Any] = {
        "id": token.id,
        "name": "dialog",
        "scopes": frozenset({Scope.PARSE}),
        "salt": salt,
        "digest": hash_secret(token.secret, salt),
        "created_at": NOW,
    }
    return ApiKey(**fields | changes)


def test_a_key_is_read_back_and_has_256_random_bits() -> None:
    tokens = [Token.new() for _ in range(100)]
    assert [Token.parse(token.reveal()) for token in tokens] == tokens
    assert {len(token.secret) for token in tokens} == {32}
    assert len({token.secret for token in tokens}) == len({token.id for token in tokens}) == 100


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssk_",
        "secret",
        f"ssk_{'a' * 16}_{'b' * 63}",
        f"ssk_{'a' * 16}_{'b' * 65}",
        f"ssk_{'a' * 15}_{'b' * 64}",
        f"ssk_{'A' * 16}_{'b' * 64}",
        f"ssk_{'a' * 16}_{'b' * 64}\n",
        f"sk_{'a' * 16}_{'b' * 64}",
        f"ssk_{'a' * 16}_" + "\N{ARABIC-INDIC DIGIT ONE}" * 64,
    ],
)
def test_what_is_no_key_is_not_read(text: str) -> None:
    assert Token.parse(text) is None


def test_no_text_of_a_key_shows_its_secret() -> None:
    token = Token.new()
    key = make_key(token)
    shown = f"{token!r} {token} {key!r} {key}"
    assert token.id in shown
    for secret in (token.secret, key.digest, key.salt):
        assert secret.hex() not in shown
        assert repr(secret) not in shown


def test_only_the_secret_itself_matches() -> None:
    token = Token.new()
    key = make_key(token)
    assert key.has_secret(token.secret)
    for wrong in (Token.new().secret, token.secret[:-1], token.secret[:-1] + b"\0\0", b"", key.digest):
        assert not key.has_secret(wrong)


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    token = Token.new()
    key = make_key(token)
    assert not key.has_secret(token.secret)
    assert compared == [(key.digest, key.digest)]


def test_equal_secrets_have_unequal_hashes() -> None:
    token = Token.new()
    assert make_key(token).digest != make_key(token).digest


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({}, ""),
        ({"expires_at": NOW + SECOND}, ""),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW - SECOND}, "expired"),
        ({"revoked_at": NOW}, "revoked"),
        ({"expires_at": NOW, "revoked_at": NOW}, "revoked"),
    ],
)
def test_a_key_ends_when_it_expires_or_is_revoked(changes: dict[str, Any], end: str) -> None:
    assert make_key(Token.new(), **changes).end(NOW) == end


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "Dialog Engine"}, "name"),
        ({"scopes": frozenset()}, "scope"),
        ({"skills": frozenset({"not a name"})}, "name"),
        ({"skills": frozenset(map(str, range(MAX_SKILLS + 1)))}, "skills"),
        ({"rate": 0.0}, "rate"),
        ({"rate": -1.0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": float("inf")}, "rate"),
    ],
)
def test_a_draft_that_is_not_valid_is_refused_by_name(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        KeyDraft(**{"name": "dialog", "scopes": frozenset({Scope.PARSE})} | wrong)
    assert caught.value.field == field
