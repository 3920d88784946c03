from __future__ import annotations

from pathlib import Path

import pytest

from skills.errors import DataError
from skills.formats import read_sentences, sentences


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_text_has_one_sentence_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a.TXT", '\ufeffIt is "fine".\r\n\n  \n Really, it is. \n')
    assert read_sentences(path) == ('It is "fine".', "Really, it is.")


def test_json_lines_may_have_more_than_the_text(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"text": "It is fine. ", "intent": "x"}\n\n{"text": "No."}\n')
    assert read_sentences(path) == ("It is fine.", "No.")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", r"unknown suffix '\.csv': use one of \.txt, \.jsonl, \.ndjson"),
        ("a.txt", "\n", "no sentences: write one a line"),
        ("a.txt", b"A.\ncaf\xe9", r"a\.txt:2: byte 6 of the file \(0xe9\) is not UTF-8"),
        ("a.txt", "a" * 2001, r"a\.txt:1: text has 2,001 characters"),
        ("a.jsonl", '{"text": "A."}\n{"intent": "a"}', r"a\.jsonl:2: text is missing"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_sentences(written(tmp_path, name, content))


def test_too_many_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "MAX_ROWS", 1)
    with pytest.raises(DataError, match="more than 1 rows"):
        read_sentences(written(tmp_path, "a.txt", "A.\nB.\n"))
