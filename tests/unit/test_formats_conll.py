from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills.errors import DataError
from skills.formats import read_slots
from skills.utterance import Entity

GOOD = "Rome B-city\n\n"


def written(folder: Path, content: str | bytes, name: str = "rows.conll") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("name", ["a.conll", "a.BIO", "a.iob"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_sentences_are_read_with_roles_and_exact_offsets(tmp_path: Path, name: str, end: str) -> None:
    lines = [
        "-DOCSTART- -X- O",
        "",
        "# a remark",
        "from\tIN\tO",
        "New\tNNP\tB-city:origin",
        "York\tNNP\tI-city:origin",
        "🙂\tSYM\tO",
        "Rome\tNNP\tB-city:destination:1",
        "Bonn\tNNP\tB-city::2",
        "",
        "  ",
        "# O",
        "8 B-time",
        "pm I-time",
    ]
    first, second = read_slots(written(tmp_path, end.join(lines), name)).utterances
    assert first.text == "from New York 🙂 Rome Bonn"
    assert first.entities == (
        Entity("city", 5, 13, "New York", role="origin"),
        Entity("city", 16, 20, "Rome", role="destination", group="1"),
        Entity("city", 21, 25, "Bonn", group="2"),
    )
    assert (first.intent, first.row) == ("", 4)
    assert (second.text, second.row) == ("# 8 pm", 12)
    assert second.entities == (Entity("time", 2, 6, "8 pm"),)


@pytest.mark.parametrize(
    ("sentence", "row", "said"),
    [
        ("to O\nRome I-city\n", 4, "tag 'I-city' follows 'O', so no 'city' has begun: write B-city on"),
        ("Rome I-city\n", 3, "tag 'I-city' follows 'O'"),
        ("8 B-time\nRome I-city\n", 4, "tag 'I-city' follows 'B-time'"),
        ("8 B-time\nRome B-city\npm I-time\n", 5, "tag 'I-time' follows 'B-city'"),
        ("to O\nRome\n", 4, "line has 'Rome' only"),
        ("Rome S-city\n", 3, "tag is 'S-city', known are O, B-SLOT and I-SLOT: convert"),
        ("Rome B-\n", 3, "tag is 'B-'"),
        ("Rome city\n", 3, "tag is 'city'"),
        ("Rome B-a:b:c:d\n", 3, "slot label 'a:b:c:d' is not valid"),
        ("\u00a0 B-city\n", 3, "text is blank"),
        ("a O\n\u00a0 B-city\nb O\n", 3, "begins or ends with white space"),
    ],
)
def test_a_bad_sentence_names_its_line_and_can_be_skipped(
    tmp_path: Path, sentence: str, row: int, said: str
) -> None:
    path = written(tmp_path, GOOD + sentence + "\n" + GOOD)
    with pytest.raises(DataError) as caught:
        read_slots(path)
    assert str(caught.value).startswith(f"{path}:{row}: ")
    assert said in str(caught.value)
    result = read_slots(path, skip_bad_rows=True)
    assert [each.text for each in result.utterances] == ["Rome", "Rome"]
    assert [str(error) for error in result.skipped] == [str(caught.value)]


def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.conll:3: byte 16 of the file \(0xe9\) is not UTF-8"):
        read_slots(written(tmp_path, GOOD.encode() + b"caf\xe9 O\n"))


@given(
    st.lists(
        st.sampled_from(["a O", "b B-x", "b I-x", "B-x", "", "# O", "#", "c\tB-x:y", "c I-x:y", "d B-:"])
    )
)
def test_any_lines_are_read_or_refused(lines: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), "\n".join(lines))
        try:
            rows = read_slots(path).utterances
        except DataError as error:
            assert error.file == str(path)
        else:
            assert all(row.text[each.start : each.end] == each.value for row in rows for each in row.entities)
