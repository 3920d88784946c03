"""The boundary of every HTTP request: request id, errors to answers, one line in the log."""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nlu.http.failure import failure_response
from nlu.observer import NOBODY, Observer, set_observer
from nlu.request_id import REQUEST_ID_METADATA, begin_request
from skills.errors import NotReadyError

HEALTH = "/healthz"
LOGGED_PATH = 100  # bytes

logger = logging.getLogger(__name__)


class Boundary:
    """Wraps an application; its requests find their id in `request.state.request_id`."""

    def __init__(self, app: ASGIApp, observer: Observer = NOBODY) -> None:
        self._app = app
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        headers = Headers(scope=scope)
        identity = begin_request(headers.getlist(REQUEST_ID_METADATA))
        set_observer(self._observer)
        self._observer.began(headers.items(), identity)
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
            seconds = time.perf_counter() - start
            route = getattr(scope.get("route"), "path", "/*")  # there is no end of paths that do not exist
            self._observer.ended(route, str(code), seconds)
            _log(scope, code, seconds, identity)


def _log(scope: Scope, code: int, seconds: float, identity: str) -> None:
    """Write one line; never the query, which has the token."""
    level = logging.DEBUG if scope["path"] == HEALTH else logging.INFO
    path = scope["raw_path"].decode("ascii", "backslashreplace")[:LOGGED_PATH]
    method, milliseconds = scope["method"], round(1e3 * seconds, 1)
    fields = {"method": f"{method} {path}", "code": code, "milliseconds": milliseconds}
    logger.log(
        level, "%s %s %d %.1f ms, request %s", method, path, code, milliseconds, identity, extra=fields
    )
