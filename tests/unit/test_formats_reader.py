from __future__ import annotations

import json
from pathlib import Path

import pytest

from skills.errors import DataError, InputError
from skills.formats import Columns, read_intents
from skills.formats.source import MAX_BYTES


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"text": "hi", "intent": "greet"}'),
        ("a.NDJSON", '{"text": "hi", "intent": "greet"}'),
        ("a.csv", "text,intent\nhi,greet"),
        ("a.tsv", "intent\ttext\ngreet\thi"),
        ("a.yml", "nlu:\n- intent: greet\n  examples: |\n    - hi"),
        ("a.yaml", "nlu:\n- intent: greet\n  examples: |\n    - hi"),
    ],
)
def test_the_suffix_chooses_the_reader(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    (row,) = read_intents(path).utterances
    assert (row.text, row.intent, row.file) == ("hi", "greet", str(path))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.yml", "folder/"])
def test_nothing_to_read_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
    else:
        path.touch()
    with pytest.raises(DataError, match=r"no rows|no `nlu:` section"):
        read_intents(path, skip_bad_rows=True)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.yml"])
def test_a_missing_file_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="no such file") as caught:
        read_intents(tmp_path / name, skip_bad_rows=True)
    assert caught.value.file == str(tmp_path / name)


def test_a_folder_called_like_a_file_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(DataError, match="no rows"):
        read_intents(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["a.txt", "a", "a.json"])
def test_an_unknown_suffix_lists_the_known(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("hi")
    with pytest.raises(DataError, match=r"unknown suffix .*\.jsonl, \.ndjson, \.csv, \.tsv, \.yml, \.yaml"):
        read_intents(tmp_path / name)


def test_columns_are_refused_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_intents(tmp_path / "a.jsonl", columns=Columns())
    assert caught.value.field == "columns"


def test_a_file_over_the_limit_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse
    with pytest.raises(DataError, match="268,435,457 bytes"):
        read_intents(path)


@pytest.mark.parametrize("skip_bad_rows", [False, True])
def test_too_many_labels_are_refused(tmp_path: Path, skip_bad_rows: bool) -> None:
    path = tmp_path / "a.jsonl"
    lines = [json.dumps({"text": "hi", "intent": f"i{number}"}) for number in range(1001)]
    path.write_text("\n".join(lines[:1000]))
    assert len(read_intents(path).utterances) == 1000
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="more than 1,000 intents"):
        read_intents(path, skip_bad_rows=skip_bad_rows)


def test_too_many_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skills.formats.reader.MAX_ROWS", 2)  # a million rows take seconds
    path = tmp_path / "a.csv"
    path.write_text("text,intent\na,x\n,x\nb,x\n")
    with pytest.raises(DataError, match="more than 2 rows"):
        read_intents(path, skip_bad_rows=True)
