"""The page of two versions: which answers got better and worse, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from skills.comparison import Change, ComparedRow
from skills.skill import SkillVersion
from training.compared_versions import ComparedVersions
from training.report import SHOWN_ROWS, Report, Subject

_TITLES = {
    Change.WORSE: "Got worse",
    Change.BETTER: "Got better",
    Change.DIFFERENT: "Both wrong, differently",
}


@dataclass(frozen=True)
class ComparisonReport(Report):
    """What the page tells of two versions."""

    template = "report_comparison.html.j2"

    subject: Subject
    compared: ComparedVersions
    predictions: tuple[ComparedRow, ...]

    @classmethod
    def of(cls, compared: ComparedVersions, measured_on: str) -> ComparisonReport:
        """Return the page of two versions that were compared on a file."""
        left_out = (
            (f"{compared.left_out:,} rows have labels that only one of the versions knows: left out",)
            if compared.left_out
            else ()
        )
        title = f"{compared.second} against {compared.first}"
        subject = replace(Subject.of(compared.second, measured_on, left_out), title=title)
        return cls(subject, compared, compared.comparison.rows)

    def context(self) -> dict[str, Any]:
        comparison = self.compared.comparison
        return {
            "compared": self.compared,
            "comparison": comparison,
            "counts": {change.value: len(comparison.of(change)) for change in Change},
            "sections": [_section(title, comparison.of(change)) for change, title in _TITLES.items()],
            "facts": facts(self.compared.first, self.compared.second),
        }


@dataclass(frozen=True)
class Section:
    """The first rows of one kind of change."""

    title: str
    count: int
    rows: Sequence[ComparedRow]


@dataclass(frozen=True)
class Fact:
    """One thing about the training of both versions."""

    name: str
    first: str
    second: str


def facts(first: SkillVersion, second: SkillVersion) -> list[Fact]:
    """Return how two versions were trained; of the settings, those that differ."""
    told = _told(first), _told(second)
    training = [Fact(name, told[0][name], told[1][name]) for name in told[0]]
    configs = first.provenance.config, second.provenance.config
    names = dict.fromkeys([*configs[0], *configs[1]])
    settings = [Fact(name, *(str(config.get(name, "–")) for config in configs)) for name in names]
    return training + [each for each in settings if each.first != each.second]


def _told(version: SkillVersion) -> dict[str, str]:
    provenance = version.provenance
    return {
        "Method": str(version.method),
        "Labels": f"{len(version.labels):,}",
        "Training rows": f"{provenance.rows:,}",
        "Data (SHA-256)": provenance.data_sha256[:12],
        "Seed": str(provenance.seed),
        "Time": f"{provenance.seconds:.1f} s",
        "Trained (UTC)": f"{version.created_at:%Y-%m-%d %H:%M}",
    }


def _section(title: str, rows: Sequence[ComparedRow]) -> Section:
    return Section(title, len(rows), rows[:SHOWN_ROWS])
