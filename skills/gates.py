"""What a version's metrics must be before an alias may name it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from skills.errors import InputError
from skills.headline import HEADLINES
from skills.skill import SkillKind

_ROUNDING = 1e-9  # 0.9 - 0.1 is a little more than 0.8


@dataclass(frozen=True)
class Gates:
    """Conditions of a promotion; without any, every version passes.

    minimum: least value of a metric, by its name in the catalog. no_regression: the headline metric must not
    be below that of the version that the alias names now, both measured on the same rows. tolerance: how far
    below it may be.

    Raises:
        InputError: a value is not a finite number, or the tolerance is negative.
    """

    minimum: Mapping[str, float] = field(default_factory=dict)
    no_regression: bool = False
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        for name, value in {**self.minimum, "tolerance": self.tolerance}.items():
            if not _is_number(value):
                raise InputError(f"gate {name!r} is {value!r}: write a finite number", field="gates")
        if self.tolerance < 0:
            raise InputError(f"tolerance is {self.tolerance}: write 0 or more", field="gates")

    def as_dict(self) -> dict[str, Any]:
        """Return them as JSON."""
        return {
            "minimum": dict(self.minimum),
            "no_regression": self.no_regression,
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Gates:
        """Read what `as_dict` gave; what is left out has its default.

        Raises:
            InputError: a key is not known, or a value is of the wrong type or out of bounds.
        """
        known = [each.name for each in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise InputError(f"gates have no {unknown[0]!r}: they are {', '.join(known)}", field="gates")
        if not isinstance(values.get("minimum", {}), Mapping):
            raise InputError(
                "gate 'minimum' is no object: write metrics and their least values", field="gates"
            )
        if not isinstance(values.get("no_regression", False), bool):
            raise InputError("gate 'no_regression' is not true or false", field="gates")
        return cls(**values)


def failures(
    gates: Gates,
    candidate_metrics: Mapping[str, float],
    live_metrics: Mapping[str, float] | None,
    kind: SkillKind,
) -> tuple[str, ...]:
    """Return why a version does not pass, a sentence for each reason; nothing if it passes.

    Args:
        gates: the conditions.
        candidate_metrics: of the version that is to be promoted.
        live_metrics: of the version that the alias names, on the same rows; None where it names none, and
            then there is nothing to fall behind.
        kind: of the skill.
    """
    reasons = [_below(name, least, candidate_metrics) for name, least in gates.minimum.items()]
    if gates.no_regression and live_metrics is not None:
        metric = HEADLINES[kind].metric
        if metric not in live_metrics:
            reasons.append(
                f"{metric} was not measured for the version in place: measure both on the same rows"
            )
        else:
            reasons.append(_fallen(metric, live_metrics[metric], candidate_metrics, gates.tolerance))
    return tuple(reason for reason in reasons if reason)


def _below(name: str, least: float, metrics: Mapping[str, float]) -> str:
    found = metrics.get(name)
    if found is None:
        return f"{name} was not measured; there are {', '.join(sorted(metrics)) or 'no metrics'}"
    return "" if found >= least else f"{name} is {found:.6g}, at least {least:.6g} is needed"


def _fallen(name: str, live: float, metrics: Mapping[str, float], tolerance: float) -> str:
    found = metrics.get(name)
    if found is None:
        return _below(name, live, metrics)
    if found >= live - tolerance - _ROUNDING:
        return ""
    allowed = f", less a tolerance of {tolerance:.6g}," if tolerance else ""
    return f"{name} is {found:.6g}, at least the {live:.6g} of the version in place{allowed} is needed"


def _is_number(value: object) -> bool:
    """Whether a value is a number that a float can hold, and neither NaN nor infinite."""
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    )
