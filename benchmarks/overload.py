"""What overload does: to all callers at multiples of the capacity, and to a quiet caller beside a noisy one.

Capacity is the most that the server answers in a second at any rate that is offered, with its own bounds on
what waits. The rest as in `benchmarks.load`: open loop, Poisson arrivals, a generator of its own.

What else a machine does moves its capacity by a fifth within a minute. So all loads are offered in each of
several rounds, shares of the capacity are shares of that round's, and the table has the rounds' medians.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.catalogs import skill_name
from benchmarks.load import Row, as_row, generating, prepare
from benchmarks.setting import arguments, machine, show
from nlu.engine import choose_for_serving
from skills.api_key import KeyDraft, Scope
from storage.catalog import Catalog
from training.open_loop import PROBE_RATE, Generator, Source, messages

NEAR = (0.8, 1.0, 1.2)  # times what a saturated server answers: its capacity is there
LOADS = (0.1, 0.5, 1.0, 3.0)  # times the capacity
QUIET, NOISY = 0.1, 3.0


def main() -> None:
    """Find the capacity, and go beyond it."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    compute = choose_for_serving("auto", "auto", options.threads, "auto")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/load.db"
        texts = prepare(url, options.data)
        keys = _keys(url)
        with generating(url, compute, options.seconds, "--auth", "keys") as generator:
            rounds = [_round(generator, _Callers(texts, *keys)) for _ in range(options.rounds)]
    rows = [_medians(same) for same in zip(*rounds, strict=True)]
    show("Overload", rows, where=machine(compute), target=options.json)


def _keys(url: str) -> list[str]:
    catalog = Catalog.open(url)
    drafts = [KeyDraft(name, frozenset({Scope.PARSE})) for name in ("one", "other")]
    keys = [catalog.keys.create(draft).reveal() for draft in drafts]
    catalog.close()
    return keys


@dataclass(frozen=True)
class _Callers:
    """What can be sent, by two keys."""

    texts: list[str]
    one: str
    other: str

    def source(self, name: str, rate: float, *, key: str = "", skill: int = 0) -> Source:
        return Source(name, rate, messages(self.texts, skill_name(skill)), key or self.one)


def _round(generator: Generator, callers: _Callers) -> list[Row]:
    """Find the capacity, and offer each load; the first load is what the others' latency is compared with."""
    [saturated] = generator.run(callers.source("probe", PROBE_RATE))
    near = [_one(generator, callers, load, saturated.goodput) for load in NEAR]
    capacity = max(saturated.goodput, *(row["goodput/s"] for row in near))
    rows = [_one(generator, callers, load, capacity) for load in LOADS]
    rows += _beside(generator, callers, capacity)
    for row in rows:
        row |= {
            "of capacity %": 100 * row["goodput/s"] / capacity,
            "p99 / first": row["p99 ms"] / rows[0]["p99 ms"],
        }
    return rows


def _medians(same: Sequence[Row]) -> Row:
    """Return one row for the same load in all rounds."""
    first, *_ = same
    return {
        name: value if isinstance(value, str) else float(np.median([row[name] for row in same]))
        for name, value in first.items()
    }


def _one(generator: Generator, callers: _Callers, load: float, capacity: float) -> Row:
    [outcome] = generator.run(callers.source("one", load * capacity))
    return as_row(outcome, f"{load:g}x capacity", load * capacity)


def _beside(generator: Generator, callers: _Callers, capacity: float) -> list[Row]:
    """Let a quiet caller ask alone, beside a noisy key, and beside a noisy skill of the same key."""
    quiet = callers.source("quiet", QUIET * capacity)
    others = {
        "alone": (),
        "beside a noisy key": (callers.source("noisy", NOISY * capacity, key=callers.other),),
        "beside a noisy skill": (callers.source("noisy", NOISY * capacity, skill=1),),
    }
    rows = []
    for what, noisy in others.items():
        sources = (quiet, *noisy)
        outcomes = generator.run(*sources)
        rows += [
            as_row(outcome, f"{source.name} {what}", source.rate)
            for source, outcome in zip(sources, outcomes, strict=True)
        ]
    return rows


if __name__ == "__main__":
    main()
