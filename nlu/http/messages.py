"""What travels as JSON, in the words of Rasa 3.6."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field, JsonValue

from nlu.client_wire import read_result
from nlu.rasa.answer import entities_of, ranking_of, selected_response, summary_of
from nlu.wire import write_result
from skills.parse import ParseResult

RASA_VERSION = "3.6.21"  # whose API this is, and with which it is tested
RANKING = 10  # intents, as of Rasa's own classifiers
EXTRACTOR = "SoftspokenNLU"  # as the component of nlu.rasa signs


class ParseBody(BaseModel):
    """One message of a user."""

    text: str = Field(description="At most 2,000 characters; `/intent{...}` is taken at its word.")
    message_id: str | None = Field(
        None, description="Of the conversation, as Rasa sends it: its messages meet one version of a skill."
    )
    token: str | None = Field(None, description="Where Rasa puts the token of endpoints.yml.")


class Intent(BaseModel):
    """A label and the calibrated probability that it is right."""

    name: str
    confidence: float


class Entity(BaseModel):
    """A value that was found; offsets are in Unicode code points of the answer's text."""

    entity: str
    start: int
    end: int
    value: JsonValue
    raw: str = ""
    confidence_entity: float = 1.0
    role: str = ""
    group: str = ""
    extractor: str


class ParseAnswer(BaseModel):
    """What a message means; `softspoken` has the outcome, the versions that answered and the request id."""

    text: str = Field(description="The message without spaces around it.")
    intent: Intent = Field(description="nlu_fallback if the message is out of scope.")
    entities: list[Entity]
    intent_ranking: list[Intent]
    response_selector: dict[str, Any]
    softspoken: dict[str, Any] = {}


class VersionAnswer(BaseModel):
    """The Rasa whose API is answered."""

    version: str
    minimum_compatible_version: str


class StatusAnswer(BaseModel):
    """What Rasa tells of its model: here, the live versions, and an id that changes with the catalog."""

    model_file: str
    model_id: str
    num_active_training_jobs: int


class HealthAnswer(BaseModel):
    """Messages are answered."""

    status: Literal["ok"]


class Failure(BaseModel):
    """Why there is no answer."""

    version: str = RASA_VERSION
    status: Literal["failure"] = "failure"
    message: str
    reason: str
    details: dict[str, str]
    help: str | None = None
    code: int


def answer_of(text: str, result: ParseResult) -> ParseAnswer:
    """Return the answer to `text`, the same as the component in a Rasa pipeline gives."""
    seen = read_result(write_result(result))  # what the component gets over gRPC
    ranking = [Intent(**each) for each in ranking_of(seen, RANKING)]
    return ParseAnswer(
        text=text,
        intent=ranking[0],
        entities=[Entity(**each, extractor=EXTRACTOR) for each in entities_of(seen)],
        intent_ranking=ranking,
        response_selector=selected_response(seen),
        softspoken=summary_of(seen, None),
    )
