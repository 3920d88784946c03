"""The client's errors, which mirror the server's.

ClientError
├── InvalidRequestError     what was sent is wrong; `field` names it
├── UnknownSkillError       no such skill, version or alias
├── UnknownJobError         no such training job
├── SkillRefusedError       the version exists, but the server cannot serve it
├── OverloadedError         the server's queue is full, or the API key has had its share; `retry_after` says
│                           when to try again
├── DeadlineError           no answer in time
├── UnavailableError        no server there, or it is starting or stopping; retried before it is raised
├── UnauthenticatedError    the API key is missing, wrong, expired or revoked
├── PermissionDeniedError   the API key is not for this method or this skill
└── ServerError             a fault of the server; its log has it under `request_id`
"""

from __future__ import annotations

from typing import Any

import grpc

from nlu.v1 import nlu_pb2

_REQUEST_ID_METADATA = "x-request-id"
_ITEM_STATUS_METADATA = "softspoken-status-bin"


class ClientError(Exception):
    """Root of all errors that the client raises.

    request_id: under which the server logged the call. field: the wrong one, if one is. retry_after: in
    seconds, if the server knows.
    """

    def __init__(
        self, message: str, *, request_id: str = "", field: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.request_id = request_id
        self.field = field
        self.retry_after = retry_after


class InvalidRequestError(ClientError):
    """What was sent is wrong."""


class UnknownSkillError(ClientError):
    """No such skill, version or alias."""


class UnknownJobError(ClientError):
    """No such training job."""


class SkillRefusedError(ClientError):
    """The version exists, but the server cannot serve it."""


class OverloadedError(ClientError):
    """The server's queue is full."""


class DeadlineError(ClientError):
    """No answer in time."""


class UnavailableError(ClientError):
    """No server there, or it is starting or stopping."""


class UnauthenticatedError(ClientError):
    """The API key is missing, wrong, expired or revoked."""


class PermissionDeniedError(ClientError):
    """The API key is not for this method or this skill."""


class ServerError(ClientError):
    """A fault of the server."""


_BY_CODE: dict[int, type[ClientError]] = {
    grpc.StatusCode.INVALID_ARGUMENT.value[0]: InvalidRequestError,
    grpc.StatusCode.NOT_FOUND.value[0]: UnknownSkillError,
    grpc.StatusCode.FAILED_PRECONDITION.value[0]: SkillRefusedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]: OverloadedError,
    grpc.StatusCode.DEADLINE_EXCEEDED.value[0]: DeadlineError,
    grpc.StatusCode.UNAVAILABLE.value[0]: UnavailableError,
    grpc.StatusCode.UNAUTHENTICATED.value[0]: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED.value[0]: PermissionDeniedError,
    grpc.StatusCode.CANCELLED.value[0]: UnavailableError,  # by a server that is just ending
}


def error_of_item(status: nlu_pb2.ItemStatus, request_id: str) -> ClientError:
    """Return the error that one item of a batch carries."""
    kind = _BY_CODE.get(status.code, ServerError)
    if kind is UnknownSkillError and status.field == "job":
        kind = UnknownJobError
    return kind(
        status.message,
        request_id=request_id,
        field=status.field,
        retry_after=status.retry_after.ToNanoseconds() / 1e9 if status.HasField("retry_after") else None,
    )


def error_of_call(error: Any) -> ClientError:
    """Return the error of a failed call, a `grpc.RpcError` of either kind of channel.

    The server's ItemStatus is read rather than google.rpc.Status, which would need another package.
    """
    trailers = dict(error.trailing_metadata() or ())
    if _ITEM_STATUS_METADATA in trailers:
        status = nlu_pb2.ItemStatus.FromString(trailers[_ITEM_STATUS_METADATA])
    else:  # gRPC itself failed, or a proxy did
        status = nlu_pb2.ItemStatus(
            code=error.code().value[0], message=f"{error.code().name}: {error.details()}"
        )
    return error_of_item(status, trailers.get(_REQUEST_ID_METADATA, ""))
