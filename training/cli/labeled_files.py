"""Data files as the command line names them: several, of any format, for skills of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from skills.errors import DataError, InputError
from skills.skill import OUT_OF_SCOPE_LABEL, SkillKind

if TYPE_CHECKING:
    from skills.correction import CorrectedSentence
    from skills.formats import PhraseKind, PhraseList
    from skills.formats.rasa_unused import Unused
    from skills.training_data import Row, TrainingData
    from skills.utterance import Utterance

Skipped = tuple[DataError, ...]  # bad rows that were left out
Rows = tuple["tuple[Utterance, ...]", Skipped]
Sentences = tuple["tuple[CorrectedSentence, ...]", Skipped]

_SHOWN = 5  # bad rows in a warning
_SHOWN_UNUSED = 20  # lines; JSON has all


@dataclass(frozen=True)
class SlotRows:
    """Utterances with slots, and the lists of phrases that Rasa files hold beside them."""

    utterances: tuple[Utterance, ...]
    skipped: Skipped
    phrases: tuple[PhraseList, ...]


@dataclass(frozen=True)
class LabeledFiles:
    """Files of labeled rows; `columns` as in `Columns.parse`, for CSV and TSV files of intents."""

    paths: tuple[Path, ...]
    columns: str | None = None
    skip_bad_rows: bool = False

    def training_data(
        self,
        kind: SkillKind,
        *,
        dev: Sequence[Path] = (),
        oos: Sequence[Path] = (),
        slot_types: Path | None = None,
        labels: Path | None = None,
    ) -> tuple[TrainingData, Skipped]:
        """Return what a skill is trained on, and the bad rows that were left out.

        Args:
            kind: of the skill.
            dev: files of held-out rows; without, a share of the others is held out.
            oos: files of out-of-scope utterances, for intents.
            slot_types: TOML file that says what values of slots resolve to.
            labels: file that describes labels of intents in words.

        Raises:
            DataError: a file cannot be read, or a row is bad and bad rows are not skipped.
            InputError: as `read`; or there are more rows or labels than are allowed.
        """
        from skills.formats import read_labels
        from skills.resolution import read_schema
        from skills.training_data import TrainingData

        schema = {} if slot_types is None else read_schema(slot_types)
        train, skipped, phrases = self._read_kind(kind, self.paths)
        outside, outside_skipped = self.read_out_of_scope(oos)
        held_out, dev_skipped, _ = self._read_kind(kind, dev) if dev else (None, (), ())
        described = {} if labels is None else read_labels(labels)
        data = TrainingData(kind, (*train, *outside), held_out, phrases, schema, described)
        return data, (*skipped, *outside_skipped, *dev_skipped)

    def unused(self, data: TrainingData) -> list[Unused]:
        """Return what of Rasa's files no skill learns, or not one on this data.

        Raises:
            DataError: a file cannot be read.
        """
        from skills.formats.rasa_unused import unused_parts
        from skills.resolution import unused_phrases
        from skills.utterance import Utterance

        rows = [row for row in data.train if isinstance(row, Utterance)]
        left_out = {(each.kind, each.name) for each in unused_phrases(rows, data.phrases, data.slot_types)}

        def reason(kind: PhraseKind, name: str) -> str:
            if data.kind not in (SkillKind.SLOTS, SkillKind.JOINT):
                return f"a skill of kind {data.kind} has no slots"
            return "no row has a slot that it is of" if (kind, name) in left_out else ""

        return [each for path in self.paths for each in unused_parts(path, reason)]

    def _read_kind(
        self, kind: SkillKind, paths: Sequence[Path]
    ) -> tuple[tuple[Row, ...], Skipped, tuple[PhraseList, ...]]:
        if kind is SkillKind.INTENT:
            return *self.read(paths), ()
        if kind is SkillKind.GRAMMAR:
            return *self.read_corrections(paths), ()
        found = self.read_slots(paths)
        return found.utterances, found.skipped, found.phrases

    def read(self, paths: Sequence[Path] | None = None) -> Rows:
        """Return the rows of all files, or of others that are laid out like them, in order.

        What a Rasa file marks in them is left out: they are rows of intents.

        Raises:
            DataError: a file cannot be read, or a row is bad and bad rows are not skipped.
            InputError: columns are not well-formed, or no file has any.
        """
        from skills.formats import Columns, read_intents
        from skills.formats.delimited import DELIMITERS

        columns = Columns.parse(self.columns) if self.columns else None
        delimited = {path for path in (*self.paths, *(paths or ())) if path.suffix.lower() in DELIMITERS}
        if columns is not None and not delimited:
            raise InputError(
                "--columns is for .csv and .tsv files, and none is given: leave it out", field="columns"
            )
        rows: list[Utterance] = []
        skipped: list[DataError] = []
        for path in self.paths if paths is None else paths:
            found = read_intents(
                path, columns=columns if path in delimited else None, skip_bad_rows=self.skip_bad_rows
            )
            rows += [replace(row, entities=()) if row.entities else row for row in found.utterances]
            skipped += found.skipped
        return tuple(rows), tuple(skipped)

    def read_out_of_scope(self, paths: Sequence[Path]) -> Rows:
        """Return the rows of files that hold out-of-scope utterances only.

        Raises:
            DataError: as `read`; or a row has the label of an intent.
        """
        rows, skipped = self.read(paths)
        for row in rows:
            if row.intent != OUT_OF_SCOPE_LABEL:
                raise DataError(
                    f"intent is {row.intent!r} in a file of out-of-scope rows: label it "
                    f"{OUT_OF_SCOPE_LABEL}, or give the file as --data",
                    file=row.file,
                    row=row.row,
                    field="intent",
                )
        return rows, skipped

    def read_slots(self, paths: Sequence[Path] | None = None) -> SlotRows:
        """Return the rows with slots of all files, or of others, in order.

        Raises:
            DataError: a file cannot be read, or a row is bad and bad rows are not skipped.
        """
        from skills.formats import read_slots

        found = [
            read_slots(path, skip_bad_rows=self.skip_bad_rows)
            for path in (self.paths if paths is None else paths)
        ]
        return SlotRows(
            utterances=tuple(row for each in found for row in each.utterances),
            skipped=tuple(error for each in found for error in each.skipped),
            phrases=tuple(phrase for each in found for phrase in each.phrases),
        )

    def read_corrections(self, paths: Sequence[Path] | None = None) -> Sentences:
        """Return the sentences of all files, or of others, in order.

        Raises:
            DataError: as `read_slots`.
        """
        from skills.formats import read_corrections

        found = [
            read_corrections(path, skip_bad_rows=self.skip_bad_rows)
            for path in (self.paths if paths is None else paths)
        ]
        return (
            tuple(sentence for each in found for sentence in each.sentences),
            tuple(error for each in found for error in each.skipped),
        )


def unused_lines(unused: Sequence[Unused]) -> list[str]:
    """Return a line for each part that was not used, the first ones of many."""
    more = [f"and {len(unused) - _SHOWN_UNUSED:,} more"] if len(unused) > _SHOWN_UNUSED else []
    return [*map(str, unused[:_SHOWN_UNUSED]), *more]


def skip_warnings(skipped: Skipped) -> list[str]:
    """Return the warning about bad rows that were left out, none if there are none."""
    more = [f"and {len(skipped) - _SHOWN:,} more"] if len(skipped) > _SHOWN else []
    lines = [*map(str, skipped[:_SHOWN]), *more]
    return [f"bad rows, skipped ({len(skipped):,}): {'; '.join(lines)}"] if skipped else []
