"""A slot head as a skill version stores it: tensors, and settings in JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from nlu.shape import EncoderShape
from nlu.slot_head import SlotHead
from nlu.tensors import Tensors, floats, halves, number
from skills.resolution import Resolver, SlotSchema, read_schema_document, schema_document
from skills.slot import SlotLabel


def slot_tensors(head: SlotHead) -> Tensors:
    """Return what `read_slot_head` reads; what is large is in half precision."""
    tensors: Tensors = {"slots.weights": head.weights.astype(np.float16), "slots.bias": head.bias}
    if head.neighbours is not None:
        tensors["slots.neighbours"] = head.neighbours.astype(np.float16)
    if head.expected is not None:
        tensors["slots.expected"] = head.expected.astype(np.float16)
    return tensors


def slot_settings(head: SlotHead, schema: SlotSchema) -> dict[str, Any]:
    """Return the head's part of `SkillVersion.head`, under "slots"; `schema` is that of its resolver."""
    return {
        "labels": [str(label) for label in head.labels],
        "temperature": head.temperature,
        "expected": list(head.expected_names),
        "schema": schema_document(schema),
    }


def read_slot_head(settings: dict[str, Any], tensors: Tensors, shape: EncoderShape) -> SlotHead:
    """Return a stored head.

    Raises:
        KeyError, TypeError, ValueError, InputError: it is incomplete, or its parts do not fit.
    """
    labels = tuple(map(SlotLabel.parse, settings["labels"]))
    names = tuple(map(str, settings["expected"]))
    for what, found in (("labels", labels), ("expected slots", names)):
        if len(set(found)) < len(found):
            raise ValueError(f"its head's {what} are not all different")
    if not labels:
        raise ValueError("its head has no slot labels, at least 1 is needed")
    if not isinstance(settings["schema"], dict):
        raise ValueError(f"its slot types are {settings['schema']!r}, no JSON object")
    tags = 2 * len(labels) + 1
    expected = (len(names), shape.prompted_layers, 2, None, shape.d_attention)
    return SlotHead(
        labels=labels,
        weights=halves(tensors, "slots.weights", (tags, shape.d_model)),
        bias=floats(tensors, "slots.bias", (tags,)),
        temperature=number(settings, "temperature", positive=True),
        resolver=Resolver(read_schema_document(settings["schema"])),
        expected=halves(tensors, "slots.expected", expected) if names else None,
        expected_names=names,
        neighbours=(
            halves(tensors, "slots.neighbours", (2, tags, shape.d_model))
            if "slots.neighbours" in tensors
            else None
        ),
    )
