"""What a caller is told of an error: one table from our errors to gRPC status codes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus

from nlu.v1 import nlu_pb2
from skills.errors import (
    AccessError,
    CatalogError,
    InputError,
    NotReadyError,
    OverloadedError,
    RateLimitError,
    SkillRefusedError,
    UnauthenticatedError,
    UnknownJobError,
    UnknownSkillError,
)

DOMAIN = "softspoken"
ITEM_STATUS_METADATA = "softspoken-status-bin"
MESSAGE_BYTES = 1000  # of UTF-8; a message travels three times in the trailers, which may have 8 KB

PATIENCE = 1.0  # seconds: who is asked to wait for longer should hear of it, not wait inside a call

_DETAILS_METADATA = "grpc-status-details-bin"  # fixed by grpc, as is the next
_PUSHBACK_METADATA = "grpc-retry-pushback-ms"
_TABLE: dict[type, tuple[grpc.StatusCode, str]] = {
    UnknownSkillError: (grpc.StatusCode.NOT_FOUND, "UNKNOWN_SKILL"),
    UnknownJobError: (grpc.StatusCode.NOT_FOUND, "UNKNOWN_JOB"),
    InputError: (grpc.StatusCode.INVALID_ARGUMENT, ""),
    SkillRefusedError: (grpc.StatusCode.FAILED_PRECONDITION, "SKILL_REFUSED"),
    UnauthenticatedError: (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
    AccessError: (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"),
    RateLimitError: (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED"),
    OverloadedError: (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
    NotReadyError: (grpc.StatusCode.UNAVAILABLE, "NOT_READY"),
    CatalogError: (grpc.StatusCode.UNAVAILABLE, "CATALOG_UNAVAILABLE"),
    TimeoutError: (grpc.StatusCode.DEADLINE_EXCEEDED, ""),
}
_FAULT = (grpc.StatusCode.INTERNAL, "")
CODES_AND_REASONS = tuple((code.name, reason) for code, reason in (*_TABLE.values(), _FAULT))
# Errors whose own message is for the operator, not for the caller: it stays in the log.
_PUBLIC_MESSAGES: dict[type, str] = {
    CatalogError: "the catalog cannot be read now; skills that are already loaded are served: try again",
    TimeoutError: "the deadline passed before the answer was there: allow more time, or send less at once",
}


@dataclass(frozen=True)
class Status:
    """One error as callers see it; retry_after is in seconds, reason is of ErrorInfo."""

    code: grpc.StatusCode
    message: str
    field: str = ""
    reason: str = ""
    retry_after: float | None = None

    @classmethod
    def of(cls, error: Exception, request_id: str) -> Status:
        """Look an error up; one that is not in the table is our fault, and only the log tells of it."""
        known = next((base for base in type(error).__mro__ if base in _TABLE), None)
        code, reason = _FAULT if known is None else _TABLE[known]
        if known is None:
            message = f"the server failed; its log has the cause under request id {request_id}"
        else:
            message = _PUBLIC_MESSAGES.get(known) or str(error)
        return cls(
            code,
            _shortened(message),
            field=error.field if isinstance(error, InputError) else "",
            reason=reason,
            retry_after=error.retry_after if isinstance(error, OverloadedError) else None,
        )

    @property
    def is_fault(self) -> bool:
        """Whether the server is to blame."""
        return self.code is _FAULT[0]

    def item(self) -> nlu_pb2.ItemStatus:
        """Return the status as one item of a batch carries it."""
        number: int = self.code.value[0]
        return nlu_pb2.ItemStatus(
            code=number, message=self.message, field=self.field, retry_after=_duration(self.retry_after)
        )

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Return google.rpc.Status, and the same as an ItemStatus for clients without google.rpc.

        A client with a retry policy is told when to try again, or not to if that is far off.
        """
        number: int = self.code.value[0]
        details = [_packed(each) for each in self._details()]
        status = RpcStatus(code=number, message=self.message, details=details)
        return (
            (_DETAILS_METADATA, status.SerializeToString()),
            (ITEM_STATUS_METADATA, self.item().SerializeToString()),
            *self._pushback(),
        )

    def _pushback(self) -> tuple[tuple[str, str], ...]:
        if self.retry_after is None:
            return ()
        milliseconds = math.ceil(1000 * self.retry_after) if self.retry_after <= PATIENCE else -1
        return ((_PUSHBACK_METADATA, str(milliseconds)),)

    def _details(self) -> list[Message]:
        details: list[Message] = []
        if self.code is grpc.StatusCode.INVALID_ARGUMENT and self.field:
            violation = BadRequest.FieldViolation(field=self.field, description=self.message)
            details.append(BadRequest(field_violations=[violation]))
        if self.reason:
            details.append(ErrorInfo(reason=self.reason, domain=DOMAIN))
        if self.retry_after is not None:
            details.append(RetryInfo(retry_delay=_duration(self.retry_after)))
        return details


def _packed(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromNanoseconds(round(1e9 * seconds))
    return duration


def _shortened(message: str) -> str:
    encoded = message.encode("utf-8", errors="replace")
    if len(encoded) <= MESSAGE_BYTES:
        return message
    return encoded[: MESSAGE_BYTES - 3].decode("utf-8", errors="ignore") + "..."
