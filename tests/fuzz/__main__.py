"""`python -m tests.fuzz TARGET [libFuzzer's options]`: fuzz with atheris, guided by the branches of our code.

    python -m tests.fuzz skill_file -max_total_time=600
    python -m tests.fuzz                                   # lists the targets

What makes it fail is kept as `crash-*` in the current directory; give the file as an option to run it again.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["nlu", "skills", "storage", "training"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz the target that the first argument names, from its seeds."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        print(__doc__, *TARGETS, sep="\n  ")  # noqa: T201
        sys.exit(len(sys.argv) > 1)
    target = TARGETS[sys.argv.pop(1)]
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.seeds):
            Path(corpus, str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, corpus], target.run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
