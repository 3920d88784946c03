"""Readers of labeled utterances, of corrected sentences and of plain ones."""

from skills.formats.columns import Columns
from skills.formats.corrections import CorrectionsRead, read_corrections
from skills.formats.labels import read_labels
from skills.formats.phrases import PhraseKind, PhraseList
from skills.formats.reader import ReadResult, read_intents, read_slots
from skills.formats.sentences import read_sentences

__all__ = [
    "Columns",
    "CorrectionsRead",
    "PhraseKind",
    "PhraseList",
    "ReadResult",
    "read_corrections",
    "read_intents",
    "read_labels",
    "read_sentences",
    "read_slots",
]
