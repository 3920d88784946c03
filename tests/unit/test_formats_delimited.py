from __future__ import annotations

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skills.errors import DataError, InputError
from skills.formats import Columns, read_intents

TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('",\t\n\r\0'), min_size=1, max_size=60
)


def written(folder: Path, content: str | bytes, suffix: str = ".csv") -> Path:
    path = folder / f"rows{suffix}"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@settings(deadline=None)
@given(texts=st.lists(TEXT.filter(str.strip), min_size=1, max_size=8), tab=st.booleans())
def test_any_text_survives(texts: list[str], tab: bool) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, dialect="excel-tab" if tab else "excel")
    writer.writerows([("text", "intent"), *((text, "a") for text in texts)])
    with TemporaryDirectory() as folder:
        path = written(Path(folder), buffer.getvalue(), ".tsv" if tab else ".csv")
        rows = read_intents(path).utterances
    assert [row.text for row in rows] == [text.strip() for text in texts]


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("text,intent\nhi,greet\n", None),
        ("\ufeffIntent,id, Text \r\ngreet,4,hi\r\n", None),
        ("label,utterance\ngreet,hi\n", "text=utterance,intent=label"),
        ("label,utterance\ngreet,hi\n", "text=2, intent=label"),
        ("greet,hi\n", "text=2,intent=1"),
        ("text,intent\nhi,greet\n", "text=1,intent=2"),  # a header that only says so
    ],
)
def test_columns_are_found(tmp_path: Path, content: str, columns: str | None) -> None:
    chosen = Columns.parse(columns) if columns else None
    rows = read_intents(written(tmp_path, content), columns=chosen).utterances
    assert [(row.text, row.intent) for row in rows] == [("hi", "greet")]


def test_rows_are_numbered_by_the_line_they_begin_on(tmp_path: Path) -> None:
    path = written(tmp_path, 'text,intent\n"two\nlines",a\n\nhi,b\n')
    assert [(row.text, row.row) for row in read_intents(path).utterances] == [("two\nlines", 2), ("hi", 5)]


@pytest.mark.parametrize(
    ("line", "field", "said"),
    [
        (b"well, hi,greet", "", "number of columns is 3, on the first line 2"),
        (b"hi", "", "number of columns is 1, on the first line 2"),
        (b",greet", "text", "text is blank"),
        (b"hi, ", "intent", "intent is blank"),
        (b'"hi"there,greet', "", "not valid CSV"),
        (b"caf\xe9,greet", "", "byte 21 of the file (0xe9) is not UTF-8"),
    ],
)
def test_a_bad_row_names_its_place_and_can_be_skipped(
    tmp_path: Path, line: bytes, field: str, said: str
) -> None:
    path = written(tmp_path, b"text,intent\nhi,gr\n" + line + b"\nbye,gr\n")
    with pytest.raises(DataError) as caught:
        read_intents(path)
    assert said in str(caught.value)
    assert (caught.value.row, caught.value.field) == (3, field)

    result = read_intents(path, skip_bad_rows=True)
    assert [row.row for row in result.utterances] == [2, 4]
    assert [error.row for error in result.skipped] == [3]


def test_a_quote_that_is_never_closed_names_where_it_opens(tmp_path: Path) -> None:
    path = written(tmp_path, 'text,intent\nhi,greet\n"hi,greet\nbye,greet\n')
    with pytest.raises(DataError, match=r"rows\.csv:3: not valid CSV .*close every quote"):
        read_intents(path)


@pytest.mark.parametrize(
    ("content", "columns", "said"),
    [
        ("utterance,intent\nhi,greet\n", None, "no columns are called 'text' in the header ('utterance', "),
        ("text,text,intent\nhi,hi,greet\n", None, "2 columns are called 'text'"),
        ("hi,greet\n", Columns(text=1, intent=3), "no column 3: the first line has 2"),
        (b"te\xffxt,intent\nhi,greet\n", None, "byte 2 of the file"),
    ],
)
def test_a_bad_first_line_is_never_skipped(
    tmp_path: Path, content: str | bytes, columns: Columns | None, said: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_intents(written(tmp_path, content), columns=columns, skip_bad_rows=True)
    assert said in str(caught.value)
    assert caught.value.row == 1


@pytest.mark.parametrize(
    "option", ["", "text", "text=", "text=1,text=2", "txt=1", "text=0", "text=1,intent=1", "text=intent"]
)
def test_bad_columns_are_refused(option: str) -> None:
    with pytest.raises(InputError) as caught:
        Columns.parse(option)
    assert caught.value.field == "columns"
    assert repr(option) in str(caught.value)
