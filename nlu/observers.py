"""Who watches a server, by its settings: Prometheus and OpenTelemetry are imported only where asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlu.observer import Observer, Observers
from nlu.server_settings import ServerSettings
from nlu.utterance_log import UtteranceLog
from skills.errors import InputError

if TYPE_CHECKING:
    from nlu.instruments import Instruments
    from nlu.tracing import Tracing


@dataclass(frozen=True)
class Watch:
    """All who watch, and of them the one that Prometheus reads."""

    observer: Observer
    instruments: Instruments | None

    @classmethod
    def of(cls, settings: ServerSettings) -> Watch:
        """Make those that the settings ask for.

        Raises:
            InputError: traces cannot be sent.
        """
        instruments = _instruments(settings)
        utterances = None if settings.log_utterances == "none" else UtteranceLog(settings.log_utterances)
        observers = (instruments, _tracing(settings), utterances)
        return cls(Observers(each for each in observers if each is not None), instruments)


def _instruments(settings: ServerSettings) -> Instruments | None:
    if not settings.metrics:
        return None
    from nlu.instruments import Instruments

    return Instruments()


def _tracing(settings: ServerSettings) -> Tracing | None:
    if not settings.otlp:
        return None
    try:
        from nlu.tracing import Tracing
    except ModuleNotFoundError as error:
        raise InputError(
            f"traces need the package {error.name!r}: pip install 'softspoken[tracing]', or give no --otlp",
            field="otlp",
        ) from error
    return Tracing.to(settings.otlp)
