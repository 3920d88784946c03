"""How one skill's answer looks in a table: coloured on a terminal, plain text in a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from nlu.client_types import Grammar, Outcome, SimilarUtterance, SkillResult, Slot
from training.cli.output import cell, percent

OUTCOME_STYLES = {
    Outcome.MATCHED: "bold green",
    Outcome.AMBIGUOUS: "yellow",
    Outcome.OUT_OF_SCOPE: "magenta",
    Outcome.EMPTY_INPUT: "dim",
}
_SLOT_COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_red", "bright_cyan", "bright_green")
_DELETED, _INSERTED = "red strike", "green"
_BAR = 12  # characters of a bar at 100 %
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def utterance_cell(text: str, answer: SkillResult, *, colours: bool) -> Text:
    """Return the utterance, on a terminal with its slots in the colours of `answer_cell`."""
    marked = cell(text)
    for slot in answer.slots if colours else ():
        marked.stylize(_slot_style(slot, answer.slots) + Style(underline=True), slot.start, slot.end)
    return marked


def answer_cell(text: str, answer: SkillResult, *, colours: bool) -> Text:
    """Return what the skill says: a ranking and what it resembles, slots, a correction as a word diff."""
    parts: list[Text] = []
    if answer.ranking:
        parts.append(_bars(answer) if colours else _ranking(answer))
    if answer.similar:
        parts.append(_similar(answer.similar, colours=colours))
    if answer.slots:
        parts.append(_legend(answer.slots, colours=colours))
    if answer.grammar is not None and answer.outcome is not Outcome.EMPTY_INPUT:
        parts.append(_diff(text, answer.grammar, colours=colours))
    return Text("\n" if colours else "; ").join(parts)


def _bars(answer: SkillResult) -> Text:
    style = OUTCOME_STYLES.get(answer.outcome, "")
    lines = [
        Text.assemble((_bar(each.confidence), style), f" {percent(each.confidence):>7}  ", cell(each.name))
        for each in answer.ranking
    ]
    return Text("\n").join(lines)


def _bar(share: float) -> str:
    full, eighths = divmod(round(share * _BAR * 8), 8)
    return ("█" * full + _EIGHTHS[eighths] * (full < _BAR)).ljust(_BAR)


def _ranking(answer: SkillResult) -> Text:
    return cell(", ".join(f"{each.name} {each.confidence:.3f}" for each in answer.ranking))


def _similar(similar: Sequence[SimilarUtterance], *, colours: bool) -> Text:
    lines = [
        Text.assemble(
            cell(f"{each.similarity:.3f} like ", "dim"), cell(repr(each.text)), cell(f" {each.intent}", "dim")
        )
        for each in similar
    ]
    return Text("\n" if colours else ", ").join(lines)


def _legend(slots: Sequence[Slot], *, colours: bool) -> Text:
    lines = [
        Text.assemble(
            (cell(_label(slot)).plain, _slot_style(slot, slots)),
            cell(f"={slot.value} {_confidence(slot.confidence, colours=colours)}"),
        )
        for slot in slots
    ]
    return Text("\n" if colours else ", ").join(lines)


def _label(slot: Slot) -> str:
    return ":".join((slot.name, slot.role, slot.group)).rstrip(":")


def _slot_style(slot: Slot, slots: Sequence[Slot]) -> Style:
    """Return a colour that all slots of one label have, and no other among the first eight."""
    labels = list(dict.fromkeys(map(_label, slots)))
    return Style(color=_SLOT_COLOURS[labels.index(_label(slot)) % len(_SLOT_COLOURS)])


def _diff(text: str, grammar: Grammar, *, colours: bool) -> Text:
    """Return the text with its edits, written as wdiff does where colours cannot show them."""
    if not grammar.edits:
        return cell(f"grammatical {_confidence(grammar.confidence, colours=colours)}")
    diff, position = Text(), 0
    for edit in grammar.edits:
        old, new = cell(text[edit.start : edit.end], _DELETED), cell(edit.replacement, _INSERTED)
        if not colours:
            old = Text(f"[-{old.plain}-]" if old else "")
            new = Text(f"{{+{new.plain}+}}" if new else "")
        diff = Text.assemble(diff, cell(text[position : edit.start]), old, new)
        position = edit.end
    verdict = f" (not grammatical {_confidence(1 - grammar.confidence, colours=colours)})"
    return Text.assemble(diff, cell(text[position:]), verdict)


def _confidence(value: float, *, colours: bool) -> str:
    return percent(value) if colours else f"{value:.3f}"
