"""Slot types from what the training data says: resolved values, synonyms, lookup tables, regexes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from skills.errors import InputError
from skills.formats.phrases import PhraseKind, PhraseList
from skills.resolution.closed_list import exact_key
from skills.resolution.slot_type import SlotSchema, SlotType, ValueKind
from skills.utterance import Utterance


@dataclass
class _Seen:
    """What the data says about the values of a slot."""

    said: set[str] = field(default_factory=set)  # keys of all that was marked, and of all values
    resolved: Counter[tuple[str, str]] = field(default_factory=Counter)  # (text, value) where they differ


def schema_from_data(
    utterances: Sequence[Utterance], phrases: Sequence[PhraseList], given: SlotSchema
) -> dict[str, SlotType]:
    """Return the given slot types, with values and patterns of the data added.

    Values are added to slots of kind text and list only: what "tomorrow" was resolved to is no synonym of it.
    A lookup table or a regex belongs to the slot of its name, a synonym to the slots that have its value or
    one of its phrases. What is given comes first; where rows disagree, the more frequent value wins.

    Raises:
        InputError: a type is given for a slot that no row has, or a regex of the data is not valid.
    """
    seen = _seen(utterances)
    if unknown := sorted(set(given) - set(seen)):
        raise InputError(
            f"slot types name {unknown[0]!r}, which no row has: known are {', '.join(sorted(seen))}",
            field="slot_types",
        )
    schema = {}
    for slot in sorted(seen):
        slot_type = _with_phrases(slot, given.get(slot, SlotType()), seen[slot], phrases)
        if slot in given or slot_type != SlotType():
            schema[slot] = slot_type
    return schema


def unused_phrases(
    utterances: Sequence[Utterance], phrases: Sequence[PhraseList], given: SlotSchema
) -> list[PhraseList]:
    """Return the phrases that `schema_from_data` has no use for, because they are of no slot."""
    seen = _seen(utterances)
    said = {key for slot in seen.values() for key in slot.said}
    said |= {
        exact_key(each)
        for slot_type in given.values()
        for pair in slot_type.values.items()
        for each in (pair[0], *pair[1])
    }
    said |= {
        exact_key(phrase)
        for each in phrases
        if each.kind is PhraseKind.LOOKUP and each.name in seen
        for phrase in each.phrases
    }
    unused = []
    for each in phrases:
        keys = {exact_key(phrase) for phrase in (each.name, *each.phrases)}
        if each.kind is PhraseKind.SYNONYM and not keys.isdisjoint(said):
            said |= keys
        elif each.kind is PhraseKind.SYNONYM or each.name not in seen:
            unused.append(each)
    return unused


def _seen(utterances: Sequence[Utterance]) -> Mapping[str, _Seen]:
    seen: dict[str, _Seen] = defaultdict(_Seen)
    for row in utterances:
        for each in row.entities:
            text = row.text[each.start : each.end]
            slot = seen[each.slot]
            slot.said |= {exact_key(text), exact_key(each.value)}
            if exact_key(text) != exact_key(each.value):
                slot.resolved[text, each.value] += 1
    return seen


def _with_phrases(slot: str, start: SlotType, seen: _Seen, phrases: Sequence[PhraseList]) -> SlotType:
    of_slot = [each for each in phrases if each.name == slot]
    patterns = [phrase for each in of_slot if each.kind is PhraseKind.REGEX for phrase in each.phrases]
    slot_type = replace(start, patterns=tuple(dict.fromkeys((*start.patterns, *patterns))))
    if start.kind not in (ValueKind.TEXT, ValueKind.LIST):
        return slot_type
    values = _Values(start.values)
    for each in of_slot:
        if each.kind is PhraseKind.LOOKUP:
            values.add_all((phrase, phrase) for phrase in each.phrases)
    for each in phrases:
        if each.kind is PhraseKind.SYNONYM and values.concern(each, seen):
            values.add_all([(each.name, each.name), *((phrase, each.name) for phrase in each.phrases)])
    values.add_all(pair for pair, _ in seen.resolved.most_common())
    return replace(slot_type, values=values.by_value())


class _Values:
    """Values with synonyms in the making: what was said first keeps its value."""

    def __init__(self, start: Mapping[str, tuple[str, ...]]) -> None:
        self._synonyms: dict[str, list[str]] = {}
        self._owners: dict[str, str] = {}  # value by key of all that means it
        for value, synonyms in start.items():
            self.add_all([(value, value), *((said, value) for said in synonyms)])

    def add_all(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Add (what is said, value) pairs; a value that means another one stands for that."""
        for said, value in pairs:
            if exact_key(said) and exact_key(value):
                self._add(said, self._owners.setdefault(exact_key(value), value))

    def concern(self, synonyms: PhraseList, seen: _Seen) -> bool:
        """Whether a list of synonyms has a value or a phrase of the slot."""
        keys = {exact_key(each) for each in (synonyms.name, *synonyms.phrases)}
        return not keys.isdisjoint(seen.said | self._owners.keys())

    def by_value(self) -> dict[str, tuple[str, ...]]:
        """Return synonyms by value."""
        return {value: tuple(synonyms) for value, synonyms in self._synonyms.items()}

    def _add(self, said: str, value: str) -> None:
        synonyms = self._synonyms.setdefault(value, [])
        if exact_key(said) not in self._owners:
            self._owners[exact_key(said)] = value
            synonyms.append(said)
