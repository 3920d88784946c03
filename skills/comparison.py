"""Two versions' answers to the same rows: what got better, what got worse, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from skills.errors import InputError

SIGNIFICANT = 0.05  # the usual level


class Change(StrEnum):
    """What became of a row's answer."""

    BETTER = "better"  # wrong, then right
    WORSE = "worse"  # right, then wrong
    DIFFERENT = "different"  # wrong in another way
    NONE = "none"


@dataclass(frozen=True)
class Answered:
    """One version's answer to a row, as a person reads it."""

    text: str
    right: bool


@dataclass(frozen=True)
class ComparedRow:
    """A row with what both versions make of it."""

    text: str
    expected: str
    first: Answered
    second: Answered

    @property
    def change(self) -> Change:
        """What the second version changed."""
        if self.first.right != self.second.right:
            return Change.BETTER if self.second.right else Change.WORSE
        if not self.first.right and self.first.text != self.second.text:
            return Change.DIFFERENT
        return Change.NONE


@dataclass(frozen=True)
class LabelScore:
    """One version's F1 of a label, over so many rows that have it."""

    rows: int
    f1: float


@dataclass(frozen=True)
class LabelChange:
    """A label's F1 of both versions."""

    label: str
    rows: int
    first: float
    second: float

    @property
    def difference(self) -> float:
        """How much better the second one is."""
        return self.second - self.first


@dataclass(frozen=True)
class Comparison:
    """Every row, in the order given, and the labels that changed, the most changed first."""

    rows: tuple[ComparedRow, ...]
    labels: tuple[LabelChange, ...]

    def of(self, change: Change) -> tuple[ComparedRow, ...]:
        """Return the rows of one kind of change."""
        return self._by_change[change]

    @property
    def first_right(self) -> float:
        """Share of rows that the first version answers right."""
        return sum(row.first.right for row in self.rows) / len(self.rows)

    @property
    def second_right(self) -> float:
        """Share of rows that the second version answers right."""
        return sum(row.second.right for row in self.rows) / len(self.rows)

    @cached_property
    def p_value(self) -> float:
        """How likely so uneven a split into better and worse rows is, were both versions equally good.

        McNemar's exact test, two-sided (McNemar 1947): a binomial test over the rows that only one got right.
        """
        from scipy.stats import binomtest  # takes half a second, and every command imports this module

        better, worse = len(self.of(Change.BETTER)), len(self.of(Change.WORSE))
        return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0

    @property
    def significant(self) -> bool:
        """Whether chance is an unlikely explanation."""
        return self.p_value < SIGNIFICANT

    @cached_property
    def _by_change(self) -> dict[Change, tuple[ComparedRow, ...]]:
        return {change: tuple(row for row in self.rows if row.change is change) for change in Change}


def compare(
    rows: Sequence[ComparedRow],
    first: Mapping[str, LabelScore],
    second: Mapping[str, LabelScore],
) -> Comparison:
    """Compare answers; `first` and `second` are each version's scores by label.

    Raises:
        InputError: there are no rows.
    """
    if not rows:
        raise InputError("there are no rows to compare on: add labeled rows", field="data")
    changes = [
        LabelChange(label, score.rows, score.f1, second[label].f1)
        for label, score in first.items()
        if label in second and score.f1 != second[label].f1
    ]
    return Comparison(
        tuple(rows), tuple(sorted(changes, key=lambda each: (-abs(each.difference), each.label)))
    )
