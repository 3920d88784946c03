"""The frozen model, loaded once for all tests, and factories of small things to put around it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings

from skills.dataset import Dataset, build
from skills.skill import (
    OUT_OF_SCOPE_LABEL,
    Calibration,
    Method,
    Provenance,
    SkillDraft,
    SkillKind,
    SkillVersion,
)
from skills.slot import SlotLabel
from skills.utterance import Utterance

if TYPE_CHECKING:
    from nlu.backbone import Backbone
    from nlu.grammar_head import GrammarHead
    from nlu.head import IntentHead
    from nlu.loaded import Identity
    from nlu.prompt import Prompt
    from nlu.slot_head import SlotHead

settings.register_profile("softspoken", max_examples=30, deadline=None)
settings.load_profile("softspoken")

TOY_UTTERANCES = {
    "card_arrival": [
        "when does my new card arrive",
        "my card has not come in the mail yet",
        "track the delivery of my card",
        "how long until the card is here",
        "still waiting for my card to be delivered",
    ],
    "exchange_rate": [
        "what is the rate for dollars to euros",
        "how many yen do I get for a pound",
        "is the exchange rate good today",
        "tell me the current rate of the franc",
        "which rate applies when I change money",
    ],
    "top_up": [
        "I want to add money to my account",
        "put fifty on my balance please",
        "how can I top up",
        "load some cash onto the card",
        "add funds from my savings",
    ],
}
TOY_COLOURS = ("red", "green", "blue")
TOY_SLOTS = (SlotLabel("city", "destination"), SlotLabel("person"))
TOY_OOS = ["who won the game last night", "play some jazz in the kitchen", "will it rain in Oslo"]


@pytest.fixture(scope="session")
def backbone() -> Iterator[Backbone]:
    """The embedded backbone, converted into SOFTSPOKEN_CACHE_DIR or the default cache if it is not there."""
    import torch

    from nlu.backbone import Backbone

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # everything is tiny, and two threads on one free core are slower than one
    cache = os.environ.get("SOFTSPOKEN_CACHE_DIR")
    yield Backbone.load(cache=Path(cache) if cache else None)
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def adapted_backbone(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """The embedded backbone with a random adapter of rank 2 instead of the packaged one."""
    import torch

    from nlu.adapter import Adapter, matrix_names
    from nlu.backbone import Backbone

    generator, encoder = torch.Generator().manual_seed(0), backbone.encoder()
    factors = {}
    for name in matrix_names(encoder):
        outputs, inputs = encoder.get_parameter(f"{name}.weight").shape
        factors[f"{name}.a"] = 0.1 * torch.randn(2, inputs, generator=generator)
        factors[f"{name}.b"] = 0.1 * torch.randn(outputs, 2, generator=generator)
    path = tmp_path_factory.mktemp("adapter") / "random.safetensors"
    Adapter(backbone.fingerprint, factors).write(path)
    return Backbone(f"{backbone.name}+{path}", backbone.directory, backbone.cache, path)


@pytest.fixture
def make_dataset() -> Callable[..., Dataset]:
    """Return a function that makes three intents of five utterances each, one of them held out."""

    def make(*, oos: bool = False, seed: int = 0) -> Dataset:
        rows = [Utterance(text, intent) for intent, texts in TOY_UTTERANCES.items() for text in texts]
        rows += [Utterance(text, OUT_OF_SCOPE_LABEL) for text in TOY_OOS] if oos else []
        return build(rows, seed=seed)[0]

    return make


@pytest.fixture
def make_prompt(backbone: Backbone) -> Callable[..., Prompt]:
    """Return a function that makes random prompts of the backbone's sizes, of `deep` or `soft` vectors."""
    from nlu.prompt import Prompt

    def make(*, deep: int = 0, soft: int = 0, seed: int = 0) -> Prompt:
        shape, generator = backbone.shape, np.random.default_rng(seed)
        layers = (shape.prompted_layers, 2, deep, shape.d_attention)
        return Prompt(
            deep=4 * generator.normal(size=layers).astype(np.float32) if deep else None,
            soft=10 * generator.normal(size=(soft, shape.d_model)).astype(np.float32) if soft else None,
        )

    return make


@pytest.fixture
def make_draft() -> Callable[..., SkillDraft]:
    """Return `draft_of`."""
    return draft_of


def draft_of(
    backbone: Identity,
    name: str,
    kind: SkillKind = SkillKind.INTENT,
    *,
    seed: int = 0,
    prompt: Prompt | None = None,
    intent: IntentHead | None = None,
    slots: SlotHead | None = None,
    grammar: GrammarHead | None = None,
) -> SkillDraft:
    """Make a skill of any kind that fits a backbone; it has learned nothing.

    Prompt and heads may be given; those that the kind needs are random otherwise.
    """
    from nlu.grammar_head import GrammarHead
    from nlu.head import IntentHead
    from nlu.loaded import pack_skill
    from nlu.prompt import DecoderPrompt, Prompt
    from nlu.slot_head import SlotHead
    from nlu.stored_grammar import grammar_settings
    from nlu.stored_slots import slot_settings
    from skills.resolution import Resolver

    generator, shape = np.random.default_rng(seed), backbone.shape

    def normal(*sizes: int) -> Any:
        return generator.normal(size=sizes).astype(np.float32)

    settings: dict[str, Any] = {}
    prompt = prompt or Prompt(deep=normal(shape.prompted_layers, 2, 3, shape.d_attention))
    if kind in (SkillKind.INTENT, SkillKind.JOINT):
        intent = intent or IntentHead(TOY_COLOURS, normal(3, shape.d_model), 20.0, None, 0.0, Calibration())
        settings |= {"scale": intent.scale, "lexical_weight": 0.0}
    if kind in (SkillKind.SLOTS, SkillKind.JOINT):
        slots = slots or SlotHead(
            TOY_SLOTS,
            normal(5, shape.d_model),
            normal(5),
            2.0,
            Resolver({}),
            normal(1, shape.prompted_layers, 2, 2, shape.d_attention),
            ("city",),
        )
        settings["slots"] = slot_settings(slots, {})
    if kind is SkillKind.GRAMMAR:
        layers = (backbone.decoder_shape.num_layers, 2, 3, shape.d_attention)
        grammar = grammar or GrammarHead(
            normal(shape.d_model), 0.0, 1.0, 0.0, 0.5, DecoderPrompt(normal(*layers), normal(*layers))
        )
        settings["grammar"] = grammar_settings(grammar)
    return SkillDraft(
        name=name,
        kind=kind,
        method=Method.DEEP_PROMPT,
        labels=intent.labels if intent else tuple(map(str, slots.labels)) if slots else (),
        backbone=backbone.fingerprint,
        head=settings,
        calibration=Calibration(),
        metrics={"accuracy": 0.75},
        provenance=Provenance("d" * 64, 12, seed, {}, "1.0", 2.5),
        tensors=pack_skill(prompt, intent, slots, grammar),
    )


@pytest.fixture
def make_version() -> Callable[..., SkillVersion]:
    """Return a function that makes the catalog's description of a draft, or of nothing in particular."""

    def make(draft: SkillDraft | None = None, **changes: Any) -> SkillVersion:
        fields: dict[str, Any] = {
            "name": "banking",
            "kind": SkillKind.INTENT,
            "method": Method.DEEP_PROMPT,
            "labels": tuple(TOY_UTTERANCES),
            "backbone": "b" * 64,
            "head": {"scale": 16.0, "lexical_weight": 0.0},
            "calibration": Calibration(),
            "metrics": {},
            "provenance": Provenance("d" * 64, 15, 13, {}, "1.0", 1.0),
            "tensors": b"",
        }
        if draft is not None:
            fields |= {name: getattr(draft, name) for name in fields}
        tensors = fields.pop("tensors")
        fields |= {
            "version": 3,
            "sha256": hashlib.sha256(tensors).hexdigest(),
            "bytes": len(tensors),
            "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        }
        return SkillVersion(**(fields | changes))

    return make
