"""What users say, in the log: only where an operator asks for it, masked or plain."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from nlu.observer import Answered, Observer
from nlu.reader import Reading

_TELLING = re.compile(r"\S*@\S*|\d")  # addresses; numbers of phones, cards, houses

logger = logging.getLogger(__name__)


class UtteranceLog(Observer):
    """Writes a line for each utterance that was answered."""

    def __init__(self, mode: str) -> None:
        self._masks = mode != "plain"

    def answered(self, answer: Answered) -> None:
        text = masked(answer.request.text, answer.reading) if self._masks else answer.request.text
        fields = {"utterance": text, "utterance_id": answer.request.request_id}
        logger.info("said: %r", text, extra=fields)  # a line break in it begins no new line


def masked(text: str, reading: Reading) -> str:
    """Return a text with its slots, as far as skills found them, its digits and its addresses replaced.

    A name that no skill takes for a slot stays: this makes logs harmless in most cases, not in all.
    """
    parts, end = [], 0
    for start, stop, slot in sorted(_slots(reading)):
        if start >= end:
            parts += [_TELLING.sub("#", text[end:start]), f"[{slot}]"]
        end = max(end, stop)
    return "".join([*parts, _TELLING.sub("#", text[end:])])


def _slots(reading: Reading) -> Iterator[tuple[int, int, str]]:
    for result in reading.results:
        if result.slots is not None:
            yield from ((slot.start, slot.end, slot.label.slot) for slot in result.slots.slots)
