"""From the service's answers to Rasa's dictionaries."""

from __future__ import annotations

from typing import Any

import pytest

from nlu.client_errors import OverloadedError
from nlu.client_types import (
    Intent,
    Outcome,
    ParseResult,
    SkillKind,
    SkillResult,
    SkillVersion,
    Slot,
    Timings,
)
from nlu.rasa.answer import entities_of, ranking_of, selected_response, summary_of


def result(*answers: SkillResult, **fields: Any) -> ParseResult:
    return ParseResult("r1", answers, (0, 9), "b" * 64, Timings(1, 1, 1, 1), **fields)


def answer(
    *ranking: tuple[str, float],
    outcome: Outcome = Outcome.MATCHED,
    slots: tuple[Slot, ...] = (),
    name: str = "banking",
) -> SkillResult:
    intents = tuple(Intent(*each) for each in ranking)
    return SkillResult(SkillVersion(name, 2, "ab"), SkillKind.JOINT, outcome, intents, slots=slots)


def city(**fields: Any) -> Slot:
    return Slot(
        **{"name": "city", "start": 3, "end": 7, "raw": "Roma", "value": "Rome", "confidence": 0.5, **fields}
    )


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], [("nlu_fallback", 1.0)]),
        ([answer(("a", 0.7), ("b", 0.2))], [("a", 0.7), ("b", 0.2)]),
        ([answer(("a", 0.5), ("b", 0.4), outcome=Outcome.AMBIGUOUS)], [("a", 0.5), ("b", 0.4)]),
        (
            [answer(("a", 0.7), ("b", 0.2), outcome=Outcome.OUT_OF_SCOPE)],
            [("nlu_fallback", 1.0), ("a", 0.7), ("b", 0.2)],
        ),
        ([answer(("a", 0.6)), answer(("b", 0.9), ("a", 0.1))], [("b", 0.9), ("a", 0.6)]),
        ([answer(("a", 0.6)), answer(("b", 0.9), outcome=Outcome.OUT_OF_SCOPE)], [("a", 0.6)]),
        ([answer(*((c, 0.2) for c in "abcde"))], [("a", 0.2), ("b", 0.2), ("c", 0.2)]),
        ([answer(("faq/a", 0.6), ("b", 0.2), ("faq/c", 0.1))], [("faq", 0.6), ("b", 0.2)]),
        ([answer(("a/b/c", 0.6), ("/a", 0.2), ("a/", 0.1))], [("a/b/c", 0.6), ("/a", 0.2), ("a/", 0.1)]),
    ],
    ids=["nothing", "one", "ambiguous", "unknown", "two skills", "one of two", "cut off", "faq", "slashes"],
)
def test_the_ranking_begins_with_the_intent(
    answers: list[SkillResult], expected: list[tuple[str, float]]
) -> None:
    ranking = ranking_of(result(*answers), 3)
    assert [(each["name"], each["confidence"]) for each in ranking] == expected


def test_a_retrieval_intent_selects_its_response() -> None:
    found = selected_response(result(answer(("faq/opening", 0.6), ("faq/fines", 0.3))))
    assert found["all_retrieval_intents"] == ["faq"]
    assert found["faq"]["response"] == {
        "responses": [],
        "confidence": 0.6,
        "intent_response_key": "faq/opening",
        "utter_action": "utter_faq/opening",
    }
    unknown = answer(("faq/opening", 0.6), outcome=Outcome.OUT_OF_SCOPE)
    assert selected_response(result(unknown)) == selected_response(result(answer(("a", 0.6)))) == {}
    assert selected_response(None) == {}


def test_an_entity_has_what_rasa_reads_and_no_empty_role() -> None:
    [plain] = entities_of(result(answer(slots=(city(),))))
    assert plain == {
        "entity": "city",
        "start": 3,
        "end": 7,
        "value": "Rome",
        "raw": "Roma",
        "confidence_entity": 0.5,
    }
    [whole] = entities_of(result(answer(slots=(city(role="origin", group="1"),))))
    assert (whole["role"], whole["group"]) == ("origin", "1")


def test_what_two_skills_say_alike_is_there_once() -> None:
    first = answer(slots=(city(), city(start=9, end=13)))
    second = answer(slots=(city(confidence=0.9), city(name="place", start=0)))
    found = [
        (each["entity"], each["start"], each["confidence_entity"])
        for each in entities_of(result(first, second))
    ]
    assert found == [("place", 0, 0.5), ("city", 3, 0.9), ("city", 9, 0.5)]


def test_the_summary_names_versions_outcome_and_correction() -> None:
    lost = answer(("a", 0.9), outcome=Outcome.OUT_OF_SCOPE, name="travel")
    found = answer(("b", 0.2), outcome=Outcome.AMBIGUOUS)
    assert summary_of(result(lost, found, corrected_text="Hello."), None) == {
        "outcome": "ambiguous",
        "skills": ["travel@2", "banking@2"],
        "request_id": "r1",
        "corrected_text": "Hello.",
    }
    assert summary_of(result(lost), None)["outcome"] == "out-of-scope"
    assert summary_of(None, None) == {"outcome": "empty-input"}


def test_a_failure_says_its_kind_and_nothing_of_the_network() -> None:
    error = OverloadedError("ipv4:10.0.0.7:50051 is full")
    assert summary_of(None, error) == {"outcome": "failed", "reason": "OverloadedError"}
