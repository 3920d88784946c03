"""Rasa's default pipeline with DIET, without its HTTP server: runs in Rasa's environment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from benchmarks.peer_loop import Predict, answer

FALLBACK = "nlu_fallback"


def loaded(task: dict[str, Any]) -> Predict:
    """Return what labels texts by the task's model, one after the other: Rasa has no batches."""
    from rasa.core.agent import Agent
    from rasa.utils.log_utils import configure_structlog

    configure_structlog(logging.ERROR)  # or every text is written about
    agent = Agent.load(task["model"])
    loop = asyncio.new_event_loop()

    def predict(texts: Sequence[str]) -> list[str]:
        return [_best(loop.run_until_complete(agent.parse_message(text))) for text in texts]

    return predict


def _best(found: dict[str, Any]) -> str:
    """Return the best intent, whatever the fallback says."""
    names = (str(each["name"]) for each in found["intent_ranking"])
    return next((name for name in names if name != FALLBACK), "")


if __name__ == "__main__":
    answer(loaded)
