from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load, save

from nlu.head import IntentHead
from nlu.lexical import LexicalExpert
from nlu.loaded import LoadedSkill, load_skill, pack_skill
from nlu.prompt import Prompt
from nlu.shape import EncoderShape
from skills.errors import SkillRefusedError
from skills.skill import Calibration, Method, SkillVersion

MakeVersion = Callable[..., SkillVersion]
Tensors = dict[str, NDArray[Any]]

FINGERPRINT, ADAPTED = "f" * 64, "a" * 64
SHAPE = EncoderShape(32128, 512, 64, 1024, 8, 6, 32, 128, 1e-6)
DECODER = replace(SHAPE, num_layers=3)
LABELS = ("card_arrival", "exchange_rate", "top_up")
CALIBRATION = Calibration(temperature=0.8, scope_weight=0.5, scope_bias=-3.0, scope_threshold=0.4)
MISSING: Any = None


@dataclass(frozen=True)
class Identity:
    """Of a backbone that need not be loaded."""

    fingerprint: str
    adapted_fingerprint: str | None
    shape: EncoderShape
    decoder_shape: EncoderShape


BACKBONE = Identity(FINGERPRINT, ADAPTED, SHAPE, DECODER)


def make_prompt(*, soft: bool = False, length: int = 16) -> Prompt:
    generator = np.random.default_rng(0)
    layers = (SHAPE.prompted_layers, 2, length, SHAPE.d_attention)
    if soft:
        return Prompt(soft=generator.normal(size=(length, SHAPE.d_model)).astype(np.float32))
    return Prompt(deep=generator.normal(size=layers).astype(np.float32))


def make_head(labels: tuple[str, ...] = LABELS) -> IntentHead:
    generator = np.random.default_rng(1)
    prototypes = generator.normal(size=(len(labels), SHAPE.d_model)).astype(np.float32)
    rows = [(i, f"{label} {j}") for i, label in enumerate(labels) for j in range(2)]
    return IntentHead(
        labels=labels,
        prototypes=prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True),
        scale=16.0,
        lexical=LexicalExpert.fit([text for _, text in rows], [i for i, _ in rows], len(labels)),
        lexical_weight=0.75,
        calibration=CALIBRATION,
    )


def changed(blob: bytes, **changes: Any) -> bytes:
    """Change tensors of a packed skill; dots in names are written as two underscores."""
    tensors: Tensors = load(blob)
    for name, change in changes.items():
        tensors[name.replace("__", ".")] = change
    return save({name: tensor for name, tensor in tensors.items() if tensor is not MISSING})


@pytest.fixture
def version(make_version: MakeVersion) -> SkillVersion:
    return make_version(
        labels=LABELS,
        backbone=FINGERPRINT,
        head={"scale": 16.0, "lexical_weight": 0.75},
        calibration=CALIBRATION,
    )


def load_packed(version: SkillVersion, blob: bytes) -> LoadedSkill:
    return load_skill(version, blob, BACKBONE)


@pytest.mark.parametrize("soft", [False, True])
def test_what_is_packed_is_loaded(version: SkillVersion, soft: bool) -> None:
    prompt, head = make_prompt(soft=soft), make_head()
    version = replace(version, method=Method.SOFT_PROMPT if soft else Method.DEEP_PROMPT)
    loaded = load_packed(version, pack_skill(prompt, head))
    assert loaded.intent is not None and loaded.slots is None and loaded.grammar is None
    [array], [expected] = loaded.prompt.arrays(), prompt.arrays()
    assert array.dtype == (np.float32 if soft else np.float16)
    np.testing.assert_allclose(array, expected, rtol=0 if soft else 1e-3, atol=0 if soft else 1e-5)
    features = head.unit_prototypes[::-1].copy()
    texts = ["top up 1", "exchange rate", "arrival"]
    output, original = loaded.intent.predict(texts, features), head.predict(texts, features)
    np.testing.assert_allclose(output.probabilities, original.probabilities, atol=5e-3)
    np.testing.assert_allclose(output.in_scope, original.in_scope, atol=5e-3)
    np.testing.assert_allclose(np.linalg.norm(loaded.intent.unit_prototypes, axis=1), 1, rtol=1e-5)


