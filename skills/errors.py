"""The one error tree.

    SoftspokenError
    ├── InputError              what the caller gave is wrong; carries the field
    │   ├── DataError           a file of utterances; carries file, row and field
    │   ├── UnknownSkillError   no such skill, version or alias
    │   └── UnknownJobError     no such training job
    ├── BackboneError           the frozen model cannot be found, read or fetched
    │   └── EngineRefusedError  what would run it computes something else
    ├── SkillRefusedError       a stored version cannot be served: corrupt, wrong backbone, not finite
    ├── GateError               a version is not good enough to be promoted
    ├── CatalogError            the catalog cannot be reached, read or written
    │   └── SchemaError         its schema is older or newer than this program
    ├── LeaseLostError          a worker's job has been taken over, or has ended
    │   └── JobCancelledError   someone asked to cancel it
    ├── AccessError             the caller may not do this
    │   └── UnauthenticatedError    nobody knows who calls: no API key, or none that is in force
    ├── OverloadedError         the server's queue is full; carries when to try again
    │   └── RateLimitError      the caller's API key has had its share
    └── NotReadyError           the server is starting or stopping: another one, or a later try, may answer

Every message names the value and the remedy.
"""

from __future__ import annotations


class SoftspokenError(Exception):
    """Root of all errors that softspoken raises on purpose."""


class InputError(SoftspokenError):
    """What the caller gave is wrong."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class DataError(InputError):
    """A row of a data file is wrong."""

    def __init__(self, message: str, *, file: str, row: int | None = None, field: str = "") -> None:
        place = file if row is None else f"{file}:{row}"
        super().__init__(f"{place}: {message}", field=field)
        self.file = file
        self.row = row


class UnknownSkillError(InputError):
    """No such skill, version or alias."""


class UnknownJobError(InputError):
    """No such training job."""


class BackboneError(SoftspokenError):
    """The frozen model cannot be found, read or fetched."""


class EngineRefusedError(BackboneError):
    """An engine gives other values than it should."""


class SkillRefusedError(SoftspokenError):
    """A stored skill version cannot be served."""


class GateError(SoftspokenError):
    """A version is not good enough to be promoted."""


class CatalogError(SoftspokenError):
    """The catalog cannot be reached, read or written."""


class SchemaError(CatalogError):
    """The catalog's schema is older or newer than this program."""


class LeaseLostError(SoftspokenError):
    """A worker has no right to its job any more: it was taken over, or has ended."""


class JobCancelledError(LeaseLostError):
    """Someone asked to cancel the job."""


class AccessError(SoftspokenError):
    """The caller may not do this."""


class UnauthenticatedError(AccessError):
    """Nobody knows who calls."""


class OverloadedError(SoftspokenError):
    """The queue is full."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds


class RateLimitError(OverloadedError):
    """The caller's API key has had its share."""


class NotReadyError(SoftspokenError):
    """The server is starting or stopping."""
