"""From the service's answer to what Rasa reads in a message: plain dictionaries, free of NumPy."""

from __future__ import annotations

from typing import Any, Dict

from nlu.client_errors import ClientError
from nlu.client_types import Intent, Outcome, ParseResult, SkillResult, Slot

FALLBACK_INTENT = "nlu_fallback"  # as Rasa's FallbackClassifier names it
FAILED = "failed"  # the outcome when there is no answer

Dictionary = Dict[str, Any]


def ranking_of(result: ParseResult | None, length: int) -> list[Dictionary]:
    """Return the intents of all skills, best first; Rasa's intent is the first of them.

    That is `nlu_fallback` when nothing matched, as if FallbackClassifier had put it there; its confidence of
    1 keeps that classifier from doing so again. A retrieval intent such as `faq/opening` is `faq`, as
    in stories and rules; see `selected_response`.
    """
    answers = _intent_answers(result)
    answers = [answer for answer in answers if answer.intent] or answers  # others would outbid them
    best: dict[str, float] = {}
    for answer in answers:
        for intent in answer.ranking:
            story_name = _story_name(intent.name)
            best[story_name] = max(intent.confidence, best.get(story_name, 0.0))
    ranking = [_intent(name, best[name]) for name in sorted(best, key=lambda name: -best[name])]
    chosen = _chosen(result)
    name = None if chosen is None else _story_name(chosen.name)
    first = _intent(FALLBACK_INTENT, 1.0) if name is None else _intent(name, best[name])
    return [first, *(each for each in ranking if each["name"] != first["name"])][:length]


def selected_response(result: ParseResult | None) -> Dictionary:
    """Return what Rasa's ResponseSelector would say: by which response `utter_faq` answers `faq/opening`.

    Nothing if the intent is no retrieval intent.
    """
    chosen = _chosen(result)
    if chosen is None or _story_name(chosen.name) == chosen.name:
        return {}
    prediction = {
        "responses": [],
        "confidence": chosen.confidence,
        "intent_response_key": chosen.name,
        "utter_action": f"utter_{chosen.name}",
    }
    intent = _story_name(chosen.name)
    return {"all_retrieval_intents": [intent], intent: {"response": prediction, "ranking": []}}


def entities_of(result: ParseResult | None) -> list[Dictionary]:
    """Return the slots of all skills in the order of the text; what two skills say alike is there once."""
    found: dict[Any, Slot] = {}
    for answer in result.results if result else ():
        for slot in answer.slots:
            key = (slot.start, slot.end, slot.name, slot.role, slot.group)
            if key not in found or found[key].confidence < slot.confidence:
                found[key] = slot
    return [_entity(found[key]) for key in sorted(found)]


def summary_of(result: ParseResult | None, error: ClientError | None) -> Dictionary:
    """Return what Rasa has no place for: the outcome, which versions answered, the corrected text."""
    if result is None:
        return {"outcome": FAILED if error else Outcome.EMPTY_INPUT.value, **_reason(error)}
    summary: Dictionary = {
        "outcome": _outcome(result).value,
        "skills": [f"{each.skill.name}@{each.skill.version}" for each in result.results],
        "request_id": result.request_id,
    }
    if result.corrected_text:
        summary["corrected_text"] = result.corrected_text
    return summary


def _chosen(result: ParseResult | None) -> Intent | None:
    """Return the intent of the skill that is the most confident of those that matched."""
    matched = (answer.intent for answer in _intent_answers(result))
    return max((each for each in matched if each), key=lambda intent: intent.confidence, default=None)


def _story_name(intent: str) -> str:
    """Return what stories call an intent; as Rasa has it, one slash parts it from its response."""
    name, _, key = intent.partition("/")
    return name if name and key and "/" not in key else intent


def _intent_answers(result: ParseResult | None) -> list[SkillResult]:
    return [answer for answer in result.results if answer.ranking] if result else []


def _outcome(result: ParseResult) -> Outcome:
    """Return the outcome of the skill whose intent was chosen, or of the first one if none was."""
    answers = _intent_answers(result) or list(result.results)
    matched = [answer for answer in answers if answer.intent]
    if matched:
        return max(matched, key=lambda answer: answer.ranking[0].confidence).outcome
    return answers[0].outcome if answers else Outcome.UNSPECIFIED


def _reason(error: ClientError | None) -> Dictionary:
    """The kind alone: this goes to whoever may call Rasa, the rest is in the log."""
    return {"reason": type(error).__name__} if error else {}


def _intent(name: str, confidence: float) -> Dictionary:
    return {"name": name, "confidence": confidence}


def _entity(slot: Slot) -> Dictionary:
    entity: Dictionary = {
        "entity": slot.name,
        "start": slot.start,
        "end": slot.end,
        "value": slot.value,
        "raw": slot.raw,
        "confidence_entity": slot.confidence,
    }
    # Rasa compares even an empty role with the role of a slot's mapping, so none is none.
    if slot.role:
        entity["role"] = slot.role
    if slot.group:
        entity["group"] = slot.group
    return entity
