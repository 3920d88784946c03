from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skills.offsets import OffsetUnit, convert_offset, convert_span

UNICODE = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("é🙂👩‍👩‍👧שלום\u0301\u202e"), max_size=40
)


@pytest.mark.parametrize(
    ("text", "offset", "utf16", "utf8"),
    [
        ("", 0, 0, 0),
        ("plain", 5, 5, 5),
        ("naïve", 3, 3, 4),
        ("e\u0301t", 2, 2, 3),  # a combining mark is a code point of its own
        ("🙂 hi", 1, 2, 4),
        ("👩‍👩‍👧 us", 5, 8, 18),  # a family is three people and two joiners
        ("שלום world", 4, 4, 8),
        ("漢字", 2, 2, 6),
    ],
)
def test_known_offsets(text: str, offset: int, utf16: int, utf8: int) -> None:
    assert convert_offset(text, offset, OffsetUnit.CODE_POINTS) == offset
    assert convert_offset(text, offset, OffsetUnit.UTF16_UNITS) == utf16
    assert convert_offset(text, offset, OffsetUnit.UTF8_BYTES) == utf8


@settings(deadline=None)
@given(before=UNICODE, marked=UNICODE, after=UNICODE)
def test_a_converted_span_cuts_the_same_part_out_of_the_encoded_text(
    before: str, marked: str, after: str
) -> None:
    text = before + marked + after
    span = (len(before), len(before) + len(marked))

    start, end = convert_span(text, span, OffsetUnit.UTF8_BYTES)
    assert text.encode("utf-8")[start:end].decode("utf-8") == marked

    start, end = convert_span(text, span, OffsetUnit.UTF16_UNITS)
    assert text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le") == marked

    start, end = convert_span(text, span, OffsetUnit.CODE_POINTS)
    assert text[start:end] == marked


@settings(deadline=None)
@given(text=UNICODE)
def test_the_end_of_the_text_is_its_encoded_length(text: str) -> None:
    assert convert_offset(text, len(text), OffsetUnit.UTF8_BYTES) == len(text.encode())
    assert convert_offset(text, len(text), OffsetUnit.UTF16_UNITS) == len(text.encode("utf-16-le")) // 2
