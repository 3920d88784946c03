"""Readers of labeled utterances."""

from skills.formats.columns import Columns
from skills.formats.phrases import PhraseKind, PhraseList
from skills.formats.reader import ReadResult, read_intents, read_slots

__all__ = ["Columns", "PhraseKind", "PhraseList", "ReadResult", "read_intents", "read_slots"]
