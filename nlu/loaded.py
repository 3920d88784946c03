"""A stored skill version made ready to serve: checked, unpacked, immutable."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nlu.grammar_head import GrammarHead
from nlu.half import widened
from nlu.head import IntentHead, pooled
from nlu.lexical import ByLabel, LexicalExpert
from nlu.neighbours import Neighbours
from nlu.prompt import Floats, Prompt
from nlu.shape import EncoderShape
from nlu.slot_head import SlotHead
from nlu.stored_grammar import grammar_tensors, read_grammar_head
from nlu.stored_slots import read_slot_head, slot_tensors
from nlu.tensors import Tensors, check_finite, floats, halves, number
from nlu.tokens import Tokens
from skills.errors import InputError, SkillRefusedError
from skills.parse import GrammarAnswer, IntentAnswer, Outcome, ParseRequest, SkillResult, SlotsAnswer
from skills.skill import Calibration, Method, SkillKind, SkillVersion

_INTENT = (SkillKind.INTENT, SkillKind.JOINT)
_SLOTS = (SkillKind.SLOTS, SkillKind.JOINT)


@dataclass(frozen=True, eq=False)
class LoadedSkill:
    """One version, its prompt, and the heads of its kind: one, or intent and slots.

    neighbours: what answers of intents can resemble; None until someone has asked.
    """

    version: SkillVersion
    prompt: Prompt
    intent: IntentHead | None = None
    slots: SlotHead | None = None
    grammar: GrammarHead | None = None
    neighbours: Neighbours | None = None

    def prompt_for(self, expected_slots: Iterable[str]) -> Prompt:
        """Return what the encoder sees if the dialog has just asked for these slots."""
        return self.prompt if self.slots is None else self.slots.prompt_for(self.prompt, expected_slots)

    def answer(self, request: ParseRequest, tokens: Tokens, states: Floats, *, now: datetime) -> SkillResult:
        """Answer a request's text from its tokens and their (tokens, D) hidden states.

        Grammar is answered by the gate alone: a text that `needs_correction` has no correction yet.
        """
        text, least = request.text, request.min_confidence
        intent = slots = grammar = None
        if self.intent is not None:
            intent = self.intent.answer(text, states, n_best=request.n_best, min_confidence=least)
            if request.explain and self.neighbours is not None:
                similar = self.neighbours.nearest(pooled(states), self.intent.exemplars)
                intent = replace(intent, similar=similar)
        if self.slots is not None:
            slots = self.slots.answer(text, tokens, states, now=now, min_confidence=least)
        if self.grammar is not None:
            grammar = GrammarAnswer(True, 1 - self.grammar.error_probability(states), text, ())
        outcome = Outcome.MATCHED if intent is None else intent.outcome
        return self._result(outcome, intent, slots, grammar)

    def needs_correction(self, grammar: GrammarAnswer | None) -> bool:
        """Whether the decoder is to look at a text that the gate has answered so."""
        return self.grammar is not None and grammar is not None and self.grammar.flags(1 - grammar.confidence)

    def answer_blank(self, text: str) -> SkillResult:
        """Answer a text that has nothing to read."""
        return self._result(
            Outcome.EMPTY_INPUT,
            None if self.intent is None else IntentAnswer(Outcome.EMPTY_INPUT, (), 0.0),
            None if self.slots is None else SlotsAnswer(()),
            None if self.grammar is None else GrammarAnswer(True, 1.0, text, ()),
        )

    def _result(
        self,
        outcome: Outcome,
        intent: IntentAnswer | None,
        slots: SlotsAnswer | None,
        grammar: GrammarAnswer | None,
    ) -> SkillResult:
        version = self.version
        return SkillResult(
            version.name, version.version, version.sha256, version.kind, outcome, intent, slots, grammar
        )


class Identity(Protocol):
    """What a skill must fit of a backbone: the hash of its weights, or with its adapter, and its sizes."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def adapted_fingerprint(self) -> str | None: ...

    @property
    def shape(self) -> EncoderShape: ...

    @property
    def decoder_shape(self) -> EncoderShape: ...


def load_skill(version: SkillVersion, blob: bytes, backbone: Identity) -> LoadedSkill:
    """Unpack a version's tensors and check that this backbone can serve them.

    Args:
        version: the catalog's description.
        blob: its safetensors file.
        backbone: that it is to be served on.

    Raises:
        SkillRefusedError: made for another backbone, not a safetensors file, incomplete, of the wrong shape,
            or not finite.
    """
    adapted = version.backbone == backbone.adapted_fingerprint
    if not adapted and version.backbone != backbone.fingerprint:
        raise SkillRefusedError(
            f"{version} was trained on backbone {version.backbone[:12]}, but {backbone.fingerprint[:12]} is "
            "loaded: serve it with its own backbone or train it again"
        )
    kind, head, shape = version.kind, version.head, backbone.shape
    try:
        tensors: Tensors = load(blob)
        check_finite(tensors)
        return LoadedSkill(
            version,
            replace(_prompt(version, tensors, shape), adapted=adapted),
            intent=_intent_head(version, tensors, shape) if kind in _INTENT else None,
            slots=read_slot_head(head["slots"], tensors, shape) if kind in _SLOTS else None,
            grammar=(
                read_grammar_head(head["grammar"], tensors, backbone.decoder_shape)
                if kind is SkillKind.GRAMMAR
                else None
            ),
        )
    except KeyError as error:
        raise SkillRefusedError(f"{version} lacks {error}; train it again") from error
    except (SafetensorError, ValueError, TypeError, InputError) as error:
        raise SkillRefusedError(f"{version} cannot be served: {error}; train it again") from error


