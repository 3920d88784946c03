"""When the service is asked no more, and when again."""

from __future__ import annotations

import threading

from nlu.rasa.breaker import FAILURES, Breaker


def test_opens_after_failures_in_a_row_and_closes_when_a_probe_is_answered() -> None:
    back, answers, probed = threading.Event(), iter((False, False, True)), threading.Semaphore(0)

    def probe() -> bool:
        probed.release()
        answer = next(answers)
        if answer:
            back.wait()
        return answer

    breaker = Breaker(probe, pause=0)
    for _ in range(FAILURES - 1):
        breaker.failed()
    breaker.answered()
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert not breaker.is_open  # an answer came in between
    breaker.failed()
    assert breaker.is_open

    for _ in range(3):
        assert probed.acquire(timeout=60)
    breaker.failed()
    breaker.answered()  # of a call that began before: the probe has the last word
    assert breaker.is_open
    watching = next(thread for thread in threading.enumerate() if thread.name == "softspoken-probe")
    back.set()
    watching.join(60)
    assert not breaker.is_open
    breaker.failed()
    assert not breaker.is_open  # it counts from none
