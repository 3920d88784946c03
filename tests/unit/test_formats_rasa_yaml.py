from __future__ import annotations

from pathlib import Path

import pytest

from skills.errors import DataError
from skills.formats import PhraseKind, PhraseList, read_intents
from skills.utterance import Entity

NLU = """\
version: "3.1"

nlu:
- intent: greet
  examples: |
    - hello
    # not an example

    - good morning 🙂
- intent: faq/ask_name
  metadata: {sentiment: neutral}
  examples:
  - text: |
      who are you
    metadata: {a: b}
  - text: your name?
- intent: book
  examples: |
    -   fly to [NYC]{"entity": "city", "value": "New York City", "role": "to"}
- synonym: New York City
  examples: |
    - NYC
    - the big apple
- lookup: city
  examples: |
    - Denver
- regex: number
  examples: |
    - \\d{10,12}
"""


def written(folder: Path, content: str, name: str = "nlu.yml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def test_every_section_is_read_with_its_lines(tmp_path: Path) -> None:
    result = read_intents(written(tmp_path, NLU), skip_bad_rows=True)
    assert [(row.text, row.intent, row.row) for row in result.utterances] == [
        ("hello", "greet", 6),
        ("good morning 🙂", "greet", 9),
        ("who are you", "faq/ask_name", 13),
        ("your name?", "faq/ask_name", 16),
        ("fly to NYC", "book", 19),
    ]
    assert result.utterances[-1].entities == (Entity("city", 7, 10, "New York City", role="to"),)
    assert [(error.row, error.field) for error in result.skipped] == [(7, "examples")]
    assert result.phrases == (
        PhraseList(PhraseKind.SYNONYM, "New York City", ("NYC", "the big apple")),
        PhraseList(PhraseKind.LOOKUP, "city", ("Denver",)),
        PhraseList(PhraseKind.REGEX, "number", (r"\d{10,12}",)),
    )


def test_a_folder_is_read_with_its_folders_in_order(tmp_path: Path) -> None:
    for name, text in (("b.yml", "two"), ("a/deep/x.YAML", "one"), (".hidden/x.yml", "no"), ("n.txt", "no")):
        written(tmp_path, f"nlu:\n- intent: i\n  examples: |\n    - {text}\n", name)
    written(tmp_path, "rules: []\n", "rules.yml")
    written(tmp_path, "", "empty.yml")
    written(tmp_path, "- a list\n", "list.yml")
    written(tmp_path, "nlu:\n", "null.yml")
    rows = read_intents(tmp_path).utterances
    assert [row.text for row in rows] == ["one", "two"]
    assert [row.file for row in rows] == [str(tmp_path / "a/deep/x.YAML"), str(tmp_path / "b.yml")]


@pytest.mark.parametrize("intent", ["yes", "42", "2026-01-01", "1.0"])
def test_a_name_stays_as_written(tmp_path: Path, intent: str) -> None:
    path = written(tmp_path, f'nlu:\n- intent: {intent}\n  examples: "- a\\n- b"\n')
    assert [(row.intent, row.row) for row in read_intents(path).utterances] == [(intent, 3), (intent, 3)]


@pytest.mark.parametrize(
    ("item", "row", "field", "said"),
    [
        ("- intent: a\n  examples: |\n    hello", 4, "examples", "'hello' does not begin with `- `"),
        ("- intent: a\n  examples: |\n    - [x](y", 4, "text", "not balanced"),
        ("- intent: a\n  examples: |\n    -", 4, "text", "text is blank"),
        ("- intent: a\n  examples: >\n    - x\n    - y", 3, "examples", "joins all lines"),
        ("- intent: a\n  examples:\n    x: y", 4, "examples", "neither a text nor a list"),
        ("- intent: a\n  examples:\n  - metadata: x", 4, "text", "text is missing"),
        ("- intent: a\n  examples:\n  - text: x\n    text: y", 5, "", "'text' is there twice"),
        ("- intent: a", 2, "examples", "has no examples"),
        ("- intent: a\n  examples:", 2, "examples", "has no examples"),
        ("- intent:\n  examples: |\n    - x", 2, "intent", "intent is missing"),
        ("- intent: [a]\n  examples: |\n    - x", 2, "intent", "intent is missing"),
        ("- intents: a\n  examples: |\n    - x", 2, "", "none of the keys"),
        ("- intent: a\n  synonym: b\n  examples: |\n    - x", 2, "", "intent and synonym of the keys"),
        ("- lookup: a\n  examples: |\n    x", 4, "examples", "does not begin"),
        ("- hello", 2, "", "item has no keys"),
    ],
)
def test_a_bad_item_names_its_place_and_can_be_skipped(
    tmp_path: Path, item: str, row: int, field: str, said: str
) -> None:
    path = written(tmp_path, f"nlu:\n{item}\n- intent: b\n  examples: |\n    - good\n")
    with pytest.raises(DataError) as caught:
        read_intents(path)
    assert said in str(caught.value)
    assert (caught.value.file, caught.value.row, caught.value.field) == (str(path), row, field)

    result = read_intents(path, skip_bad_rows=True)
    assert [utterance.text for utterance in result.utterances] == ["good"]
    assert [str(error) for error in result.skipped] == [str(caught.value)]


@pytest.mark.parametrize(
    ("content", "row", "said"),
    [
        ("stories: []\n", None, "no `nlu:` section"),
        ("version: '1.0'\nnlu: []\n", 1, "version is '1.0'"),
        ("nlu: yes\n", 1, "`nlu` is not a list"),
        ("nlu: []\nnlu: []\n", 2, "'nlu' is there twice"),
        ("nlu:\n- intent: [a\n", 3, "not valid YAML"),
        ("nlu: []\n---\nnlu: []\n", 2, "not valid YAML"),
        ("nlu: \x07\n", None, "not valid YAML"),
        ("nlu: " + "[" * 200_000, None, "nested more than 100 deep"),
        ("nlu: []\n", None, "no rows"),
    ],
)
def test_a_bad_file_is_never_skipped(tmp_path: Path, content: str, row: int | None, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_intents(written(tmp_path, content), skip_bad_rows=True)
    assert said in str(caught.value)
    assert caught.value.row == row


def test_bytes_that_are_not_utf_8_are_named(tmp_path: Path) -> None:
    path = tmp_path / "nlu.yml"
    path.write_bytes(b"nlu:\n- intent: caf\xe9\n")
    with pytest.raises(DataError, match=r"nlu\.yml:2: byte 18 of the file \(0xe9\) is not UTF-8"):
        read_intents(path)


def test_tags_make_no_objects(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    tag = f"!!python/object/apply:pathlib.Path.touch [{ran}]"
    path = written(
        tmp_path, f"nlu:\n- intent: {tag}\n  examples: |\n    - x\n- intent: a\n  examples: '- b'\n"
    )
    result = read_intents(path, skip_bad_rows=True)
    assert [row.text for row in result.utterances] == ["b"]
    assert not ran.exists()
