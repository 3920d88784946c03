"""What the dialog has just asked for, as slot skills learn it: from the data, and made up.

Questions that the data has are drawn now and then only, as slots must be found without them, too. Rows that
have none are given one now and then, seldom a wrong one. And a value alone is an answer to a question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from skills.slot import SlotLabel
from skills.utterance import Entity, Utterance
from training.config import Contexts, SlotConfig
from training.example import Example
from training.slot_objective import spans


def learns_contexts(rows: Sequence[Utterance], names: Sequence[str], config: SlotConfig) -> bool:
    """Whether a skill with these slots is to learn from expected slots."""
    if config.contexts is Contexts.AUTO:
        return any(name in names for row in rows for name in row.expected_slots)
    return config.contexts is Contexts.ON


@dataclass(frozen=True)
class ContextDraw:
    """Draws the context that a row is learned with this time.

    Args:
        names: how many slots can be expected; without any, nothing is drawn.
        slot_of: for each label, which of them it is a value of.
        config: the shares.
    """

    names: int
    slot_of: tuple[int, ...]
    config: SlotConfig

    def __call__(self, example: Example, generator: np.random.Generator) -> Example:
        """Return the row with its context, without one, or with an invented one."""
        if not self.names or example.bare:
            return example
        if example.expected:
            kept = generator.random() < self.config.context_share
            return example if kept else replace(example, expected=())
        if generator.random() < self.config.invented_share:
            return replace(example, expected=self._invented(example, generator))
        return example

    def _invented(self, example: Example, generator: np.random.Generator) -> tuple[int, ...]:
        own = {self.slot_of[label] for _, _, label in spans(example.tags)}
        others = set(range(self.names)) - own
        choice = sorted(others if generator.random() < self.config.misleading_share else own)
        return (choice[generator.integers(len(choice))],) if choice else ()


def bare_answers(
    rows: Sequence[Utterance], labels: Sequence[SlotLabel], config: SlotConfig
) -> list[Utterance]:
    """Return values of the rows as utterances of their own, each with its slot expected; drawn by the seed.

    In which role a bare value is depends on the question: of a slot with roles, only values without one are
    taken.
    """
    of_slot = Counter(label.slot for label in labels)
    values = {
        (row.text[each.start : each.end], each.label)
        for row in rows
        for each in row.entities
        if of_slot[each.slot] == 1 or each.label == SlotLabel(each.slot)
    }
    ordered = sorted(values)
    generator = np.random.default_rng(config.seed)
    picked = generator.permutation(len(ordered))[: round(config.bare_share * len(rows))]
    return [_bare(*ordered[place]) for place in sorted(picked.tolist())]


def _bare(text: str, label: SlotLabel) -> Utterance:
    entity = Entity(label.slot, 0, len(text), text, label.role, label.group)
    return Utterance(text, "", entities=(entity,), expected_slots=(label.slot,))
