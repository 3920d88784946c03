from __future__ import annotations

import json
import math
from typing import Any

import pytest

from skills.errors import InputError
from skills.gates import Gates, failures
from skills.headline import HEADLINES
from skills.skill import SkillKind

GATES = Gates({"accuracy": 0.9, "macro_f1": 0.5}, no_regression=True, tolerance=0.01)


def test_json_and_back() -> None:
    assert Gates.from_dict(json.loads(json.dumps(GATES.as_dict()))) == GATES
    assert Gates.from_dict({}) == Gates()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"least": {}}, "gates have no 'least': they are minimum, no_regression, tolerance"),
        ({"minimum": [0.9]}, "'minimum' is no object"),
        ({"minimum": {"accuracy": "0.9"}}, "'accuracy' is '0.9'"),
        ({"minimum": {"accuracy": True}}, "'accuracy' is True"),
        ({"minimum": {"accuracy": math.nan}}, "'accuracy' is nan"),
        ({"minimum": {"accuracy": 10**400}}, "'accuracy' is 1000"),
        ({"no_regression": 1}, "not true or false"),
        ({"tolerance": math.inf}, "'tolerance' is inf"),
        ({"tolerance": None}, "'tolerance' is None"),
        ({"tolerance": -0.1}, "write 0 or more"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Gates.from_dict(values)
    assert caught.value.field == "gates"


@pytest.mark.parametrize(
    ("minimum", "reasons"),
    [
        ({}, []),
        ({"accuracy": 0.875}, []),
        ({"accuracy": 0.9}, ["accuracy is 0.875, at least 0.9 is needed"]),
        ({"accuracy": 0.9, "ece": 0.2}, ["accuracy is 0.875, at least 0.9 is needed", "ece is 0.1, at le"]),
        ({"slot_f1": 0.1}, ["slot_f1 was not measured; there are accuracy, ece"]),
    ],
)
def test_a_minimum_names_metric_found_and_needed(minimum: dict[str, float], reasons: list[str]) -> None:
    found = failures(Gates(minimum), {"accuracy": 0.875, "ece": 0.1}, {"accuracy": 1.0}, SkillKind.INTENT)
    assert len(found) == len(reasons)
    assert all(each.startswith(reason) for each, reason in zip(found, reasons, strict=True))


@pytest.mark.parametrize(
    ("candidate", "live", "tolerance", "passes"),
    [
        (0.9, 0.9, 0.0, True),
        (0.9, 0.8, 0.0, True),
        (0.9, 0.91, 0.0, False),
        (0.9, 0.91, 0.02, True),
        (0.8, 0.9, 0.1, True),  # 0.9 - 0.1 is 0.8 but for rounding
        (0.79, 0.9, 0.1, False),
    ],
)
@pytest.mark.parametrize("kind", SkillKind)
def test_the_headline_of_the_kind_must_not_fall(
    kind: SkillKind, candidate: float, live: float, tolerance: float, passes: bool
) -> None:
    metric = HEADLINES[kind].metric
    gates = Gates(no_regression=True, tolerance=tolerance)
    found = failures(gates, {metric: candidate}, {metric: live}, kind)
    assert len(found) == (0 if passes else 1)
    if not passes:
        assert f"{metric} is {candidate:g}, at least the {live:g}" in found[0]
        assert (f"a tolerance of {tolerance:g}" in found[0]) is (tolerance > 0)


def test_nothing_in_place_is_nothing_to_fall_behind() -> None:
    assert failures(Gates(no_regression=True), {"accuracy": 0.1}, None, SkillKind.INTENT) == ()


@pytest.mark.parametrize(("candidate", "live"), [({}, {"accuracy": 0.5}), ({"accuracy": 0.5}, {})])
def test_what_was_not_measured_does_not_pass(candidate: dict[str, float], live: dict[str, float]) -> None:
    [reason] = failures(Gates(no_regression=True), candidate, live, SkillKind.INTENT)
    assert "accuracy was not measured" in reason
