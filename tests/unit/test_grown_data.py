"""The rows of a skill that grows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from skills.correction import CorrectedSentence
from skills.errors import InputError
from skills.exemplar import Exemplar
from skills.grown_data import check_covers, grown_data
from skills.skill import SkillKind
from skills.training_data import TrainingData
from skills.utterance import Utterance


def data(train: dict[str, str], dev: dict[str, str] | None = None) -> TrainingData:
    """Return rows of intents by their texts."""
    held_out = None if dev is None else tuple(Utterance(*row) for row in dev.items())
    return TrainingData(SkillKind.INTENT, tuple(Utterance(*row) for row in train.items()), held_out)


def intents(rows: tuple[object, ...] | None) -> dict[str, str] | None:
    return None if rows is None else {row.text: row.intent for row in rows}  # type: ignore[attr-defined]


def told(text: str, intent: str) -> Exemplar:
    return Exemplar(1, "banking", text, intent, datetime.now(UTC), "ada")


def test_old_rows_stay_and_new_ones_win() -> None:
    grown = grown_data(data({"a": "x", "b": "y"}), data({"b": "z", "c": "z"}))
    assert intents(grown.train) == {"a": "x", "b": "z", "c": "z"}
    assert grown.dev is None


def test_labels_stay_described_and_new_words_win() -> None:
    parent = replace(data({}), descriptions={"x": "old", "y": "kept"})
    grown = grown_data(parent, replace(data({"a": "x"}), descriptions={"x": "new"}))
    assert grown.descriptions == {"x": "new", "y": "kept"}


def test_what_the_skill_was_told_is_learned_unless_a_new_row_says_otherwise() -> None:
    grown = grown_data(data({"a": "x"}), data({"c": "z"}), [told("a", "y"), told("c", "y"), told("d", "y")])
    assert intents(grown.train) == {"a": "y", "c": "z", "d": "y"}


def test_held_out_rows_stay_held_out_unless_they_are_to_be_learned() -> None:
    parent = data({"a": "x", "b": "y"}, {"h": "x", "i": "y"})
    grown = grown_data(parent, data({"h": "x"}, {"b": "y"}))
    assert intents(grown.train) == {"a": "x", "h": "x"}
    assert intents(grown.dev) == {"i": "y", "b": "y"}


def test_rows_that_the_dialog_expected_otherwise_are_other_rows() -> None:
    asked = Utterance("7", "", expected_slots=("time",))
    parent = TrainingData(SkillKind.SLOTS, (asked, Utterance("7", "")))
    more = TrainingData(SkillKind.SLOTS, (replace(asked, expected_slots=("people",)),))
    assert len(grown_data(parent, more).train) == 3


def test_kinds_do_not_mix() -> None:
    grammar = TrainingData(SkillKind.GRAMMAR, (CorrectedSentence("I has", ("I have",)),))
    with pytest.raises(InputError, match="rows of kind grammar cannot be added to rows of kind intent"):
        grown_data(data({"a": "x"}), grammar)


def test_rows_that_are_not_kept_must_be_made_up_for() -> None:
    check_covers(("x", "y"), data({"a": "x", "b": "y"}), "banking@3")
    with pytest.raises(InputError, match=r"banking@3 .* not kept, .* none of 1 of its intents, such as 'y'"):
        check_covers(("x", "y"), data({"a": "x"}), "banking@3")
