"""The paths of Rasa's NLU HTTP API, and those that an operator wants beside them."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nlu.access import KEY_METADATA, PARSE_METHOD, KeyRing
from nlu.caller import Caller
from nlu.client_wire import write_ref
from nlu.http.boundary import HEALTH, Boundary
from nlu.http.failure import failure_response
from nlu.http.messages import (
    RANKING,
    RASA_VERSION,
    HealthAnswer,
    ParseBody,
    StatusAnswer,
    VersionAnswer,
    answer_of,
)
from nlu.http.openapi import openapi
from nlu.http.payload import read_payload
from nlu.observer import NOBODY, Observer
from nlu.service import Service
from nlu.wire import read_ref
from skills.errors import InputError, UnauthenticatedError
from skills.parse import ParseRequest
from skills.skill import SkillRef

MAX_BODY = 64 << 10  # bytes; 2,000 characters take 24 KB where each is an escaped surrogate pair
SECONDS = 10.0  # for an answer; nobody waits longer for a bot


def make_app(
    running: Callable[[], Service], token: str, keys: KeyRing | None = None, observer: Observer = NOBODY
) -> Starlette:
    """Return the application; `running` raises NotReadyError when there is no service to answer.

    With a token, only callers that send it are answered; else with keys, those that send one of them.
    """
    api = _Api(running, token.encode(), keys)
    return Starlette(
        routes=[
            Route("/model/parse", api.parse, methods=["POST"]),
            Route("/skills/{skills}/model/parse", api.parse, methods=["POST"]),
            Route("/status", api.status),
            Route("/version", api.version),
            Route(HEALTH, api.health),
            Route("/openapi.json", api.openapi),
        ],
        middleware=[Middleware(Boundary, observer)],
        exception_handlers={HTTPException: _refused},
    )


class _Api:
    def __init__(self, running: Callable[[], Service], token: bytes, keys: KeyRing | None) -> None:
        self._running = running
        self._token = token
        self._keys = keys

    async def parse(self, request: Request) -> Response:
        body = await _read_body(request)
        caller = self._authenticate(request, body.token)
        mode = request.query_params.get("emulation_mode")
        if mode:
            raise InputError(
                f"emulation_mode {mode[:40]!r} is not supported: leave it out for Rasa's own form",
                field="emulation_mode",
            )
        asked = ParseRequest(
            text=body.text.strip(),  # as Rasa does, and so its offsets are
            skills=_read_skills(request.path_params.get("skills", "")),
            request_id=request.state.request_id,
            n_best=RANKING,
            session_id=body.message_id or "",
        )
        service = self._running()
        answer = read_payload(asked.text)
        if answer is None:
            deadline = time.monotonic() + SECONDS
            # It waits like an item of a batch: Rasa says nothing where it gets another answer than 200.
            result = await service.parser.parse(asked, deadline=deadline, caller=caller, bulk=True)
            answer = answer_of(asked.text, result)
        return _json(answer)

    async def status(self, request: Request) -> Response:
        caller = self._authenticate(request)
        service = self._running()
        snapshot = caller.view(service.registry.snapshot)
        return _json(
            StatusAnswer(
                model_file=", ".join(f"{each.name}@{each.version}" for each in snapshot.live()),
                model_id=f"{service.backbone.fingerprint[:12]}-{snapshot.revision}",
                num_active_training_jobs=0,  # workers train
            )
        )

    async def version(self, request: Request) -> Response:
        return _json(VersionAnswer(version=RASA_VERSION, minimum_compatible_version=RASA_VERSION))

    async def health(self, request: Request) -> Response:
        self._running()
        return _json(HealthAnswer(status="ok"))

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(openapi())

    def _authenticate(self, request: Request, token: str | None = None) -> Caller:
        given = request.query_params.get("token") or token or ""
        if self._keys is not None and not self._token:
            headers = request.headers.getlist(KEY_METADATA) or [f"Bearer {given}"]
            return self._keys.admit(PARSE_METHOD, [(KEY_METADATA, header) for header in headers])
        if self._token and not hmac.compare_digest(given.encode(errors="replace"), self._token):
            raise UnauthenticatedError("the token is missing or wrong: send ?token=... as the server has it")
        return Caller(address="" if request.client is None else request.client.host)


async def _read_body(request: Request) -> ParseBody:
    """Return the body, whatever its type is said to be: Rasa's own examples send JSON as a form."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            message = f"the body has more than {MAX_BODY} bytes: send one message"
            raise HTTPException(413, message, {"connection": "close"})  # or the rest would be read, too
    try:
        return ParseBody.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        message = f'{field or "the body"}: {first["msg"]}; send {{"text": "..."}} as JSON'
        raise InputError(message, field=field) from error


def _read_skills(names: str) -> tuple[SkillRef, ...]:
    """Return the skills of `banking,travel@candidate`; none for all that are live."""
    return tuple(read_ref(write_ref(name), field="skills") for name in names.split(",") if name)


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(exclude_unset=True), media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    return failure_response(error, request.state.request_id)
