from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.draft import REPEATED, UNSURE, Draft

SOURCE = tuple(range(10, 30))
MOST = 12


def test_proposes_the_source() -> None:
    assert Draft(SOURCE).propose(MOST) == SOURCE[:MOST]
    assert Draft(()).propose(MOST) == ()


@pytest.mark.parametrize(
    ("count", "decoded", "proposed"),
    [
        (MOST, SOURCE[MOST], SOURCE[MOST + 1 :]),  # it agreed with all, and goes on in step
        (3, SOURCE[4], SOURCE[5 : 5 + MOST]),  # it left one token out
        (3, 99, SOURCE[4 : 4 + MOST // UNSURE]),  # another token, probably in the place of one
    ],
)
def test_finds_its_place_after_a_departure(count: int, decoded: int, proposed: tuple[int, ...]) -> None:
    draft = Draft(SOURCE)
    draft.accept(count, decoded)
    assert draft.propose(MOST) == proposed


def test_an_inserted_token_is_noticed_when_the_source_goes_on() -> None:
    draft = Draft(SOURCE)
    draft.accept(3, 99)  # instead of the source's fourth token, or before it
    draft.accept(0, SOURCE[3])  # before it
    assert draft.propose(MOST) == SOURCE[4 : 4 + MOST]


def test_a_right_guess_ends_the_doubt() -> None:
    draft = Draft(SOURCE)
    draft.accept(3, 99)
    draft.accept(2, SOURCE[6])
    assert draft.propose(MOST) == SOURCE[7 : 7 + MOST]


@given(st.lists(st.integers(0, 5), max_size=20), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5))))
def test_proposes_parts_of_what_it_knows_whatever_is_decoded(
    source: list[int], steps: list[tuple[int, int]]
) -> None:
    draft = Draft(source)
    said: list[int] = []
    for count, decoded in steps:
        proposed = draft.propose(MOST)
        assert len(proposed) <= MOST
        assert not proposed or _contains(source, proposed) or _contains(said, proposed)
        said += [*proposed[:count], decoded]
        draft.accept(min(count, len(proposed)), decoded)


def _contains(tokens: Sequence[int], part: tuple[int, ...]) -> bool:
    return any(tuple(tokens[place : place + len(part)]) == part for place in range(len(tokens)))


def test_a_decoder_that_repeats_itself_is_followed() -> None:
    draft = Draft(SOURCE)
    loop = (*range(50, 50 + REPEATED), 60, 61)
    for decoded in (*loop, *loop[:REPEATED]):
        draft.propose(MOST)
        draft.accept(0, decoded)
    proposed = draft.propose(MOST)
    assert proposed[: len(loop)] == (60, 61, *loop[:REPEATED])
    draft.accept(len(proposed), 60)
    draft.accept(0, SOURCE[0])  # and left, where the source goes on
    assert draft.propose(MOST) == SOURCE[1 : 1 + MOST]
