"""The component's configuration; runs without Rasa."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nlu.rasa.config import ADDRESS_VARIABLE, ConfigError, default_config, read_config


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    monkeypatch.delenv("SOFTSPOKEN_API_KEY", raising=False)


def test_the_defaults_fit() -> None:
    assert read_config(default_config()) == read_config({})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"adress": "a:1"}, "unknown keys: adress. The keys are address, skills, "),
        ({"address": ""}, "address is '': give host:port"),
        ({"skills": "banking"}, "skills is 'banking': give a list of at most 64 names such as banking, ban"),
        ({"skills": [1]}, "skills is [1]"),
        ({"timeout": 0}, "timeout is 0: give seconds, above 0, at most 60"),
        ({"timeout": True}, "timeout is True"),
        ({"tls": "yes"}, "tls is 'yes': give true or false"),
        ({"tls_ca": 1}, "tls_ca is 1: give the path of a PEM file"),
        ({"api_key_variable": None}, "api_key_variable is None: give the name of an environment variable"),
        ({"min_confidence": 1.5}, "min_confidence is 1.5: give a number from 0 to 1"),
        ({"intent_ranking_length": 0}, "intent_ranking_length is 0: give a whole number from 1 to 100"),
        ({"intent_ranking_length": 2.5}, "intent_ranking_length is 2.5"),
        ({"correct_grammar": 1}, "correct_grammar is 1: give true or false"),
        ({"on_failure": "ignore"}, "on_failure is 'ignore': give fallback or raise"),
        ({"intents": False, "entities": False}, "intents and entities are both false"),
        ({"train_on": "always"}, "train_on is 'always': give never or rasa_train"),
        ({"train_on": "rasa_train"}, "train_on is rasa_train, but no skill is named: give train_skill"),
        (
            {"train_skill": "banking@3"},
            "train_skill is 'banking@3': give the name of a skill",
        ),
        ({"train_timeout": 0}, "train_timeout is 0: give seconds, above 0, at most 604,800"),
        ({"train_alias": 1}, "train_alias is 1: give an alias, such as live"),
        (
            {"train_settings": ["seed=1"]},
            "train_settings is ['seed=1']: give settings by name",
        ),
        (
            {"train_slot_kinds": {"day": None}},
            "train_slot_kinds is {'day': None}: give kinds by slot",
        ),
        ({"tls_key": "key.pem"}, "tls_certificate and tls_key belong together"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(values)
    assert message in str(caught.value)


def test_settings_of_a_training_are_texts_in_one_order() -> None:
    config = read_config({"train_settings": {"seed": 14, "epochs": "3", "refit": True}})
    assert config.train_settings == (("epochs", "3"), ("refit", "True"), ("seed", "14"))


def test_the_environment_names_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    config = read_config({"address": "baked-in:1"})
    assert config.connection().address == "baked-in:1"
    monkeypatch.setenv(ADDRESS_VARIABLE, "elsewhere:2")
    assert config.connection().address == "elsewhere:2"


def test_the_api_key_is_in_the_environment_and_is_not_sent_in_plain_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONCIERGE_KEY", "secret")
    here = read_config({"api_key_variable": "CONCIERGE_KEY"})
    assert here.connection().metadata() == (("authorization", "Bearer secret"),)
    with pytest.raises(ConfigError, match=r"plain text.*tls_ca"):
        read_config({"api_key_variable": "CONCIERGE_KEY", "address": "nlu.example:50051"}).connection()


def test_a_tls_file_alone_asks_for_tls(tmp_path: Path) -> None:
    assert read_config({}).connection().tls is None
    assert read_config({"tls": True}).connection().tls is not None
    tls = read_config({"tls_ca": str(tmp_path / "ca.pem")}).connection().tls
    assert tls is not None and tls.ca == str(tmp_path / "ca.pem")
