"""Skill versions as tables and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from skills.headline import HEADLINES
from skills.skill import LIVE, SkillKind
from training.cli.output import Table, cell, percent

if TYPE_CHECKING:
    from skills.skill import SkillVersion
    from storage.versions import SkillSummary


def version_document(version: SkillVersion) -> dict[str, Any]:
    """Return everything about a version but its tensors, for JSON."""
    return {**asdict(version), "created_at": version.created_at.isoformat()}


def skills_document(versions: Sequence[SkillVersion]) -> list[dict[str, Any]]:
    """Return each skill with its aliases and its versions, newest first, for JSON."""
    return [
        {
            "name": name,
            "kind": of_skill[0].kind,
            "aliases": {alias: version.version for version in of_skill for alias in version.aliases},
            "versions": [version_document(version) for version in of_skill],
        }
        for name, of_skill in _by_skill(versions)
    ]


def skills_table(summaries: Sequence[SkillSummary]) -> Table:
    """Return one row a skill: its live version, or else its newest."""
    rows = []
    for summary in summaries:
        shown = summary.shown
        rows.append(
            (
                cell(shown.name, "bold"),
                cell(shown.kind),
                cell(shown.version, "green") if LIVE in shown.aliases else cell("none", "yellow"),
                cell(summary.versions),
                cell(" + ".join(map(str, label_counts(shown).values())) or "-"),
                cell(_headline(shown)),
                cell(f"{shown.bytes:,}"),
                cell(f"{shown.created_at:%Y-%m-%d %H:%M}"),
            )
        )
    return Table(
        ("skill", "kind", "live", "versions", "labels", "held-out rows", "bytes", "trained (UTC)"), rows
    )


def details_table(version: SkillVersion) -> Table:
    """Return one version in full."""
    provenance, calibration = version.provenance, version.calibration
    values = {
        "aliases": ", ".join(version.aliases) or "none",
        "kind, method": f"{version.kind}, {version.method}",
        **{name: f"{len(labels)}: {', '.join(labels)}" for name, labels in _labels(version).items()},
        **{name: f"{value:g}" for name, value in version.metrics.items()},
        "temperature": f"{calibration.temperature:.3f}",
        "scope threshold": f"{calibration.scope_threshold:.3f}",
        "rows": f"{provenance.rows:,} (SHA-256 {provenance.data_sha256[:12]}), seed {provenance.seed}",
        "trained": f"{version.created_at:%Y-%m-%d %H:%M} UTC in {provenance.seconds} s",
        "code": provenance.code_version,
        "settings": ", ".join(f"{key}={value}" for key, value in provenance.config.items()),
        "backbone": version.backbone,
        "tensors": f"{version.bytes:,} bytes, SHA-256 {version.sha256}",
    }
    return Table(("skill", str(version)), [(cell(name), cell(value)) for name, value in values.items()])


def versions_table(versions: Sequence[SkillVersion]) -> Table:
    """Return the versions of one skill, newest first."""
    return Table(
        ("version", "aliases", "method", "held-out rows", "rows", "trained (UTC)"),
        [
            (
                cell(version.version),
                cell(", ".join(version.aliases) or "-", "green"),
                cell(version.method),
                cell(_headline(version)),
                cell(f"{version.provenance.rows:,}"),
                cell(f"{version.created_at:%Y-%m-%d %H:%M}"),
            )
            for version in versions
        ],
    )


def _headline(version: SkillVersion) -> str:
    """Return the number that tells most, and what it is."""
    metric, name = HEADLINES[version.kind]
    share = version.metrics.get(metric)
    return "-" if share is None else f"{percent(share)} {name}"


def label_counts(version: SkillVersion) -> dict[str, int]:
    """Return how many intents and slots a version has."""
    return {name: len(labels) for name, labels in _labels(version).items()}


def _labels(version: SkillVersion) -> dict[str, tuple[str, ...]]:
    """Return what a version tells apart; nothing of a grammar skill."""
    intents = () if version.kind is SkillKind.SLOTS else version.labels
    slots = tuple(version.head.get("slots", {}).get("labels", ()))
    return {name: labels for name, labels in (("labels", intents), ("slots", slots)) if labels}


def _by_skill(versions: Sequence[SkillVersion]) -> list[tuple[str, list[SkillVersion]]]:
    """Group versions by name, newest first within each."""
    groups: dict[str, list[SkillVersion]] = {}
    for version in versions:
        groups.setdefault(version.name, []).append(version)
    return [(name, sorted(groups[name], key=lambda version: -version.version)) for name in sorted(groups)]
