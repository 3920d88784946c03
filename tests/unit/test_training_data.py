from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills import training_data
from skills.correction import CorrectedSentence
from skills.errors import DataError, InputError
from skills.formats import PhraseKind, PhraseList
from skills.resolution import SlotType, ValueKind
from skills.skill import OUT_OF_SCOPE_LABEL, SkillKind
from skills.training_data import TrainingData
from skills.utterance import Entity, Utterance
from training.cli.labeled_files import LabeledFiles

STRIPPED = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: text == text.strip() and bool(text)
)
NAME = STRIPPED.filter(lambda text: text.isprintable() and ":" not in text)
HEADER = {"format": 1, "kind": "intent", "train": 1, "dev": None, "phrases": [], "slot_types": {}}
ROW = {"text": "hi", "intent": "greet", "split": "train"}


@st.composite
def slot_rows(draw: st.DrawFn) -> Utterance:
    """Words, some of them slots, between spaces."""
    words = draw(st.lists(STRIPPED, min_size=1, max_size=4))
    entities, start = [], 0
    for word in words:
        if draw(st.booleans()):
            value = draw(STRIPPED) if draw(st.booleans()) else word
            role, group = draw(NAME | st.just("")), draw(NAME | st.just(""))
            entities.append(Entity(draw(NAME), start, start + len(word), value, role, group))
        start += len(word) + 1
    expected = tuple(draw(st.lists(NAME, max_size=2)))
    return Utterance(" ".join(words), draw(NAME | st.just("")), "", 0, tuple(entities), expected)


INTENT_ROWS = st.builds(Utterance, STRIPPED, NAME | st.just(OUT_OF_SCOPE_LABEL))
SENTENCES = st.builds(
    CorrectedSentence, STRIPPED, st.lists(STRIPPED, min_size=1, max_size=3, unique=True).map(tuple)
)
PHRASES = st.builds(
    PhraseList, st.sampled_from(PhraseKind), NAME, st.lists(STRIPPED | st.just(""), max_size=3).map(tuple)
)
SLOT_TYPE = st.builds(
    SlotType,
    st.sampled_from([kind for kind in ValueKind if kind is not ValueKind.LIST]),
    st.sampled_from([{}, {"Rome": ("Roma",), "Oslo": ()}]),
    st.sampled_from([(), ("[0-9]{2}", "é+")]),
)


@st.composite
def data(draw: st.DrawFn) -> TrainingData:
    kind = draw(st.sampled_from(SkillKind))
    rows: st.SearchStrategy[Any] = {SkillKind.INTENT: INTENT_ROWS, SkillKind.GRAMMAR: SENTENCES}.get(
        kind, slot_rows()
    )
    several = st.lists(rows, max_size=4).map(tuple)
    return TrainingData(
        kind,
        draw(several),
        draw(st.none() | several),
        tuple(draw(st.lists(PHRASES, max_size=2))),
        draw(st.dictionaries(NAME, SLOT_TYPE, max_size=2)),
        draw(st.dictionaries(NAME, STRIPPED | st.just(""), max_size=2)),
    )


def without_places(value: TrainingData) -> TrainingData:
    def bare(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(replace(row, file="", row=0) for row in rows)

    return replace(value, train=bare(value.train), dev=None if value.dev is None else bare(value.dev))


@given(data())
def test_what_was_written_is_read(value: TrainingData) -> None:
    written = value.to_bytes()

    read = TrainingData.from_bytes(written)

    assert without_places(read) == value
    assert read.to_bytes() == written
    places = [row.place for row in (*read.train, *(read.dev or ()))]
    assert places == [f"training data:{number}" for number in range(2, len(places) + 2)]


SLOT_FILES = {
    "a.jsonl": '{"text": "to Rome now", "slots": [{"slot": "city", "start": 3, "end": 7, "value": "Rome", '
    '"role": "to"}], "id": 7}\n',
    "a.conll": "to O\nRome B-city:to\nnow O\n",
}
INTENT_FILES = {
    "a.jsonl": '{"text": " to Rome ", "intent": "go"}\n\n{"intent": "stay", "text": "no"}\n',
    "a.csv": "intent,text\ngo,to Rome\nstay,no\n",
    "a.yml": "nlu:\n- intent: go\n  examples: |\n    - to [Rome](city)\n"
    "- intent: stay\n  examples: |\n    - no\n",
}
CORRECTION_FILES = {
    "a.jsonl": '{"text": "he go", "corrections": ["he goes"]}\n',
    "a.tsv": "he go\the goes\n",
    "a.m2": "S he go\nA 1 2|||R:VERB|||goes|||REQUIRED|||-NONE-|||0\n",
}


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        (SkillKind.INTENT, INTENT_FILES),
        (SkillKind.SLOTS, SLOT_FILES),
        (SkillKind.GRAMMAR, CORRECTION_FILES),
    ],
)
def test_the_same_rows_of_any_format_are_the_same_bytes(
    tmp_path: Path, kind: SkillKind, files: dict[str, str]
) -> None:
    found = set()
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        value, skipped = LabeledFiles((tmp_path / name,)).training_data(kind)
        assert not skipped
        found.add(value.to_bytes())

    assert len(found) == 1


