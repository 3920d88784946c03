from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skills.errors import DataError
from skills.formats import read_intents

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(str.strip)
GOOD = b'{"text": "hi", "intent": "greet"}\n'


def written(folder: Path, content: bytes) -> Path:
    path = folder / "rows.jsonl"
    path.write_bytes(content)
    return path


@settings(deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=8), ascii_only=st.booleans())
def test_any_text_survives(texts: list[str], ascii_only: bool) -> None:
    lines = [json.dumps({"text": text, "intent": "a"}, ensure_ascii=ascii_only) for text in texts]
    with TemporaryDirectory() as folder:
        rows = read_intents(written(Path(folder), "\n".join(lines).encode())).utterances
    assert [row.text for row in rows] == [text.strip() for text in texts]
    assert [row.row for row in rows] == list(range(1, len(texts) + 1))


def test_other_keys_blank_lines_line_ends_and_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"text": " hi ", "intent": "greet ", "id": 7}\r\n\r\n' + GOOD
    rows = read_intents(written(tmp_path, content)).utterances
    assert [(row.text, row.intent, row.row) for row in rows] == [("hi", "greet", 1), ("hi", "greet", 3)]


@pytest.mark.parametrize(
    ("line", "field", "said"),
    [
        (b'{"text": "hi"', "", "not valid JSON"),
        (b"hi\tgreet", "", "not valid JSON"),
        (b'["hi", "greet"]', "", "not a JSON object"),
        (b"[" * 100_000, "", "not a row"),
        (b'{"text": ' + b"9" * 5000 + b"}", "", "not a row"),
        (b'{"intent": "greet"}', "text", "text is missing"),
        (b'{"text": null, "intent": "greet"}', "text", "text is missing"),
        (b'{"text": "hi"}', "intent", "intent is missing"),
        (b'{"text": " \\n", "intent": "greet"}', "text", "text is blank"),
        (b'{"text": "hi", "intent": ""}', "intent", "intent is blank"),
        (b'{"text": 5, "intent": "greet"}', "text", "text is a number"),
        (b'{"text": "hi", "intent": true}', "intent", "intent is a truth value"),
        (b'{"text": "hi", "intent": ["greet"]}', "intent", "intent is a list"),
        (b'{"text": "' + b"x" * 2001 + b'", "intent": "greet"}', "text", "2,001 characters"),
        (b'{"text": "hi", "intent": "' + b"x" * 129 + b'"}', "intent", "129 characters"),
        (b'{"text": "hi", "intent": "a\\u0007b"}', "intent", "cannot be printed"),
        (b'{"text": "hi \\ud83d", "intent": "greet"}', "text", "half a surrogate pair at character 4"),
        (b'{"text": "caf\xe9", "intent": "greet"}', "", "byte 47 of the file (0xe9) is not UTF-8"),
    ],
)
def test_a_bad_row_names_its_place_and_can_be_skipped(
    tmp_path: Path, line: bytes, field: str, said: str
) -> None:
    path = written(tmp_path, GOOD + line + b"\n" + GOOD)
    with pytest.raises(DataError) as caught:
        read_intents(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert said in str(caught.value)
    assert (caught.value.file, caught.value.row, caught.value.field) == (str(path), 2, field)

    result = read_intents(path, skip_bad_rows=True)
    assert [row.row for row in result.utterances] == [1, 3]
    assert [str(error) for error in result.skipped] == [str(caught.value)]


def test_the_byte_offset_counts_the_byte_order_mark(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"byte 5 of the file \(0xff\)"):
        read_intents(written(tmp_path, b'\xef\xbb\xbf{"\xff'))


def test_a_text_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    row = json.dumps({"text": " " + "🙂" * 2000, "intent": "x" * 128}).encode()
    assert len(read_intents(written(tmp_path, row)).utterances[0].text) == 2000
