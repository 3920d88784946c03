"""The description of the API, for programs that make clients of it."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from nlu.http.messages import (
    RASA_VERSION,
    Failure,
    HealthAnswer,
    ParseAnswer,
    ParseBody,
    StatusAnswer,
    VersionAnswer,
)

_MODELS = (ParseBody, ParseAnswer, StatusAnswer, VersionAnswer, HealthAnswer, Failure)
_TOKEN: list[dict[str, list[str]]] = [{}, {"token": []}]  # needed only where the server was given one


@cache
def openapi() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    parse = _operation("What a message means, by all live skills", ParseAnswer, security=_TOKEN)
    parse["requestBody"] = {"required": True, "content": _content(ParseBody)}
    skills = {
        "name": "skills",
        "in": "path",
        "required": True,
        "description": "Those to ask, with commas: banking,travel@3,weather@candidate",
        "schema": {"type": "string"},
    }
    some = parse | {"summary": "What a message means, by these skills", "parameters": [skills]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Softspoken: Rasa's NLU HTTP API", "version": RASA_VERSION},
        "paths": {
            "/model/parse": {"post": parse},
            "/skills/{skills}/model/parse": {"post": some},
            "/status": {"get": _operation("The live skills", StatusAnswer, security=_TOKEN)},
            "/version": {"get": _operation("The version of Rasa's API", VersionAnswer)},
            "/healthz": {"get": _operation("Whether messages are answered", HealthAnswer)},
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "apiKey", "in": "query", "name": "token"}},
        },
    }


def _operation(summary: str, answer: type[BaseModel], **more: Any) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": answer.__doc__, "content": _content(answer)},
            "default": {"description": Failure.__doc__, "content": _content(Failure)},
        },
        **more,
    }


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