def test_white_space_around_what_rasa_says_of_a_slot_is_none_of_it(tmp_path: Path) -> None:
    example = 'to [Rome]{"entity": "city", "role": " to ", "value": " Roma "}'
    path = tmp_path / "a.yml"
    path.write_text(f"nlu:\n- intent: go\n  examples: |\n    - {example}\n", encoding="utf-8")

    value, _ = LabeledFiles((path,)).training_data(SkillKind.JOINT)

    assert without_places(value).train == (
        Utterance("to Rome", "go", entities=(Entity("city", 3, 7, "Roma", "to"),)),
    )


def test_the_order_of_slot_types_changes_nothing() -> None:
    types = {"b": SlotType(ValueKind.DATE), "a": SlotType(ValueKind.TIME)}
    both = [
        TrainingData(SkillKind.SLOTS, (), slot_types=each) for each in (types, dict(sorted(types.items())))
    ]

    assert both[0].to_bytes() == both[1].to_bytes()


def lines(*records: object) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


@pytest.mark.parametrize(
    ("content", "row", "said"),
    [
        (b"", 1, "not valid JSON"),
        (b"[]\n", 1, "not a JSON object"),
        (lines(HEADER | {"format": 2}), 1, "format is 2, this program reads 1"),
        (lines(HEADER | {"kind": "chat"}), 1, "kind is 'chat', known are intent"),
        (lines(HEADER), 1, "rows are 1 to train on and 0 held out, but 0 and 0 follow"),
        (lines(HEADER, ROW, ROW), 1, "but 2 and 0 follow"),
        (lines(HEADER, ROW | {"split": "dev"}), 1, "but 0 and 1 follow"),
        (lines(HEADER, ROW | {"split": ["train"]}), 2, "split is ['train']: write train or dev"),
        (lines(HEADER, {"text": "hi", "split": "train"}), 2, "intent is missing"),
        (lines(HEADER, ROW) + b"\n", 3, "not valid JSON"),
        (lines(HEADER)[:-1] + b"\n\xff\n", 2, "is not UTF-8"),
        (lines(HEADER | {"kind": "slots"}, ROW), 2, "slots are missing"),
        (lines(HEADER | {"kind": "grammar"}, ROW), 2, "corrections are missing"),
        (lines(HEADER | {"phrases": None}, ROW), 1, "phrases is null: write a list"),
        (lines(HEADER | {"phrases": [{"kind": "x"}]}, ROW), 1, "a list of phrases is {'kind': 'x'}: write"),
        (
            lines(HEADER | {"phrases": [{"kind": "regex", "name": "a", "phrases": [1]}]}, ROW),
            1,
            "phrases of 'a' are not all strings",
        ),
        (lines(HEADER | {"slot_types": []}, ROW), 1, "slot types are a list"),
        (lines(HEADER | {"slot_types": {"a": {"kind": "x"}}}, ROW), 1, "slot type 'a': kind is 'x'"),
    ],
)
def test_bad_bytes_are_refused_with_their_line(content: bytes, row: int, said: str) -> None:
    with pytest.raises(DataError) as caught:
        TrainingData.from_bytes(content)

    assert caught.value.row == row
    assert f"training data:{row}: " in str(caught.value)
    assert said in str(caught.value)


def utterances(number: int, make: Callable[[int], Utterance]) -> tuple[Utterance, ...]:
    return tuple(make(index) for index in range(number))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (utterances(1001, lambda index: Utterance("hi", f"i{index}")), "1,001 intents, at most 1,000"),
        (
            utterances(1001, lambda index: Utterance("hi", "", entities=(Entity(f"s{index}", 0, 2, "hi"),))),
            "1,001 slots, at most 1,000",
        ),
    ],
)
def test_labels_are_bounded(rows: tuple[Utterance, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        TrainingData(SkillKind.JOINT, rows)


def test_rows_and_bytes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Utterance("hi", "greet")
    written = TrainingData(SkillKind.INTENT, (row, row)).to_bytes()
    monkeypatch.setattr(training_data, "MAX_ROWS", 1)
    with pytest.raises(InputError, match="2 rows, at most 1 are allowed"):
        TrainingData(SkillKind.INTENT, (row,), (row,))
    monkeypatch.setattr(training_data, "MAX_BYTES", len(written) - 1)
    with pytest.raises(DataError, match=r"bytes, at most [\d,]+ are allowed"):
        TrainingData.from_bytes(written)
