"""The id of the call that is being answered: its answer, its errors and its lines of the log have it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from contextvars import ContextVar

REQUEST_ID_METADATA = "x-request-id"
REQUEST_ID = re.compile(r"[!-~]{1,128}")  # what metadata and a log line can carry

_current: ContextVar[str] = ContextVar("request_id", default="")  # every call runs in a task of its own


def current_request_id() -> str:
    """Return the id of the call that is being answered; empty outside of calls."""
    return _current.get()


def begin_request(candidates: Iterable[object]) -> str:
    """Take the first id that is fit for a log, or else a new one, for the call that this task answers."""
    fit = (each for each in candidates if isinstance(each, str) and REQUEST_ID.fullmatch(each))
    identity = next(fit, "") or uuid.uuid4().hex
    _current.set(identity)
    return identity
