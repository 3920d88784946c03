from __future__ import annotations

import pytest

from skills.corruption import looks_clean


@pytest.mark.parametrize(
    "text",
    [
        "Where can I find a good restaurant in San Jose?",
        "Yes, that's right. I'd like two tickets, please.",
        "It's at 7:30 pm, on March 3rd, and costs $12.50!",
        "Does it have a parking space?",
        "I'm looking for Ben Harper's show in Portland, OR.",
        "Write to Jo@example.org or see www.example.org/a,b.",
        "Please book Doubletree By Hilton Hotel London.",
        "It's an hour by bus.",
    ],
)
def test_careful_sentences_are_taken(text: str) -> None:
    assert looks_clean(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Yes.",  # too short to be wrong in any way but its marks
        "i need a room.",
        "Well, i need a room.",
        "I need a room",
        "I need a  room.",
        "I need a room .",
        "I need a room,please.",
        "I need a room. please help.",
        " I need a room.",
        "I need a rooom.",
        "I need a an room.",
        "I need an room.",
        "I need a a room.",
        "I need a Room.",
        "I dont need a room.",
        "I need Some rooms.",
        "Yes, Find a room.",
        "I need room.",
        "I am need a room.",
        "I want book a room.",
        "He have a room.",
        "I like it, but she don't want it.",
        "There is two rooms.",
        "I need two room for tonight.",
        "Can you give me the address.",
        "Yes, what is the address.",
        "Tell me what is the address.",
        "Do you know where is the hotel?",
        "I need some informations.",
        "We can to go there.",
        "See you in Monday.",
        "Yes, that good.",
        "Is it okay..",
        "Buy now: ★★★ rooms.",
        "A room." * 400,
    ],
)
def test_careless_sentences_are_refused(text: str) -> None:
    assert not looks_clean(text)
