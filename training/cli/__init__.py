"""The command `softspoken`."""

from __future__ import annotations

import gc
import sys

_OURS = ("nlu", "skills", "storage", "training")


def main() -> None:
    """Run the command line and exit with its code; a missing dependency becomes one line."""
    try:
        from training.cli.program import program

        program(prog_name="softspoken")
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if not missing or missing in _OURS:  # a fault of ours: show where
            raise
        sys.stderr.write(
            f"error: {missing!r} cannot be imported ({error}): pip install 'softspoken[serve]' to serve, "
            "'softspoken[train]' to do all else as well (Python 3.11 or newer)\n"
        )
        sys.exit(2)
    finally:
        gc.freeze()  # or the end of the process looks through all of it: a quarter of a short command's time