def test_packing_gives_the_same_bytes_again() -> None:
    assert pack_skill(make_prompt(), make_head()) == pack_skill(make_prompt(), make_head())


def test_a_skill_without_lexical_expert(version: SkillVersion) -> None:
    blob = pack_skill(make_prompt(), replace(make_head(), lexical=None, lexical_weight=0.0))
    assert not any(name.startswith("lexical") for name in load(blob))
    loaded = load_packed(replace(version, head={"scale": 16.0, "lexical_weight": 0.0}), blob)
    assert loaded.intent is not None and loaded.intent.lexical is None


def test_a_skill_of_77_labels_is_small() -> None:
    head = make_head(tuple(f"label_{i}" for i in range(77)))
    generator = np.random.default_rng(0)
    words = ["".join(generator.choice(list("abcdefghijklmnopqrstuvwxyz"), 5)) for _ in range(2000)]
    texts = [" ".join(generator.choice(words, 12)) for _ in range(770)]  # BANKING77's rows have 12 words
    head = replace(head, lexical=LexicalExpert.fit(texts, [i % 77 for i in range(770)], 77))
    assert len(pack_skill(make_prompt(), head)) < 600_000


def test_a_skill_runs_on_what_it_was_made_on(version: SkillVersion) -> None:
    blob = pack_skill(make_prompt(), make_head())
    assert not load_packed(version, blob).prompt.adapted
    assert load_packed(replace(version, backbone=ADAPTED), blob).prompt.adapted
    without = replace(BACKBONE, adapted_fingerprint=None)
    assert not load_skill(version, blob, without).prompt.adapted
    with pytest.raises(SkillRefusedError, match="trained on backbone aaaa"):
        load_skill(replace(version, backbone=ADAPTED), blob, without)


def test_another_backbone_is_refused(version: SkillVersion) -> None:
    with pytest.raises(SkillRefusedError, match=r"banking@3 was trained on backbone 0000.*ffff.*is loaded"):
        load_packed(replace(version, backbone="0" * 64), pack_skill(make_prompt(), make_head()))


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_file_is_refused(version: SkillVersion, kept: int) -> None:
    with pytest.raises(SkillRefusedError, match="banking@3 cannot be served"):
        load_packed(version, pack_skill(make_prompt(), make_head())[:kept])


def nan(*shape: int) -> NDArray[np.float16]:
    array = np.zeros(shape, np.float16)
    array.flat[-1] = np.nan
    return array


