"""Corrected sentences made ready for training: checked, freed of duplicates, split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from skills.correction import CorrectedSentence
from skills.errors import InputError
from skills.split import DEV_SHARE, held_out

_SHOWN = 5  # examples in a warning


@dataclass(frozen=True)
class CorrectionDataset:
    """Rows to train on and held-out rows; no text, and no correct sentence, is on both sides."""

    train: tuple[CorrectedSentence, ...]
    dev: tuple[CorrectedSentence, ...]

    def sha256(self) -> str:
        """Return the SHA-256 of all texts and corrections; the same however they were split."""
        digest = hashlib.sha256()
        for text, corrections in sorted((row.text, row.corrections) for row in (*self.train, *self.dev)):
            digest.update(json.dumps([text, *corrections], separators=(",", ":")).encode() + b"\n")
        return digest.hexdigest()


def build_corrections(
    train: Sequence[CorrectedSentence],
    dev: Sequence[CorrectedSentence] | None = None,
    *,
    dev_share: float = DEV_SHARE,
    seed: int,
) -> tuple[CorrectionDataset, list[str]]:
    """Make a data set, and say in plain words what is doubtful about the data.

    Rows with the same text become one with all their corrections. Without held-out rows, `dev_share` of the
    sentences are held out, drawn by `seed`; all errors made of one sentence go to the same side. Training
    rows of a sentence that is also held out are dropped.

    Raises:
        InputError: the data cannot be trained on: no rows, none with an error; or the share is out of bounds.
    """
    kept, warnings = _merged(train)
    if dev is None:
        kept, held = _split(kept, dev_share, seed)
    else:
        held, more = _merged(dev)
        known = {*_sentences(held), *(row.text for row in held)}
        leaked = [row for row in kept if not known.isdisjoint({row.text, *row.corrections})]
        kept = [row for row in kept if known.isdisjoint({row.text, *row.corrections})]
        warnings += more + _listed("training rows of sentences that are also held out, dropped", leaked)
    _check(kept, held)
    if all(not row.is_right for row in kept):
        warnings.append(
            "no training row is right as it is, so the skill will change right sentences, too: add rows that "
            "have themselves as their correction, as softspoken corrupt makes them with --clean"
        )
    return CorrectionDataset(tuple(kept), tuple(held)), warnings


def _merged(rows: Sequence[CorrectedSentence]) -> tuple[list[CorrectedSentence], list[str]]:
    """Return one row for each text, and warnings about the others."""
    first: dict[str, CorrectedSentence] = {}
    repeats, merged = [], []
    for row in rows:
        earlier = first.setdefault(row.text, row)
        if earlier is row:
            continue
        if {*row.corrections} <= {*earlier.corrections}:
            repeats.append(row)
        else:
            merged.append(row)
            both = dict.fromkeys((*earlier.corrections, *row.corrections))
            first[row.text] = replace(earlier, corrections=tuple(both))
    warnings = _listed("duplicate rows, dropped", repeats)
    warnings += _listed("rows with the text of another row but other corrections, joined with it", merged)
    return list(first.values()), warnings


def _split(
    rows: list[CorrectedSentence], dev_share: float, seed: int
) -> tuple[list[CorrectedSentence], list[CorrectedSentence]]:
    """Return training and held-out rows, each in the order given, by correct sentence."""
    sentences = list(dict.fromkeys(_sentences(rows)))
    one, sure = [""] * len(sentences), [False] * len(sentences)
    held = {sentences[place] for place in held_out(one, sure, dev_share=dev_share, seed=seed)}
    return (
        [row for row in rows if row.corrections[0] not in held],
        [row for row in rows if row.corrections[0] in held],
    )


def _sentences(rows: Iterable[CorrectedSentence]) -> Iterable[str]:
    return (row.corrections[0] for row in rows)


def _check(train: Sequence[CorrectedSentence], dev: Sequence[CorrectedSentence]) -> None:
    if not train:
        raise InputError("no training rows: add sentences and their corrections", field="data")
    if all(row.is_right for row in train):
        raise InputError(
            f"none of {len(train):,} training rows has an error: add rows with a correction that differs",
            field="data",
        )
    if not dev:
        raise InputError("no held-out rows: add rows of at least one more sentence", field="dev")


def _listed(what: str, rows: Sequence[CorrectedSentence]) -> list[str]:
    if not rows:
        return []
    more = f" (and {len(rows) - _SHOWN:,} more)" if len(rows) > _SHOWN else ""
    return [f"{what} ({len(rows):,}): {', '.join(row.place for row in rows[:_SHOWN])}{more}"]
