from __future__ import annotations

import json
from pathlib import Path

import pytest

from skills.errors import DataError
from skills.formats import corrections, read_corrections


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pairs(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.text, each.corrections) for each in read_corrections(path).sentences]


@pytest.mark.parametrize("name", ["a.jsonl", "a.NDJSON"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    rows = [
        {"text": " He go. ", "corrections": ["He goes.", "He went.", "He goes. "], "other": 1},
        {"text": "It is fine.", "corrections": ["It is fine."]},
    ]
    path = written(tmp_path, name, "\n\n".join(map(json.dumps, rows)))
    assert pairs(path) == [("He go.", ("He goes.", "He went.")), ("It is fine.", ("It is fine.",))]
    assert [each.place for each in read_corrections(path).sentences] == [f"{path}:1", f"{path}:3"]


@pytest.mark.parametrize("header", ["", "text\tcorrection\n", "Text\tCorrections\tCorrections\r\n"])
def test_tsv_with_quotes_as_they_are(tmp_path: Path, header: str) -> None:
    path = written(tmp_path, "a.tsv", f'{header}"He" go.\t"He" goes.\tHe goes.\r\n\nFine.\tFine.\t\t\n')
    assert pairs(path) == [('"He" go.', ('"He" goes.', "He goes.")), ("Fine.", ("Fine.",))]


M2 = """S I likes it .
A 1 2|||R:VERB:SVA|||like|||REQUIRED|||-NONE-|||0
A 3 3|||M:ADV|||a lot|||REQUIRED|||-NONE-|||0
A 1 2|||R:VERB|||liked||enjoyed|||REQUIRED|||-NONE-|||1

S Fine .
A -1 -1|||noop|||-NONE-|||REQUIRED|||-NONE-|||0

S Good .

S Go to to the the Wal .
A 2 3|||U:PREP||||||REQUIRED|||-NONE-|||0
A 4 5|||U:DET|||-NONE-|||REQUIRED|||-NONE-|||0
A 5 6|||UNK|||Wal|||REQUIRED|||-NONE-|||0
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_m2_with_several_annotators(tmp_path: Path, end: str) -> None:
    path = written(tmp_path, "a.m2", M2.replace("\n", end))
    assert pairs(path) == [
        ("I likes it .", ("I like it a lot .", "I liked it .")),
        ("Fine .", ("Fine .",)),
        ("Good .", ("Good .",)),
        ("Go to to the the Wal .", ("Go to the Wal .",)),
    ]
    assert [each.row for each in read_corrections(path).sentences] == [1, 6, 9, 11]


GOOD = {"a.jsonl": '{"text": "A.", "corrections": ["A."]}\n', "a.tsv": "A.\tA.\n", "a.m2": "S A .\n\n"}


@pytest.mark.parametrize(
    ("name", "bad", "row", "said"),
    [
        ("a.jsonl", "{", 2, "not valid JSON"),
        ("a.jsonl", '{"corrections": ["A."]}', 2, "text is missing"),
        ("a.jsonl", '{"text": "A."}', 2, 'corrections are missing: write {"text"'),
        ("a.jsonl", '{"text": "A.", "corrections": []}', 2, "corrections are missing"),
        ("a.jsonl", '{"text": "A.", "corrections": "A."}', 2, "corrections is a string"),
        ("a.jsonl", '{"text": "A.", "corrections": [1]}', 2, "correction is a number"),
        ("a.jsonl", '{"text": "A.", "corrections": [" "]}', 2, "correction is blank"),
        ("a.jsonl", json.dumps({"text": "A.", "corrections": ["a" * 2001]}), 2, "correction has 2,001 char"),
        (
            "a.jsonl",
            json.dumps({"text": "A.", "corrections": ["a"] * 101}),
            2,
            "101 corrections, at most 100",
        ),
        ("a.tsv", "A.", 2, "line has no correction: write the text, a tab"),
        ("a.tsv", "A.\t\t", 2, "line has no correction"),
        ("a.tsv", "\tA.", 2, "text is blank"),
        ("a.m2", "A 0 1|||U||||||REQUIRED|||-NONE-|||0", 3, "line begins with 'A': begin a sentence with S"),
        ("a.m2", "S A\nA 0 1|||U|||b|||0", 4, "line is 'A 0 1|||U|||b|||0': write A START END|||TYPE"),
        ("a.m2", "S A\nB 0 1|||U|||b|||R|||N|||0", 4, "line is 'B 0 1"),
        ("a.m2", "S A\nA 0 x|||U|||b|||R|||N|||0", 4, "offset is 'x', no number"),
        ("a.m2", "S A\nA 0 2|||U|||b|||R|||N|||0", 4, "edit is of tokens 0 to 2, but the sentence has 1"),
        ("a.m2", "S A\nA 1 0|||U|||b|||R|||N|||0", 4, "edit is of tokens 1 to 0"),
        (
            "a.m2",
            "S A b c\nA 0 2|||U|||b|||R|||N|||0\nA 1 3|||U|||b|||R|||N|||0",
            5,
            "edit of tokens 1 to 3 overlaps that of 0 to 2 by the same annotator",
        ),
        ("a.m2", "S A\nA 0 1|||U||||||R|||N|||0", 3, "correction is blank"),
        ("a.m2", "S ", 3, "text is blank"),
    ],
)
def test_a_bad_row_names_its_place_and_can_be_skipped(
    tmp_path: Path, name: str, bad: str, row: int, said: str
) -> None:
    path = written(tmp_path, name, GOOD[name] + bad + "\n\n" + GOOD[name])
    with pytest.raises(DataError) as caught:
        read_corrections(path)
    assert str(caught.value).startswith(f"{path}:{row}: ")
    assert said in str(caught.value)
    result = read_corrections(path, skip_bad_rows=True)
    assert len(result.sentences) == 2
    assert [str(error) for error in result.skipped] == [str(caught.value)]


@pytest.mark.parametrize("name", GOOD)
def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r":1: byte \d+ of the file \(0xe9\) is not UTF-8"):
        read_corrections(written(tmp_path, name, b"S caf\xe9\tb\n"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", r"unknown suffix '.csv': use one of .jsonl, .ndjson, .tsv, .m2"),
        ("a.jsonl", "\n", "no rows: every row needs a text and its corrections"),
        ("a.m2", "\n\n", "no rows"),
    ],
)
def test_a_file_of_no_use_is_refused(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_corrections(written(tmp_path, name, content))


def test_too_many_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "MAX_ROWS", 1)
    with pytest.raises(DataError, match="more than 1 rows: use a part"):
        read_corrections(written(tmp_path, "a.tsv", GOOD["a.tsv"] * 2))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_corrections(tmp_path / "a.m2")
