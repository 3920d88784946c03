from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
from safetensors import numpy as safetensors

from nlu.backbone import Backbone
from nlu.head import IntentHead
from nlu.lexical import LexicalExpert
from nlu.loaded import LoadedSkill, load_skill
from skills.errors import InputError, SkillRefusedError
from skills.skill import Calibration, SkillDraft, SkillKind, SkillVersion
from training.relabel import Relabeling, relabel

LABELS = ("card_arrival", "exchange_rate", "top_up", "top_up_failed")
TEXTS = ["my card is not here", "dollars to euros", "add funds to it", "adding funds did not work"]

CHANGED = {"head.prototypes", "lexical.buckets", "lexical.starts", "lexical.weights"}  # by a removal

Load = Callable[[SkillDraft], LoadedSkill]


@pytest.fixture
def load(backbone: Backbone, make_version: Callable[..., SkillVersion]) -> Load:
    def loaded(draft: SkillDraft) -> LoadedSkill:
        return load_skill(make_version(draft), draft.tensors, backbone)

    return loaded


@pytest.fixture
def make(backbone: Backbone, make_draft: Callable[..., SkillDraft]) -> Callable[..., SkillDraft]:
    """Return a function that makes a draft of four intents, with or without an n-gram expert."""

    def made(kind: SkillKind = SkillKind.INTENT, *, lexical: bool = True) -> SkillDraft:
        prototypes = np.random.default_rng(5).normal(size=(4, backbone.shape.d_model)).astype(np.float32)
        expert = LexicalExpert.fit(TEXTS, range(4), 4) if lexical else None
        head = IntentHead(LABELS, prototypes, 16.0, expert, 0.0, Calibration(temperature=0.5))
        draft = make_draft(backbone, "banking", kind, intent=head)
        metrics = {"rows": 9.0, "accuracy": 0.75, "slot_f1": 0.5, "whole_frame": 0.4}
        settings = {**draft.head, "lexical_weight": 0.5 if lexical else 0.0}
        return replace(draft, head=settings, calibration=head.calibration, metrics=metrics)

    return made


def test_renaming_keeps_everything_else(make: Callable[..., SkillDraft], load: Load) -> None:
    draft = make()
    found = relabel(load(draft).version, draft.tensors, Relabeling({"top_up": "add_money"}, frozenset()))
    assert found.labels == ("card_arrival", "exchange_rate", "add_money", "top_up_failed")
    told = {"relabeled_from": "banking@3", "renamed": {"top_up": "add_money"}, "removed": []}
    assert found.provenance == replace(draft.provenance, config=told)
    assert replace(found, labels=LABELS, provenance=draft.provenance) == draft  # tensors and metrics, too


def test_names_can_be_swapped(make: Callable[..., SkillDraft], load: Load) -> None:
    draft = make()
    swapped = Relabeling({"top_up": "card_arrival", "card_arrival": "top_up"}, frozenset())
    assert relabel(load(draft).version, draft.tensors, swapped).labels == (
        LABELS[2],
        LABELS[1],
        LABELS[0],
        LABELS[3],
    )


@pytest.mark.parametrize("lexical", [True, False])
@pytest.mark.parametrize("removed", [{"exchange_rate"}, {"card_arrival", "top_up_failed"}])
def test_what_is_left_scores_as_before(
    make: Callable[..., SkillDraft], load: Load, lexical: bool, removed: set[str]
) -> None:
    draft = make(lexical=lexical)
    before = load(draft)
    found = relabel(before.version, draft.tensors, Relabeling({"top_up": "add_money"}, frozenset(removed)))
    after = load(found)  # checked as a server checks it
    kept = [place for place, label in enumerate(LABELS) if label not in removed]
    assert after.version.labels == tuple(
        LABELS[place].replace("top_up", "add_money", place == 2) for place in kept
    )
    assert before.intent is not None and after.intent is not None
    features = np.random.default_rng(7).normal(size=(len(TEXTS), 512))
    plain = [replace(head, lexical=None) for head in (before.intent, after.intent)]
    ours, theirs = (head.scores(TEXTS, features.astype(np.float32)) for head in plain)
    np.testing.assert_array_equal(theirs, ours[:, kept])
    assert _stored_ngrams(found, range(len(kept))) == _stored_ngrams(draft, kept)
    assert found.metrics == {}
    assert found.provenance.config["removed"] == sorted(removed)
    assert len(found.tensors) < len(draft.tensors)


