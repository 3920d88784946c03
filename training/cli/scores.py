"""How well a skill did, as tables and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from training.cli.output import Table, cell, percent

if TYPE_CHECKING:
    from rich.text import Text

    from skills.metrics import Confusion, IntentMetrics

_WORST = 5  # confusions in a summary; a report has all


def metric_rows(metrics: IntentMetrics) -> list[tuple[Text, Text]]:
    """Return names and values for a summary; what was not measured is left out."""
    values = {
        "accuracy": percent(metrics.accuracy),
        "macro F1": percent(metrics.macro_f1),
        "calibration error (ECE)": f"{metrics.ece:.3f}",
        "in scope, accepted": percent(metrics.in_scope_accepted),
    }
    if metrics.oos_auroc is not None:
        values["out-of-scope AUROC"] = f"{metrics.oos_auroc:.3f}"
        values["out of scope, rejected"] = percent(metrics.oos_recall)
    return [(cell(name), cell(value)) for name, value in values.items()]


def measured_rows(metrics: IntentMetrics) -> str:
    """Return how many rows were measured, in words."""
    return f"{metrics.rows:,} in scope, {metrics.oos_rows:,} out of scope"


def confusion_table(confusions: tuple[Confusion, ...]) -> Table:
    """Return the worst confusions."""
    return Table(
        ("rows", "expected", "answered", "such as"),
        [
            (cell(each.count), cell(each.expected), cell(each.answered), cell(each.example_text, "dim"))
            for each in confusions[:_WORST]
        ],
        title="worst confusions",
    )


def metrics_document(metrics: IntentMetrics) -> dict[str, Any]:
    """Return all numbers and all confusions for JSON."""
    return asdict(metrics)
