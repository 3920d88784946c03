from __future__ import annotations

from pathlib import Path

import pytest

from skills.errors import DataError
from skills.formats import labels, read_labels


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.yml", "# in words\nlost: my card is gone\nyes: ''\n42: 7\nno:\n"),
        (
            "a.jsonl",
            '{"intent": "lost", "description": " my card is gone "}\n{"intent": "yes"}\n\n'
            '{"intent": "42", "description": "7"}\n{"intent": "no", "description": null}\n',
        ),
    ],
)
def test_labels_are_read_with_their_descriptions(tmp_path: Path, name: str, content: str) -> None:
    found = read_labels(written(tmp_path, name, content))
    assert list(found.items()) == [("lost", "my card is gone"), ("yes", ""), ("42", "7"), ("no", "")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", r"unknown suffix '\.csv': use one of \.yml, \.yaml, \.jsonl, \.ndjson"),
        ("a.yml", "", "0 labels, at least 2 are needed"),
        ("a.yml", "a: b\n", "1 labels, at least 2 are needed"),
        ("a.yml", "a: b\nc: [d]\n", r"a\.yml:2: the description of 'c' is no text: write `c: in words`"),
        ("a.yml", "a: b\na: c\n", r"a\.yml:2: key 'a' is there twice"),
        ("a.jsonl", '{"intent": "a"}\n{"intent": "a"}\n', r"a\.jsonl:2: label 'a' is there twice"),
        ("a.jsonl", '{"description": "a"}\n', r"a\.jsonl:1: intent is missing"),
        ("a.jsonl", '{"intent": "a", "description": 3}\n', r"a\.jsonl:1: description is a number"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_labels(written(tmp_path, name, content))


def test_labels_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MAX_LABELS", 2)
    with pytest.raises(DataError, match="more than 2 labels"):
        read_labels(written(tmp_path, "a.yml", "a:\nb:\nc:\n"))