def test_the_ngrams_of_what_is_left_still_speak_for_it(make: Callable[..., SkillDraft], load: Load) -> None:
    draft = make()
    after = load(relabel(load(draft).version, draft.tensors, Relabeling({}, frozenset({"card_arrival"}))))
    assert after.intent is not None and after.intent.lexical is not None
    best = [int(after.intent.lexical.scores(text).argmax()) for text in TEXTS[1:]]
    assert best == [0, 1, 2]


def _stored_ngrams(draft: SkillDraft, labels: Iterable[int]) -> list[tuple[list[int], list[int]]]:
    """Buckets and weights of labels in the stored n-gram expert; nothing without one."""
    stored = safetensors.load(draft.tensors)
    if "lexical.starts" not in stored:
        return []
    starts = stored["lexical.starts"]
    parts = [slice(starts[label], starts[label + 1]) for label in labels]
    return [
        (stored["lexical.buckets"][each].tolist(), stored["lexical.weights"][each].tolist()) for each in parts
    ]


def test_a_joint_skill_keeps_its_slots_and_their_metrics(make: Callable[..., SkillDraft], load: Load) -> None:
    draft = make(SkillKind.JOINT)
    before = load(draft)
    found = relabel(before.version, draft.tensors, Relabeling({}, frozenset({"top_up"})))
    after = load(found)
    assert before.slots is not None and after.slots is not None
    assert after.slots.labels == before.slots.labels
    stored, kept = safetensors.load(draft.tensors), safetensors.load(found.tensors)
    assert {name for name in stored if stored[name].tobytes() != kept[name].tobytes()} == CHANGED
    assert found.metrics == {"rows": 9.0, "slot_f1": 0.5}


@pytest.mark.parametrize("kind", [SkillKind.SLOTS, SkillKind.GRAMMAR])
def test_other_kinds_are_refused(
    kind: SkillKind, backbone: Backbone, make_draft: Callable[..., SkillDraft], load: Load
) -> None:
    draft = make_draft(backbone, "banking", kind)
    with pytest.raises(InputError, match=rf"banking@3 is of kind {kind}: only intents"):
        relabel(load(draft).version, draft.tensors, Relabeling({"city": "town"}, frozenset()))


@pytest.mark.parametrize(
    ("renamed", "removed", "message"),
    [
        ({}, set(), "nothing to relabel"),
        ({"top_upp": "x"}, set(), "no label 'top_upp'; did you mean 'top_up'"),
        ({}, {"top_upp"}, "no label 'top_upp'; did you mean 'top_up'"),
        ({"zzz": "x"}, set(), "no label 'zzz'; there are card_arrival, exchange_rate"),
        ({"top_up": "x"}, {"top_up"}, "both renamed and removed"),
        ({"top_up": "card_arrival"}, set(), "2 labels would be called 'card_arrival'.*merged"),
        ({"top_up": "x", "card_arrival": "x"}, set(), "2 labels would be called 'x'"),
        ({"top_up": "__oos__"}, set(), "__oos__ marks"),
        ({"top_up": " x"}, set(), "' x' is not valid"),
        ({"top_up": "x\n"}, set(), "is not valid"),
        ({"top_up": "x" * 129}, set(), "is not valid"),
        ({}, set(LABELS[1:]), "1 labels would be left, at least 2"),
        ({}, set(LABELS), "0 labels would be left"),
    ],
)
def test_wrong_labels_are_refused(renamed: dict[str, str], removed: set[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Relabeling(renamed, removed).apply(LABELS)


def test_tensors_of_another_skill_are_refused(make_version: Callable[..., SkillVersion]) -> None:
    version = make_version(labels=LABELS)
    for tensors in (b"no tensors", safetensors.save({"head.prototypes": np.zeros((2, 4), np.float16)})):
        with pytest.raises(SkillRefusedError, match="banking@3 cannot be relabeled"):
            relabel(version, tensors, Relabeling({}, frozenset({"exchange_rate"})))
