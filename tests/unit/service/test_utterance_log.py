"""What of an utterance gets into the log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import pytest

from nlu.reader import Reading
from nlu.server_settings import ServerSettings
from nlu.utterance_log import UtteranceLog, masked
from nlu.v1 import nlu_pb2
from skills.errors import InputError
from skills.parse import Outcome, SkillResult, SlotsAnswer, SlotValue, Timings
from skills.skill import SkillKind
from skills.slot import SlotLabel

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]


def reading(*spans: tuple[str, int, int]) -> Reading:
    """What as many skills found as there are slots."""
    results = tuple(
        SkillResult(
            "travel",
            1,
            "a" * 64,
            SkillKind.SLOTS,
            Outcome.MATCHED,
            slots=SlotsAnswer((SlotValue(SlotLabel(slot, "to"), start, end, "", "", 1.0),)),
        )
        for slot, start, end in spans
    )
    return Reading(results, 0, Timings(), 0.0, ((),) * len(results))


@pytest.mark.parametrize(
    ("text", "spans", "expected"),
    [
        ("hello", (), "hello"),
        ("to New York at 5", (("city", 3, 11),), "to [city] at #"),
        ("Ann to Oslo", (("city", 7, 11), ("person", 0, 3)), "[person] to [city]"),
        ("to New York City", (("city", 3, 11), ("place", 7, 16)), "to [city]"),  # of two skills
        ("to New York City", (("city", 3, 16), ("place", 7, 11)), "to [city]"),
        ("mail ann@example.com or +47 22-55", (), "mail # or +## ##-##"),
        ("room \N{ARABIC-INDIC DIGIT FIVE}", (), "room #"),
    ],
)
def test_slots_digits_and_addresses_are_masked(
    text: str, spans: tuple[tuple[str, int, int], ...], expected: str
) -> None:
    assert masked(text, reading(*spans)) == expected


@pytest.mark.asyncio
@pytest.mark.parametrize(("mode", "expected"), [("masked", "room #\nb"), ("plain", "room 5\nb")])
async def test_an_utterance_is_one_line_with_its_request(
    serve: Serve, caplog: pytest.LogCaptureFixture, mode: str, expected: str
) -> None:
    caplog.set_level(logging.INFO, "nlu.utterance_log")
    async with serve(observer=UtteranceLog(mode)) as server:
        await server.stub.Parse(nlu_pb2.ParseRequest(text="room 5\nb", request_id="abc"))
    [record] = [each for each in caplog.records if each.name == "nlu.utterance_log"]
    assert (record.__dict__["utterance"], record.__dict__["utterance_id"]) == (expected, "abc")
    assert "\n" not in record.getMessage()


def test_utterances_are_not_logged_unless_asked_for() -> None:
    assert ServerSettings("sqlite:///catalog.db").log_utterances == "none"
    with pytest.raises(InputError, match="use one of none, masked, plain"):
        ServerSettings("sqlite:///catalog.db", log_utterances="yes")
