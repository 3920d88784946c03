"""What a caller is told of an error: the status of gRPC, as HTTP and in Rasa's words."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus

import grpc
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nlu.http.messages import Failure
from nlu.observer import current_observer
from nlu.status import Status

_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.CONFLICT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
}
_LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_REASONS = {HTTPStatus.UNAUTHORIZED: "NotAuthenticated", HTTPStatus.FORBIDDEN: "NotAuthorized"}  # Rasa's

logger = logging.getLogger(__name__)


def failure_response(error: Exception, request_id: str) -> Response:
    """Return what is sent instead of an answer; what is our fault is logged."""
    if isinstance(error, HTTPException):
        return _response(HTTPStatus(error.status_code), error.detail, headers=dict(error.headers or {}))
    status = Status.of(error, request_id)
    current_observer().failed(status)
    if status.is_fault:
        logger.error("request %s failed", request_id, exc_info=error)
    code = _CODES.get(status.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    headers = {"retry-after": str(math.ceil(status.retry_after or 1))} if code in _LATER else {}
    return _response(code, status.message, field=status.field, headers=headers)


def _response(code: HTTPStatus, message: str, *, headers: dict[str, str], field: str = "") -> Response:
    failure = Failure(
        message=message,
        reason=_REASONS.get(code) or code.phrase.title().replace(" ", ""),
        details={"parameter": field} if field else {},
        code=code,
    )
    return Response(failure.model_dump_json(), code, headers, "application/json")
