"""What every benchmark shares: where the data is, how a run is described, how results are shown."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from nlu.backbone import Backbone
from nlu.compute import Compute
from nlu.loaded import LoadedSkill, load_skill
from skills.skill import SkillDraft
from storage.catalog import Catalog

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--data", type=Path, default=DATA, help="folder of the public sets (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=0, help="0: all available CPUs")
    parser.add_argument("--json", type=Path, help="also write the results here")
    parser.add_argument(
        "--catalog", default="sqlite:///benchmarks.db", help="where the trained skills are kept"
    )
    return parser


def stored(draft: SkillDraft, backbone: Backbone, catalog_url: str) -> LoadedSkill:
    """Store a trained skill and load it back, as a server would."""
    catalog = Catalog.open(catalog_url)
    try:
        version = catalog.publish(draft, alias="live")
        return load_skill(version, catalog.tensors(version), backbone)
    finally:
        catalog.close()


def machine(compute: Compute) -> str:
    """Return one line on where this runs."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {compute.threads} threads, {compute.precision}, {compute.device}"


def show(title: str, rows: Sequence[dict[str, Any]], *, where: str, target: Path | None) -> None:
    """Print rows of one kind as a table, and write them as JSON if asked."""
    table = Table(title=title, caption=where)
    for column in rows[0]:
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right")
    for row in rows:
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()))
    Console(width=160).print(table)
    if target is not None:
        document = {"title": title, "machine": where, "date": datetime.now(UTC).isoformat(timespec="seconds")}
        target.write_text(json.dumps({**document, "rows": list(rows)}, indent=2))
