"""The boundary of every HTTP request: request id, errors to answers, one line in the log."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nlu.http.failure import failure_response
from nlu.interceptors import REQUEST_ID, REQUEST_ID_METADATA
from skills.errors import NotReadyError

HEALTH = "/healthz"
LOGGED_PATH = 100  # bytes

logger = logging.getLogger(__name__)


class Boundary:
    """Wraps an application; its requests find their id in `request.state.request_id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        identity = _identify(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = identity
        start = time.perf_counter()
        code = 0  # unless there is an answer

        async def tell(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_METADATA] = identity
            await send(message)

        try:
            await self._app(scope, receive, tell)
        except asyncio.CancelledError:  # of uvicorn, when a stop has lasted long enough
            stopped = NotReadyError("the server stopped before it had an answer: send it to another one")
            await failure_response(stopped, identity)(scope, receive, tell)
        except Exception as error:
            await failure_response(error, identity)(scope, receive, tell)
        finally:
            _log(scope, code, 1e3 * (time.perf_counter() - start), identity)


def _identify(headers: Headers) -> str:
    """Return the caller's id if it is fit for a log; else a new one."""
    given = headers.get(REQUEST_ID_METADATA, "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _log(scope: Scope, code: int, elapsed: float, identity: str) -> None:
    """Write one line; never the query, which has the token."""
    level = logging.DEBUG if scope["path"] == HEALTH else logging.INFO
    path = scope["raw_path"].decode("ascii", "backslashreplace")[:LOGGED_PATH]
    logger.log(level, "%s %s %d %.1f ms, request %s", scope["method"], path, code, elapsed, identity)
