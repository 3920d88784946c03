"""What overload does: to all callers at multiples of the capacity, and to a quiet caller beside a noisy one.

Capacity is the most that the server answers in a second at any rate that is offered, with its own bounds on
what waits. The rest as in `benchmarks.load`: open loop, Poisson arrivals, a generator of its own.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass

from benchmarks.catalogs import skill_name
from benchmarks.load import PROBE_RATE, Generator, Row, Source, generating, messages, prepare
from benchmarks.setting import arguments, machine, show
from nlu.compute import choose
from skills.api_key import KeyDraft, Scope
from storage.catalog import Catalog

NEAR = (0.8, 1.0, 1.2)  # times what a saturated server answers: its capacity is there
LOADS = (0.1, 0.5, 1.0, 3.0)  # times the capacity
QUIET, NOISY = 0.1, 3.0


def main() -> None:
    """Find the capacity, and go beyond it."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of each run")
    options = parser.parse_args()
    compute = choose(threads=options.threads)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/load.db"
        texts = prepare(url, options.data)
        keys = _keys(url)
        with generating(url, compute, options.seconds, "--auth", "keys") as generator:
            callers = _Callers(texts, *keys)
            capacity, rows = _capacity(generator, callers)
            rows += [_one(generator, callers, load, capacity) for load in LOADS]
            rows += _beside(generator, callers, capacity)
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


def _capacity(generator: Generator, callers: _Callers) -> tuple[float, list[Row]]:
    """Return the most answers a second, and the runs that say so."""
    [saturated] = generator.run(callers.source("probe", PROBE_RATE))
    rates = [near * saturated.goodput for near in NEAR]
    outcomes = [generator.run(callers.source("near", rate))[0] for rate in rates]
    rows = [
        outcome.row("looking for the capacity", rate) for rate, outcome in zip(rates, outcomes, strict=True)
    ]
    return max(outcome.goodput for outcome in (saturated, *outcomes)), rows


def _one(generator: Generator, callers: _Callers, load: float, capacity: float) -> Row:
    [outcome] = generator.run(callers.source("one", load * capacity))
    return outcome.row(f"{load:g}x capacity", load * capacity)


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
            outcome.row(f"{source.name} {what}", source.rate)
            for source, outcome in zip(sources, outcomes, strict=True)
        ]
    return rows


if __name__ == "__main__":
    main()
