"""A peer's own side: what to learn comes in on standard input, then texts; labels and seconds go out.

Runs in the peer's environment, on Python 3.10 with the standard library alone. A message is a line of JSON.
What libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

Predict = Callable[[Sequence[str]], list[str]]


def answer(prepare: Callable[[dict[str, Any]], Predict]) -> None:
    """Make what predicts of the task that comes first, then label texts, all of a line at once."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def reply(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    began = time.perf_counter()
    predict = prepare(json.loads(sys.stdin.readline()))
    reply({"seconds": time.perf_counter() - began})
    for line in sys.stdin:
        texts = json.loads(line)
        began, before = time.perf_counter(), time.process_time()
        labels = predict(texts)
        seconds, processor_seconds = time.perf_counter() - began, time.process_time() - before
        reply({"seconds": seconds, "processor_seconds": processor_seconds, "labels": labels})