def pack_skill(
    prompt: Prompt,
    intent: IntentHead | None = None,
    slots: SlotHead | None = None,
    grammar: GrammarHead | None = None,
) -> bytes:
    """Return the safetensors file of a trained skill; what is large is in half precision."""
    tensors: Tensors = {}
    if prompt.deep is not None:
        tensors["prompt.deep"] = prompt.deep.astype(np.float16)
    if prompt.soft is not None:  # small, and exact for the way to PEFT and back
        tensors["prompt.soft"] = prompt.soft
    tensors |= _intent_tensors(intent) if intent is not None else {}
    tensors |= slot_tensors(slots) if slots is not None else {}
    tensors |= grammar_tensors(grammar) if grammar is not None else {}
    return save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})


def _intent_tensors(head: IntentHead) -> Tensors:
    tensors: Tensors = {"head.prototypes": head.unit_prototypes.astype(np.float16)}
    if head.lexical is not None:
        lexical = head.lexical.by_label()
        tensors["lexical.buckets"] = lexical.buckets
        tensors["lexical.weights"], tensors["lexical.scale"] = _quantised(lexical.weights)
        tensors["lexical.starts"] = lexical.starts
    return tensors


def _prompt(version: SkillVersion, tensors: Tensors, shape: EncoderShape) -> Prompt:
    if version.method is Method.DESCRIBED:
        return Prompt()
    if version.method is Method.SOFT_PROMPT:
        return Prompt(soft=floats(tensors, "prompt.soft", (None, shape.d_model)))
    return Prompt(deep=halves(tensors, "prompt.deep", (shape.prompted_layers, 2, None, shape.d_attention)))


def _intent_head(version: SkillVersion, tensors: Tensors, shape: EncoderShape) -> IntentHead:
    if len(version.labels) < 2:
        raise ValueError(f"it has {len(version.labels)} labels, at least 2 are needed")
    prototypes = halves(tensors, "head.prototypes", (len(version.labels), shape.d_model))
    lexical_weight = number(version.head, "lexical_weight")
    return IntentHead(
        labels=version.labels,
        prototypes=prototypes,
        lengths=np.linalg.norm(widened(prototypes), axis=1, keepdims=True).clip(1e-6),
        lexical=_lexical(tensors, len(version.labels)) if lexical_weight else None,
        calibration=_checked(version.calibration),
        scale=number(version.head, "scale"),
        lexical_weight=lexical_weight,
    )


def _lexical(tensors: Tensors, label_count: int) -> LexicalExpert:
    """Unpack the n-gram expert; everything that it will be indexed with is checked."""
    buckets, starts = tensors["lexical.buckets"], tensors["lexical.starts"]
    if buckets.dtype != np.uint16 or starts.dtype != np.int32:
        raise ValueError(f"lexical.buckets and lexical.starts hold {buckets.dtype} and {starts.dtype}")
    if buckets.ndim != 1 or starts.shape != (label_count + 1,):
        raise ValueError(f"lexical.starts has shape {starts.shape} for {label_count} labels")
    if starts[0] != 0 or starts[-1] != len(buckets) or (np.diff(starts) < 0).any():
        raise ValueError(
            f"lexical.starts does not divide the {len(buckets)} lexical.buckets among the labels"
        )
    weights, [scale] = tensors["lexical.weights"], floats(tensors, "lexical.scale", (1,))
    if weights.dtype != np.uint8 or weights.shape != buckets.shape:
        raise ValueError(f"lexical.weights has shape {weights.shape}, expected {buckets.shape} of uint8")
    by_label = ByLabel(buckets.astype(np.uint16), weights.astype(np.uint8), starts.astype(np.int32))
    return LexicalExpert.of_labels(by_label, float(scale))


def _checked(calibration: Calibration) -> Calibration:
    numbers = (calibration.scope_weight, calibration.scope_bias, calibration.scope_threshold)
    if not all(map(math.isfinite, numbers)) or not 0.0 < calibration.temperature < math.inf:
        raise ValueError(
            f"its calibration is not of finite numbers with a positive temperature: {calibration}"
        )
    return calibration


def _quantised(weights: NDArray[Any]) -> tuple[NDArray[np.uint8], Floats]:
    """Return weights in 255 steps, and the step; they are never negative."""
    step = max(float(weights.max(initial=0.0)), 1e-12) / 255
    return np.rint(weights / step).astype(np.uint8), np.array([step], np.float32)
