"""What a pipeline's entry in config.yml may say, checked; the only module here that reads the environment."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from typing import Any, Mapping

from nlu.client_connection import Connection, Tls
from nlu.client_errors import InvalidRequestError

ADDRESS_VARIABLE = "SOFTSPOKEN_ADDRESS"  # wins over `address`, which a model archive bakes in
MAX_SKILLS = 64  # of one request
MAX_RANKING = 100
MAX_TIMEOUT = 60.0  # s; every parse blocks Rasa's event loop
MAX_TRAINING_TIMEOUT = 7 * 86_400.0  # s

FALLBACK = "fallback"
RAISE = "raise"
NEVER = "never"
RASA_TRAIN = "rasa_train"
_PAIRS = ("train_settings", "train_slot_kinds")  # keys with a mapping of names to texts


class ConfigError(ValueError):
    """A key of the component's configuration is unknown, or has a value that does not fit."""


@dataclass(frozen=True)
class Config:
    """The component's keys and their defaults.

    skills: each `name`, `name@3` or `name@candidate`; none asks all live skills. timeout: seconds for one
    call; the service answers within some 30 ms, and nobody should wait long for a fallback. The TLS keys are
    PEM files; `tls` alone trusts the system's authorities. api_key_variable: the environment variable that
    holds the key. An intent below min_confidence is out of scope, an entity below it is left out. on_failure:
    `fallback` keeps the assistant talking, `raise` is for evaluations. intents, entities: the halves of the
    component.

    train_on: `rasa_train` has the skill train_skill trained on the project's NLU data by `rasa train`, and
    the model asks the version that comes of it. train_timeout: seconds to wait for that. train_alias: that
    names the version; None for none. train_settings: those of `softspoken train --set`. train_slot_kinds:
    of values, such as `date`, by slot.
    """

    address: str = "localhost:50051"
    skills: tuple[str, ...] = ()
    timeout: float = 0.5
    tls: bool = False
    tls_ca: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    api_key_variable: str = "SOFTSPOKEN_API_KEY"
    min_confidence: float = 0.0
    intent_ranking_length: int = 10  # as Rasa's own classifiers
    correct_grammar: bool = False
    on_failure: str = FALLBACK
    intents: bool = True
    entities: bool = True
    train_on: str = NEVER
    train_skill: str | None = None
    train_timeout: float = 3600.0  # a few thousand rows take minutes, but others' jobs may be waiting, too
    train_alias: str | None = None
    train_settings: tuple[tuple[str, str], ...] = ()
    train_slot_kinds: tuple[tuple[str, str], ...] = ()

    def connection(self) -> Connection:
        """Return where to connect to, as the environment of this process has it.

        Raises:
            ConfigError: the API key would travel in plain text to another machine.
        """
        files = (self.tls_ca, self.tls_certificate, self.tls_key)
        tls = Tls(*files) if self.tls or any(files) else None
        address = os.environ.get(ADDRESS_VARIABLE) or self.address
        try:
            return Connection(address, self.timeout, tls, os.environ.get(self.api_key_variable, ""))
        except InvalidRequestError as error:
            raise ConfigError(f"{error} (set tls or tls_ca)") from error


def default_config() -> dict[str, Any]:
    """Return every key with its default, in the types of YAML."""
    return {**asdict(Config()), "skills": [], **{key: {} for key in _PAIRS}}


def read_config(values: Mapping[str, Any]) -> Config:
    """Return the configuration; keys that are missing have their defaults.

    Raises:
        ConfigError: names the key, its value and what would fit.
    """
    unknown = sorted(set(values) - {field.name for field in fields(Config)})
    if unknown:
        known = ", ".join(field.name for field in fields(Config))
        raise ConfigError(f"unknown keys: {', '.join(unknown)}. The keys are {known}")
    for key, value in values.items():
        _check(key, value)
    pairs = {key: _pairs(values[key]) for key in _PAIRS if key in values}
    config = Config(**{**values, "skills": tuple(values.get("skills", ())), **pairs})
    if not (config.intents or config.entities):
        raise ConfigError("intents and entities are both false, so there is nothing to do: switch one on")
    if bool(config.tls_certificate) != bool(config.tls_key):
        raise ConfigError("tls_certificate and tls_key belong together: give both or none")
    if config.train_on == RASA_TRAIN and config.train_skill is None:
        raise ConfigError(f"train_on is {RASA_TRAIN}, but no skill is named: give train_skill")
    return config


def _check(key: str, value: Any) -> None:
    fits, wanted = {
        "address": (_is_text(value), "host:port"),
        "skills": (
            isinstance(value, (list, tuple)) and len(value) <= MAX_SKILLS and all(map(_is_text, value)),
            f"a list of at most {MAX_SKILLS} names such as banking, banking@3 or banking@candidate",
        ),
        "timeout": (
            _is_number(value) and 0 < value <= MAX_TIMEOUT,
            f"seconds, above 0, at most {MAX_TIMEOUT:g}",
        ),
        "api_key_variable": (_is_text(value), "the name of an environment variable"),
        "min_confidence": (_is_number(value) and 0 <= value <= 1, "a number from 0 to 1"),
        "intent_ranking_length": (
            isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_RANKING,
            f"a whole number from 1 to {MAX_RANKING}",
        ),
        "on_failure": (value in (FALLBACK, RAISE), f"{FALLBACK} or {RAISE}"),
        "train_on": (value in (NEVER, RASA_TRAIN), f"{NEVER} or {RASA_TRAIN}"),
        "train_skill": (
            value is None or (_is_text(value) and "@" not in value),
            "the name of a skill, such as banking; training makes its next version",
        ),
        "train_timeout": (
            _is_number(value) and 0 < value <= MAX_TRAINING_TIMEOUT,
            f"seconds, above 0, at most {MAX_TRAINING_TIMEOUT:,.0f}",
        ),
        "train_alias": (value is None or _is_text(value), "an alias, such as live"),
        "train_settings": (_is_mapping(value), "settings by name, such as {seed: 14}"),
        "train_slot_kinds": (_is_mapping(value), "kinds by slot, such as {arrival: date}"),
        "tls_ca": (value is None or _is_text(value), "the path of a PEM file"),
        "tls_certificate": (value is None or _is_text(value), "the path of a PEM file"),
        "tls_key": (value is None or _is_text(value), "the path of a PEM file"),
    }.get(key, (isinstance(value, bool), "true or false"))
    if not fits:
        raise ConfigError(f"{key} is {value!r}: give {wanted}")


def _pairs(value: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(each)) for name, each in value.items()))


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        _is_text(name) and isinstance(each, (str, int, float)) for name, each in value.items()
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
