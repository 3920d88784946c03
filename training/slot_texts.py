"""The texts of a data set of slots as the encoder's rows, and its utterances as examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nlu.backbone import Backbone
from nlu.tokens import Tokens, tokenise
from nlu.words import Words, words
from skills.slot import SlotLabel
from skills.utterance import Entity, Utterance
from training.example import OUTSIDE, Example


class SlotTexts:
    """Every text once, in one list that the encoder's rows follow.

    Args:
        backbone: its tokeniser.
        texts: of all utterances, and whatever else the encoder is to see.
        labels: what slots are tagged as.
        names: the slots that a dialog can expect.
        intents: the labels of a joint skill; other intents are none.
    """

    def __init__(
        self,
        backbone: Backbone,
        texts: Iterable[str],
        *,
        labels: Sequence[SlotLabel],
        names: Sequence[str] = (),
        intents: Sequence[str] = (),
    ) -> None:
        self.all = list(dict.fromkeys(texts))
        self.tokens: list[Tokens] = [tokenise(backbone, text) for text in self.all]
        self._place = {text: place for place, text in enumerate(self.all)}
        self._labels = {label: index for index, label in enumerate(labels)}
        self._names = {name: index for index, name in enumerate(names)}
        self._intents = {intent: index for index, intent in enumerate(intents)}

    def place(self, text: str) -> int:
        """Return where a text is in the list."""
        return self._place[text]

    def words(self, place: int) -> Words:
        """Return the words of a text."""
        return words(self.all[place], self.tokens[place])

    def example(self, row: Utterance, *, bare: bool = False) -> Example:
        """Return an utterance as it is learned and measured."""
        place = self._place[row.text]
        found = self.words(place)
        return Example(
            place=place,
            intent=self._intents.get(row.intent, OUTSIDE),
            first=found.first,
            tags=tags(found, row.entities, self._labels),
            expected=tuple(sorted({self._names[each] for each in row.expected_slots if each in self._names})),
            bare=bare,
        )


def tags(found: Words, entities: Sequence[Entity], labels: dict[SlotLabel, int]) -> tuple[int, ...]:
    """Return the tag of each word, in the order of `nlu.bio`; a word that is only half marked is marked."""
    result = [0] * len(found)
    for entity in entities:
        marked = [
            word
            for word, (start, end) in enumerate(found.spans)
            if start < entity.end and end > entity.start and not result[word]
        ]
        for number, word in enumerate(marked):
            result[word] = 1 + 2 * labels[entity.label] + (number > 0)
    return tuple(result)
