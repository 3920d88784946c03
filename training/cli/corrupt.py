"""`softspoken corrupt`: clean sentences become pairs of erroneous and correct ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from skills.errors import InputError
from training.cli.options import FILE, json_option, setting
from training.cli.output import Table, cell, print_json, print_message, print_table

if TYPE_CHECKING:
    from skills.correction import CorrectedSentence
    from skills.corruption import CorruptionRates

_SUFFIXES = (".jsonl", ".ndjson")
_LINES = 10  # of progress, where there is no terminal
_MANY = 5000  # sentences, a second or two


@click.command()
@click.argument("files", metavar="FILE...", type=FILE, nargs=-1, required=True)
@setting("--out", type=FILE, required=True, help="Where the pairs go: JSON Lines, as train reads them.")
@setting(
    "--rates",
    metavar="KIND=RATE,...",
    help="How often an error is of a kind, compared with the others: agreement, article, preposition, tense, "
    "word_order, spelling, casing, punctuation; and errors_per_word.",
)
@setting(
    "--clean",
    type=click.FloatRange(0.0, 1.0),
    help="Share of sentences that stay as they are.  [default: 0.2]",
)
@setting("--seed", type=click.IntRange(min=0), default=13, help="Same seed, same errors.")
@setting("--copies", type=click.IntRange(1, 100), default=1, help="Times that each sentence is used.")
@setting("--force", is_flag=True, help="Replace the file that is there.")
@json_option
def corrupt(files: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Put errors into clean sentences, to train a grammar skill on.

    Files are text, one sentence a line, or JSON Lines with a "text". Sentences that do not look clean are
    left out: each pair teaches that its correct half is right.
    """
    _check_out(out, options["force"])
    rates = _rates(options["rates"], options["clean"])
    sentences = _sentences(files)
    pairs = right = 0
    with _replacing(out) as file:
        for pair in _pairs(sentences, rates, options["seed"], options["copies"], quiet=options["json"]):
            row = {"text": pair.text, "corrections": pair.corrections}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            pairs += 1
            right += pair.is_right
        if not pairs:
            raise InputError(
                f"none of {len(sentences):,} sentences can be used: they need a capital at the start, a mark "
                "at the end and no faults"
            )
    counts = {"sentences": len(sentences), "pairs": pairs, "with_errors": pairs - right, "right": right}
    if options["json"]:
        print_json({"out": str(out), **counts})
    else:
        rows = [(cell(name.replace("_", " ")), cell(f"{count:,}")) for name, count in counts.items()]
        print_table(Table(("pairs in", str(out)), rows))


def _check_out(out: Path, force: bool) -> None:
    if out.suffix.lower() not in _SUFFIXES:
        raise InputError(f"pairs are JSON Lines: name the file {out.with_suffix('.jsonl')}", field="out")
    if out.exists() and not force:
        raise InputError(f"{out} is there already: name another file, or give --force", field="out")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent} is no folder: make it, or name another one", field="out")


def _rates(option: str | None, clean: float | None) -> CorruptionRates:
    from skills.corruption import CorruptionRates

    rates = CorruptionRates()
    if option:
        rates = rates.changed(option)
    return rates if clean is None else rates.changed(f"clean={clean}")


def _sentences(files: Sequence[Path]) -> tuple[str, ...]:
    """Return the sentences of all files, each once."""
    from skills.formats import read_sentences

    return tuple(dict.fromkeys(sentence for path in files for sentence in read_sentences(path)))


def _pairs(
    sentences: Sequence[str], rates: CorruptionRates, seed: int, copies: int, *, quiet: bool
) -> Iterator[CorrectedSentence]:
    """Yield different pairs; every copy has a seed of its own."""
    from skills.corruption import corrupt as corrupted

    seen: set[CorrectedSentence] = set()
    for copy in range(copies):
        shown = sentences if quiet else _shown(sentences, f"copy {copy + 1} of {copies}")
        for pair in corrupted(shown, rates, seed=seed + copy):
            if pair not in seen:
                seen.add(pair)
                yield pair


def _shown(sentences: Sequence[str], what: str) -> Iterator[str]:
    """Yield the sentences; show on standard error how many are done, unless it is a matter of a second."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(sentences, what, console=Console(stderr=True))
        return
    for number, sentence in enumerate(sentences, start=1):
        yield sentence
        tenth, rest = divmod(number * _LINES, len(sentences))
        if len(sentences) >= _MANY and rest < _LINES:
            print_message(f"{what}: {100 * tenth // _LINES} % ({number:,} of {len(sentences):,} sentences)")


@contextmanager
def _replacing(path: Path) -> Iterator[IO[str]]:
    """Open a file that takes the path's place once it is whole; until then the path is as it was."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): check the path and its permissions", field="out"
        ) from error
    finally:
        part.unlink(missing_ok=True)