DEEP = (4, 2, 16, 384)
BUCKETS = make_head().lexical.by_label().buckets  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prompt__deep": nan(*DEEP)}, "prompt.deep has values that are not finite"),
        ({"prompt__deep": np.full(DEEP, np.inf, np.float32)}, "prompt.deep has values that are not finite"),
        ({"head__prototypes": nan(3, 512)}, "head.prototypes has values that are not finite"),
        ({"lexical__scale": nan(1)}, "lexical.scale has values that are not finite"),
        ({"prompt__deep": MISSING}, "lacks 'prompt.deep'"),
        ({"head__prototypes": MISSING}, "lacks 'head.prototypes'"),
        ({"lexical__buckets": MISSING}, "lacks 'lexical.buckets'"),
        ({"lexical__weights": MISSING}, "lacks 'lexical.weights'"),
        ({"lexical__starts": MISSING}, "lacks 'lexical.starts'"),
        ({"lexical__scale": MISSING}, "lacks 'lexical.scale'"),
        ({"prompt__deep": np.zeros((8, 2, 16, 384), np.float16)}, r"prompt.deep has shape \(8, 2, 16, 384\)"),
        ({"prompt__deep": np.zeros((4, 2, 16, 512), np.float16)}, r"prompt.deep has shape \(4, 2, 16, 512\)"),
        ({"prompt__deep": np.zeros((4, 2, 257, 384), np.float16)}, "its prompt has 257 vectors, at most 256"),
        ({"prompt__deep": np.zeros((4, 2, 0, 384), np.float16)}, r"prompt.deep has shape \(4, 2, 0, 384\)"),
        ({"prompt__deep": np.zeros(5, np.float16)}, r"prompt.deep has shape \(5,\)"),
        ({"head__prototypes": np.zeros((4, 512), np.float16)}, r"\(4, 512\), expected \(3, 512\)"),
        ({"head__prototypes": np.zeros((3, 256), np.float16)}, r"\(3, 256\), expected \(3, 512\)"),
        ({"lexical__starts": np.array([0, 1, len(BUCKETS)], np.int32)}, r"starts has shape \(3,\)"),
        ({"lexical__starts": np.array(3, np.int32)}, r"starts has shape \(\)"),
        ({"lexical__starts": np.array([[0, 1, 2, 3]], np.int32)}, r"starts has shape \(1, 4\)"),
        ({"lexical__starts": np.array([0, 1, 2, 9**9], np.int32)}, "does not divide"),
        ({"lexical__starts": np.array([1, 1, 2, len(BUCKETS)], np.int32)}, "does not divide"),
        ({"lexical__starts": np.array([0, 9, 2, len(BUCKETS)], np.int32)}, "does not divide"),
        ({"lexical__starts": np.array([-5, -1, 2, len(BUCKETS)], np.int32)}, "does not divide"),
        ({"lexical__starts": np.array([0, 1, 2, len(BUCKETS)], np.int64)}, "int64"),
        ({"lexical__buckets": BUCKETS[:-1]}, "does not divide"),
        ({"lexical__buckets": BUCKETS.astype(np.int64) + 70_000}, "int64"),
        ({"lexical__buckets": BUCKETS[None]}, "starts has shape"),
        ({"lexical__weights": np.ones(3, np.uint8)}, r"lexical.weights has shape \(3,\)"),
        ({"lexical__scale": np.ones(3, np.float32)}, r"lexical.scale has shape \(3,\)"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    version: SkillVersion, changes: dict[str, Any], reason: str
) -> None:
    blob = changed(pack_skill(make_prompt(), make_head()), **changes)
    with pytest.raises(SkillRefusedError, match=f"banking@3 .*{reason}.*train it again"):
        load_packed(version, blob)


def test_a_soft_prompt_does_not_stand_in_for_a_deep_one(version: SkillVersion) -> None:
    with pytest.raises(SkillRefusedError, match=r"lacks 'prompt.deep'"):
        load_packed(version, pack_skill(make_prompt(soft=True), make_head()))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": LABELS[:1]}, "it has 1 labels"),
        ({"labels": ()}, "it has 0 labels"),
        ({"head": {"lexical_weight": 0.75}}, "lacks 'scale'"),
        ({"head": {"scale": 16.0}}, "lacks 'lexical_weight'"),
        ({"head": {"scale": float("nan"), "lexical_weight": 0.0}}, "scale is nan"),
        ({"head": {"scale": "sixteen", "lexical_weight": 0.0}}, "'sixteen'"),
        ({"head": {"scale": None, "lexical_weight": 0.0}}, "NoneType"),
        ({"calibration": replace(CALIBRATION, temperature=0.0)}, "temperature=0.0"),
        ({"calibration": replace(CALIBRATION, temperature=float("inf"))}, "temperature=inf"),
        ({"calibration": replace(CALIBRATION, scope_weight=float("nan"))}, "scope_weight=nan"),
        ({"calibration": replace(CALIBRATION, scope_threshold=float("inf"))}, "scope_threshold=inf"),
    ],
)
def test_settings_that_cannot_be_served_are_refused(
    version: SkillVersion, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SkillRefusedError, match=f"banking@3 .*{reason}.*train it again"):
        load_packed(replace(version, **changes), pack_skill(make_prompt(), make_head()))
