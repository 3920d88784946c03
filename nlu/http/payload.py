"""Messages that say themselves what they mean, such as the payloads of Rasa's buttons.

Rasa asks no pipeline, and so nobody else, when `nlu: url:` is set.
"""

from __future__ import annotations

import re
from typing import Any

import pydantic_core

from nlu.http.messages import Entity, Intent, ParseAnswer

EXTRACTOR = "RegexMessageHandler"  # as Rasa's own decoder signs

_PAYLOAD = re.compile(r"/(?P<intent>[^{@]+)(?P<confidence>@[0-9.]+)?(?P<entities>\{.+\})?")


def read_payload(text: str) -> ParseAnswer | None:
    """Return what `/intent@0.9{"entity": "value"}` says as Rasa reads it; None of any other text."""
    match = _PAYLOAD.match(text)
    if match is None:
        return None
    intent = Intent(name=match["intent"].strip(), confidence=_confidence(match["confidence"]))
    start, end = match.span("entities")
    entities = [
        Entity(entity=name, start=start, end=end, value=value, extractor=EXTRACTOR)
        for name, values in _entities(match["entities"]).items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return ParseAnswer(
        text=text, intent=intent, entities=entities, intent_ranking=[intent], response_selector={}
    )


def _confidence(written: str | None) -> float:
    if written is None:
        return 1.0
    try:
        return min(float(written[1:]), 1.0)
    except ValueError:
        return 0.0


def _entities(written: str | None) -> dict[str, Any]:
    """Return the entities; what is not a JSON object has none, as in Rasa."""
    try:
        found = pydantic_core.from_json(written or "{}", allow_inf_nan=False)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
