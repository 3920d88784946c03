"""The sample data under examples/ is what its README and its formats say."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from skills.resolution import Resolver, read_schema

EXAMPLES = Path(__file__).parents[2] / "examples"
CONCIERGE = EXAMPLES / "concierge"
OUT_OF_SCOPE = "__oos__"
SLOTS = {
    "account",
    "amount",
    "city",
    "currency",
    "date",
    "flight_number",
    "hotel",
    "passengers",
    "person",
    "time",
}
RASA_ENTITY = re.compile(r"\[([^\]]+)\](?:\(([a-z_]+)\)|(\{[^}]+\}))")

Row = dict[str, Any]


def rows(name: str) -> list[Row]:
    return [json.loads(line) for line in (CONCIERGE / name).read_text(encoding="utf-8").splitlines()]


def normalised(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def rasa_blocks(name: str) -> list[Row]:
    document = yaml.safe_load((CONCIERGE / "rasa" / name).read_text(encoding="utf-8"))
    assert document["version"] == "3.1"
    blocks: list[Row] = document["nlu"]
    return blocks


def rasa_examples(block: Row) -> list[str]:
    return [line.removeprefix("- ") for line in block["examples"].splitlines()]


def all_rasa_blocks() -> list[Row]:
    return rasa_blocks("banking.yml") + rasa_blocks("travel.yml")


def trained_intents() -> dict[str, str]:
    return {row["text"]: row["intent"] for row in rows("intents.jsonl")}


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("intents.jsonl", {"text", "intent"}),
        ("intents_heldout.jsonl", {"text", "intent"}),
        ("out_of_scope.jsonl", {"text", "intent"}),
        ("slots.jsonl", {"text", "slots"}),
        ("grammar.jsonl", {"text", "corrections"}),
    ],
)
def test_rows_have_their_fields_and_a_trimmed_text(name: str, keys: set[str]) -> None:
    for row in rows(name):
        assert set(row) - {"requested"} == keys, row
        assert row["text"] and row["text"] == row["text"].strip(), row


@pytest.mark.parametrize(
    ("name", "minimum"),
    [("intents.jsonl", 16), ("intents_heldout.jsonl", 5)],
)
def test_every_intent_has_enough_utterances(name: str, minimum: int) -> None:
    counts = Counter(row["intent"] for row in rows(name) if row["intent"] != OUT_OF_SCOPE)

    assert len(counts) >= 14
    assert min(counts.values()) >= minimum


def test_held_out_labels_are_trained_ones_or_out_of_scope() -> None:
    trained = {row["intent"] for row in rows("intents.jsonl")}
    held_out = {row["intent"] for row in rows("intents_heldout.jsonl")}

    assert OUT_OF_SCOPE not in trained
    assert held_out == trained | {OUT_OF_SCOPE}


def test_out_of_scope_rows_are_marked() -> None:
    assert len(rows("out_of_scope.jsonl")) >= 60
    assert {row["intent"] for row in rows("out_of_scope.jsonl")} == {OUT_OF_SCOPE}
    assert sum(row["intent"] == OUT_OF_SCOPE for row in rows("intents_heldout.jsonl")) >= 20


def test_no_utterance_is_there_twice_in_or_across_the_intent_files() -> None:
    files = ("intents.jsonl", "intents_heldout.jsonl", "out_of_scope.jsonl")
    counts = Counter(normalised(row["text"]) for name in files for row in rows(name))

    assert [text for text, count in counts.items() if count > 1] == []


def test_slot_offsets_are_exact_ordered_and_do_not_overlap() -> None:
    for row in rows("slots.jsonl"):
        end = 0
        for slot in row["slots"]:
            assert row["text"][slot["start"] : slot["end"]] == slot["value"], row
            assert slot["start"] >= end, row
            assert slot["value"] == slot["value"].strip() != "", row
            end = slot["end"]


def test_slot_names_and_roles_are_the_documented_ones() -> None:
    annotations = [slot for row in rows("slots.jsonl") for slot in row["slots"]]
    with_role = {slot["slot"] for slot in annotations if "role" in slot}

    assert {slot["slot"] for slot in annotations} == SLOTS
    assert with_role == {"account", "city"}
    assert {slot["role"] for slot in annotations if "role" in slot} == {"origin", "destination"}
    assert min(Counter(slot["slot"] for slot in annotations).values()) >= 10


@pytest.mark.parametrize(
    ("slot", "raw", "value"),
    [
        ("city", "NYC", "New York"),
        ("city", "malaga", "Málaga"),
        ("city", "Vik", "Vik"),
        ("currency", "quid", "GBP"),
        ("currency", "€", "EUR"),
        ("amount", "two hundred", "200"),
        ("date", "tomorrow", "2026-03-05"),
        ("time", "half past eleven", "11:30"),
        ("flight_number", "LH 2031", "LH 2031"),
        ("person", "mum", "mum"),
    ],
)
def test_slot_types_resolve_values(slot: str, raw: str, value: str) -> None:
    types = read_schema(CONCIERGE / "slot_types.toml")

    assert set(types) <= SLOTS
    assert Resolver(types).resolve(slot, raw, now=datetime(2026, 3, 4, 12)) == value


def test_slot_rows_are_many_and_cover_the_special_cases() -> None:
    annotated = rows("slots.jsonl")
    trained = trained_intents()

    assert sum(bool(row["slots"]) for row in annotated) >= 170
    assert sum(row["text"] in trained for row in annotated) >= 150
    assert any(not row["slots"] for row in annotated)
    assert any(" " in slot["value"] for row in annotated for slot in row["slots"])
    assert any(max(Counter(s["slot"] for s in row["slots"]).values(), default=0) > 1 for row in annotated)
    assert any(not row["text"][: row["slots"][0]["start"]].isascii() for row in annotated if row["slots"])


def test_requested_slots_are_known_and_no_question_is_answered_twice_alike() -> None:
    annotated = rows("slots.jsonl")
    requested = [row["requested"] for row in annotated if "requested" in row]
    keys = Counter((row["text"].casefold(), tuple(row.get("requested", ()))) for row in annotated)

    assert len(requested) >= 20
    assert {name for names in requested for name in names} <= SLOTS
    assert [key for key, count in keys.items() if count > 1] == []


def test_slot_rows_leave_the_held_out_utterances_alone() -> None:
    held_out = {normalised(row["text"]) for row in rows("intents_heldout.jsonl")}

    assert [row["text"] for row in rows("slots.jsonl") if normalised(row["text"]) in held_out] == []


def test_grammar_rows_are_corrected_or_right_as_they_are() -> None:
    pairs = rows("grammar.jsonl")
    clean = [pair for pair in pairs if pair["text"] in pair["corrections"]]

    assert len(pairs) - len(clean) >= 130
    assert len(clean) >= 20
    for pair in pairs:
        assert pair["corrections"] and all(pair["corrections"]), pair
        assert len(set(pair["corrections"])) == len(pair["corrections"]), pair
    assert all(pair["corrections"] == [pair["text"]] for pair in clean)


def test_grammar_texts_are_there_once() -> None:
    counts = Counter(pair["text"] for pair in rows("grammar.jsonl"))

    assert [text for text, count in counts.items() if count > 1] == []


def test_rasa_files_hold_the_same_utterances_as_the_jsonl() -> None:
    blocks = [block for block in all_rasa_blocks() if "intent" in block]

    assert len({block["intent"] for block in blocks}) == 4
    for block in blocks:
        texts = [RASA_ENTITY.sub(r"\1", example) for example in rasa_examples(block)]
        assert texts == [text for text, intent in trained_intents().items() if intent == block["intent"]]


def test_rasa_entities_agree_with_the_slot_annotations() -> None:
    annotated = {row["text"]: row["slots"] for row in rows("slots.jsonl") if "requested" not in row}
    examples = [e for block in all_rasa_blocks() if "intent" in block for e in rasa_examples(block)]

    for example in examples:
        found = []
        for value, name, attributes in RASA_ENTITY.findall(example):
            entity = json.loads(attributes) if attributes else {"entity": name}
            found.append((value, entity["entity"], entity.get("role")))
        slots = annotated.get(RASA_ENTITY.sub(r"\1", example), [])
        assert found == [(slot["value"], slot["slot"], slot.get("role")) for slot in slots], example


def test_rasa_files_hold_one_synonym_one_lookup_and_one_regex() -> None:
    kinds = Counter(
        kind for block in all_rasa_blocks() for kind in ("synonym", "lookup", "regex") if kind in block
    )
    (regex,) = [block for block in all_rasa_blocks() if "regex" in block]
    (pattern,) = rasa_examples(regex)

    assert kinds == {"synonym": 1, "lookup": 1, "regex": 1}
    assert regex["regex"] == "flight_number" and re.search(pattern, "is LH 2031 on time")


@pytest.mark.parametrize(
    "name", ["intents.jsonl", "intents_heldout.jsonl", "out_of_scope.jsonl", "slots.jsonl", "grammar.jsonl"]
)
def test_the_readme_gives_the_row_count(name: str) -> None:
    readme = (CONCIERGE / "README.md").read_text(encoding="utf-8")

    assert f"| `{name}` | {len(rows(name))} |" in readme


def test_the_node_client_is_private_pinned_and_finds_the_contract() -> None:
    folder = EXAMPLES / "clients" / "node"
    package = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    source = (folder / "parse.mjs").read_text(encoding="utf-8")
    (proto,) = re.findall(r'new URL\("([^"]+\.proto)", import\.meta\.url\)', source)

    assert package["private"] is True
    assert set(package["dependencies"]) == {"@grpc/grpc-js", "@grpc/proto-loader"}
    assert all(re.fullmatch(r"\^\d+\.\d+\.\d+", wanted) for wanted in package["dependencies"].values())
    assert (folder / proto).resolve().is_file()
