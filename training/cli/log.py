"""The log of servers and workers, on standard error: for people, or one JSON object a line for machines."""

from __future__ import annotations

import logging
import sys

from nlu.request_id import current_request_id

_PLAIN = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_JSON = {"levelname": "level", "name": "logger", "message": "message", "exc_info": "exception"}


def set_up_log(level: str, form: str) -> None:
    """Log from `level` on, as `json`, `pretty` or what `auto` finds: pretty on a terminal, JSON elsewhere."""
    if form == "auto":
        form = "pretty" if sys.stderr.isatty() else "json"
    handler = _json_handler() if form == "json" else _pretty_handler()
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _json_handler() -> logging.Handler:
    from pythonjsonlogger.json import JsonFormatter

    handler = logging.StreamHandler()
    fields = [field for field in _JSON if field != "exc_info"]
    handler.setFormatter(JsonFormatter(fields, rename_fields=_JSON, timestamp="time"))
    handler.addFilter(_with_request_id)
    return handler


def _with_request_id(record: logging.LogRecord) -> bool:
    """Let a line have the id of the call that it is about."""
    if request_id := current_request_id():
        record.request_id = request_id
    return True


def _pretty_handler() -> logging.Handler:
    """Return one that colours on a terminal."""
    handler: logging.Handler = logging.StreamHandler()
    if not sys.stderr.isatty():
        handler.setFormatter(logging.Formatter(_PLAIN))
        return handler
    from rich.console import Console
    from rich.logging import RichHandler

    handler = RichHandler(console=Console(stderr=True), show_path=False)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler
