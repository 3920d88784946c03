"""Skills that stand in for trained ones where only speed and memory count: of their size, and of no use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice, product

import numpy as np

from nlu.backbone import Backbone
from nlu.head import IntentHead
from nlu.lexical import LexicalExpert
from nlu.loaded import pack_skill
from nlu.prompt import Prompt
from skills.skill import LIVE, Calibration, Method, Provenance, SkillDraft, SkillKind
from skills.utterance import Utterance
from storage.catalog import Catalog

LABELS = ("booking", "delivery", "opening hours", "parking", "payment", "prices", "refund", "repair")
_BEGINNINGS = ("can you tell me about the", "I would like to know more of your", "there is a problem with my")
_ENDS = ("of last Monday", "in the centre of the town", "that we have talked about on the phone")


def publish_stand_ins(catalog: Catalog, backbone: Backbone, skills: int) -> list[str]:
    """Publish intent skills that differ in their prompts, and return their names."""
    rows = [Utterance(text, label) for label in LABELS for text in _texts_of(label)]
    head, generator = intent_head(backbone, rows), np.random.default_rng(17)
    names = [f"stand-in-{number}" for number in range(skills)]
    for name in names:
        catalog.publish(intent_draft(backbone, name, deep_prompt(backbone, generator), head), alias=LIVE)
    return names


def stand_in_texts(count: int) -> list[str]:
    """Return texts of a dozen words that all differ, so that no cache knows them."""
    texts = cycle([text for label in LABELS for text in _texts_of(label)])
    return [f"{text}, number {number}" for number, text in enumerate(islice(texts, count))]


def _texts_of(label: str) -> Iterator[str]:
    return (f"{beginning} {label} {end}" for beginning, end in product(_BEGINNINGS, _ENDS))


def intent_head(backbone: Backbone, rows: Sequence[Utterance]) -> IntentHead:
    """Return a head of the size of a trained one; what speed does not depend on is random."""
    labels = tuple(sorted({row.intent for row in rows}))
    shape = (len(labels), backbone.shape.d_model)
    prototypes = np.random.default_rng(15).normal(size=shape).astype(np.float32)
    lexical = LexicalExpert.fit(
        [row.text for row in rows], [labels.index(row.intent) for row in rows], len(labels)
    )
    return IntentHead(labels, prototypes, 16.0, lexical, 1.0, Calibration())


def deep_prompt(backbone: Backbone, generator: np.random.Generator) -> Prompt:
    """Return a random prompt of the shape of trained ones."""
    shape = (backbone.shape.prompted_layers, 2, 16, backbone.shape.d_attention)
    return Prompt(deep=generator.standard_normal(shape, np.float32))


def intent_draft(backbone: Backbone, name: str, prompt: Prompt, head: IntentHead) -> SkillDraft:
    """Return a skill that can be published, and served on this backbone."""
    return SkillDraft(
        name=name,
        kind=SkillKind.INTENT,
        method=Method.DEEP_PROMPT,
        labels=head.labels,
        backbone=backbone.fingerprint,
        head={"scale": head.scale, "lexical_weight": head.lexical_weight},
        calibration=head.calibration,
        metrics={},
        provenance=Provenance("", 0, 0, {}, "stand-in", 0.0),
        tensors=pack_skill(prompt, head),
    )
