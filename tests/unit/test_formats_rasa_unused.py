"""A whole Rasa project as data: tests/rasa/library, which a real Rasa trains on in the acceptance tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from skills.errors import DataError
from skills.formats.phrases import PhraseKind
from skills.formats.rasa_unused import Unused, unused_parts
from skills.skill import SkillKind
from skills.utterance import Entity, Utterance
from training.cli.labeled_files import LabeledFiles, unused_lines

LIBRARY = Path(__file__).parents[1] / "rasa" / "library"
NOT_NLU = "not NLU data"
NO_SLOT = "no row has a slot that it is of"
OLDER = "not YAML; `rasa data convert nlu` makes it of NLU data"


def unused_of(kind: SkillKind, path: Path = LIBRARY) -> dict[str, str]:
    """Return reasons by place and part."""
    files = LabeledFiles((path,))
    data, _ = files.training_data(kind)
    return {
        f"{Path(each.file).relative_to(LIBRARY)}:{each.row or ''} {each.what}": each.reason
        for each in files.unused(data)
    }


def test_a_project_is_read_with_roles_synonyms_and_retrieval_intents() -> None:
    data, skipped = LabeledFiles((LIBRARY / "data",)).training_data(SkillKind.JOINT)
    rows = [row for row in data.train if isinstance(row, Utterance)]
    assert (len(rows), skipped) == (20, ())
    assert {row.intent for row in rows} == {"borrow", "move", "faq/opening", "faq/fines"}
    [sent] = [row for row in rows if row.text == "send it from Mill Lane to the harbour"]
    assert sent.entities == (
        Entity("branch", 13, 22, "Mill Lane", role="from"),
        Entity("branch", 26, 37, "Harbour Square", role="to"),
    )
    assert {(each.kind, each.name) for each in data.phrases} == {
        (PhraseKind.REGEX, "card_number"),
        (PhraseKind.LOOKUP, "title"),
        (PhraseKind.LOOKUP, "author"),
        (PhraseKind.SYNONYM, "Mill Lane"),
        (PhraseKind.SYNONYM, "children"),
    }


def test_what_is_not_used_is_named_with_its_reason() -> None:
    assert unused_of(SkillKind.JOINT) == {
        "config.yml: recipe, language, assistant_id, pipeline, policies": NOT_NLU,
        "domain.yml: intents, entities, responses": NOT_NLU,
        "data/dialogue/stories.yml: stories": NOT_NLU,
        "data/dialogue/rules.yml: rules": NOT_NLU,
        "data/nlu/faq/questions.yaml: responses": NOT_NLU,
        "data/nlu/move.yml:14 synonym children": NO_SLOT,
        "data/nlu/move.yml:17 lookup author": NO_SLOT,
        "data/old.md: file": OLDER,
    }


def test_an_intent_skill_has_no_use_for_phrases() -> None:
    assert unused_of(SkillKind.INTENT, LIBRARY / "data" / "nlu" / "borrow.yml") == {
        "data/nlu/borrow.yml:12 regex card_number": "a skill of kind intent has no slots",
        "data/nlu/borrow.yml:15 lookup title": "a skill of kind intent has no slots",
    }


def test_a_bad_item_was_told_of_and_a_bad_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "nlu.yml"
    path.write_text("nlu:\n- hello\n- lookup:\n- lookup: city\n- lookup: a\n  lookup: b\n", encoding="utf-8")
    assert list(unused_parts(path, lambda kind, name: "why")) == [Unused(str(path), 4, "lookup city", "why")]
    path.write_text("nlu: [", encoding="utf-8")
    with pytest.raises(DataError, match="not valid YAML"):
        list(unused_parts(path, lambda kind, name: ""))
    assert list(unused_parts(tmp_path / "rows.jsonl", lambda kind, name: "")) == []


def test_many_lines_are_cut_short() -> None:
    lines = unused_lines([Unused("nlu.yml", row, f"lookup {row}", "why") for row in range(1, 24)])
    assert (lines[0], lines[-1], len(lines)) == ("nlu.yml:1: lookup 1: why", "and 3 more", 21)
