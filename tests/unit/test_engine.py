from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import T5EncoderModel

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.engine import Engine, make_engine
from nlu.engine.base import Mask
from nlu.engine.torch_engine import TorchEngine
from nlu.head import label_probabilities, pooled
from nlu.prompt import Floats, Prompt, Row
from nlu.shape import EncoderShape
from skills.errors import BackboneError, InputError

MakePrompt = Callable[..., Prompt]

CPU = Compute("cpu", Precision.FLOAT32, threads=1)
SHORT, MIDDLE, LONG = (71, 1), (27, 183, 341, 2794, 30, 82, 895, 1), (*range(500, 530), 1)


@pytest.fixture(scope="module")
def torch_engine(backbone: Backbone) -> Engine:
    return make_engine(backbone, CPU, "torch")


@pytest.fixture(scope="module")
def openvino_engine(backbone: Backbone) -> Engine:
    return make_engine(backbone, CPU)


@pytest.fixture(params=["torch", "openvino"])
def engine(request: pytest.FixtureRequest, torch_engine: Engine, openvino_engine: Engine) -> Engine:
    return torch_engine if request.param == "torch" else openvino_engine


@pytest.fixture(scope="module", params=["torch bfloat16", "openvino bfloat16", "openvino int8"])
def rounding(request: pytest.FixtureRequest, backbone: Backbone) -> Engine:
    """An engine that is less exact than float32."""
    name, precision = request.param.split()
    return make_engine(backbone, replace(CPU, precision=Precision(precision)), name)


@pytest.fixture
def mixed(make_prompt: MakePrompt) -> list[Row]:
    """Rows with deep prompts of different lengths, soft prompts and none; some of them of one utterance."""
    deep, deep_short, soft = make_prompt(deep=16), make_prompt(deep=3, seed=1), make_prompt(soft=20)
    other_soft, none = make_prompt(soft=5, seed=2), Prompt()
    return [
        Row(MIDDLE, deep),
        Row(MIDDLE, deep_short),
        Row(MIDDLE, soft),
        Row(SHORT, other_soft),
        Row(LONG, none),
        Row(MIDDLE, none),
        Row(MIDDLE, other_soft),
        Row(SHORT, deep),
        Row(LONG, soft),
    ]


def difference(left: Floats, right: Floats) -> float:
    assert left.shape == right.shape
    return float(np.abs(left - right).max())


def test_gives_one_state_per_token(engine: Engine, mixed: list[Row]) -> None:
    states = engine.encode(mixed)
    assert [each.shape for each in states] == [(len(row.token_ids), engine.shape.d_model) for row in mixed]
    assert all(each.dtype == np.float32 and np.isfinite(each).all() for each in states)


def test_a_row_is_the_same_alone_and_in_a_mixed_batch(engine: Engine, mixed: list[Row]) -> None:
    together = engine.encode(mixed)
    for row, states in zip(mixed, together, strict=True):
        assert difference(engine.encode([row])[0], states) < 1e-5


def test_skills_of_equal_size_do_not_change_one_bit_of_each_other(
    openvino_engine: Engine, make_prompt: MakePrompt
) -> None:
    prompts = [make_prompt(deep=16, seed=seed) for seed in range(3)]
    rows = [Row((*range(500, 500 + length), 1), prompts[length % 3]) for length in range(1, 60)]
    for row, states in zip(rows, openvino_engine.encode(rows), strict=True):
        assert np.array_equal(openvino_engine.encode([row])[0], states)


def test_the_order_of_a_batch_does_not_matter(engine: Engine, mixed: list[Row]) -> None:
    forwards, backwards = engine.encode(mixed), engine.encode(mixed[::-1])
    for states, others in zip(forwards, backwards[::-1], strict=True):
        assert difference(states, others) < 1e-5


def test_every_prompt_changes_the_answer(engine: Engine, mixed: list[Row]) -> None:
    middle = [
        states for row, states in zip(mixed, engine.encode(mixed), strict=True) if row.token_ids == MIDDLE
    ]
    assert len(middle) == 5
    for i, states in enumerate(middle):
        assert all(difference(states, other) > 0.01 for other in middle[:i])


def test_rows_without_prompts_are_those_of_transformers(engine: Engine, backbone: Backbone) -> None:
    reference: T5EncoderModel = backbone.encoder_transformer()
    found = engine.encode([Row(ids, Prompt()) for ids in (LONG, SHORT)])
    for ids, states in zip((LONG, SHORT), found, strict=True):
        with torch.inference_mode():
            expected = reference(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy()
        assert difference(states, expected) < 1e-4


def test_openvino_gives_what_torch_gives(
    openvino_engine: Engine, torch_engine: Engine, mixed: list[Row]
) -> None:
    for states, expected in zip(openvino_engine.encode(mixed), torch_engine.encode(mixed), strict=True):
        assert difference(states, expected) < 1e-4


def test_rows_on_the_adapter_change_no_bit_of_the_others(engine: Engine, make_prompt: MakePrompt) -> None:
    prompts = [make_prompt(deep=16, seed=seed) for seed in range(2)]
    plain = [Row(MIDDLE, prompts[0]), Row(SHORT, prompts[1]), Row(MIDDLE, prompts[1])]
    adapted = [Row(row.token_ids, replace(row.prompt, adapted=True)) for row in plain]
    alone, with_adapter = engine.encode(plain), engine.encode(adapted)
    mixed = [row for pair in zip(adapted, plain, strict=True) for row in pair]
    together = engine.encode(mixed)
    for states, expected in zip(
        together, [each for pair in zip(with_adapter, alone, strict=True) for each in pair], strict=True
    ):
        assert np.array_equal(states, expected)
    assert all(difference(*pair) > 0.01 for pair in zip(alone, with_adapter, strict=True))


def test_rows_on_the_adapter_are_those_of_its_encoder(engine: Engine, backbone: Backbone) -> None:
    [states] = engine.encode([Row(MIDDLE, Prompt(adapted=True))])
    ids = torch.tensor([MIDDLE])
    with torch.inference_mode():
        expected = backbone.encoder(adapted=True)(ids, torch.ones_like(ids, dtype=torch.bool))[0]
    assert difference(states, expected.numpy()) < 1e-4


def test_an_engine_without_an_adapter_says_so(backbone: Backbone) -> None:
    engine = TorchEngine(backbone.encoder(), CPU)
    engine.prepare(adapted=False)
    with pytest.raises(BackboneError, match="made without an adapter"):
        engine.prepare(adapted=True)


def test_states_outlive_the_next_batch(engine: Engine, mixed: list[Row]) -> None:
    states = engine.encode(mixed[:1])[0]
    before = states.copy()
    engine.encode(mixed)
    assert np.array_equal(states, before)


def test_fewer_bits_stay_close(rounding: Engine, torch_engine: Engine, mixed: list[Row]) -> None:
    for states, expected in zip(rounding.encode(mixed[:4]), torch_engine.encode(mixed[:4]), strict=True):
        assert pooled(states) @ pooled(expected) > 0.99


def test_fewer_bits_do_not_make_answers_depend_on_the_batch(
    rounding: Engine, make_prompt: MakePrompt, backbone: Backbone
) -> None:
    """Rows of three skills, alone and in batches of all sizes; heads as sharp as trained ones."""
    prompts = [make_prompt(deep=16, seed=seed) for seed in range(3)]
    generator = np.random.default_rng(2)
    lengths = generator.integers(2, 30, 33)
    rows = [
        Row((*generator.integers(3, 9000, length).tolist(), 1), prompts[length % 3]) for length in lengths
    ]
    prototypes = generator.normal(size=(77, backbone.shape.d_model)).astype(np.float32)
    prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)

    def probabilities(states: list[Floats]) -> Floats:
        return label_probabilities(
            30 * np.stack([pooled(each) for each in states]) @ prototypes.T, temperature=1.0
        )

    alone = probabilities([rounding.encode([row])[0] for row in rows])
    for size in (3, 32):
        batches = [rounding.encode(rows[start : start + size]) for start in range(0, len(rows), size)]
        together = probabilities([each for batch in batches for each in batch])
        assert np.abs(together - alone).max() < 1e-3
        assert np.array_equal(together.argmax(axis=1), alone.argmax(axis=1))


class Recorder(Engine):
    """Passes embeddings through, and records the shapes of what the two stages were given."""

    name = "recorder"

    def __init__(self) -> None:
        shape = EncoderShape(3000, 4, 2, 8, 2, 3, 8, 20, 1e-6)
        super().__init__(shape, np.arange(12_000, dtype=np.float32).reshape(3000, 4))
        self.trunk_rows = 0
        self.top_rows: list[tuple[bool, int]] = []
        self.prompt_mask: Mask | None = None

    def prepare(self, *, adapted: bool) -> None:
        pass

    def _trunk(self, embeddings: Floats, mask: Mask) -> Floats:
        self.trunk_rows += len(embeddings)
        return embeddings

    def _top(
        self, hidden: Floats, mask: Mask, prompt: Floats | None, prompt_mask: Mask | None, *, adapted: bool
    ) -> Floats:
        self.top_rows.append((adapted, len(hidden)))
        self.prompt_mask = prompt_mask
        return np.where(mask[..., None], hidden, np.float32(np.nan))


def deep(length: int) -> Prompt:
    return Prompt(deep=np.ones((1, 2, length, 6), np.float32))


def soft(length: int) -> Prompt:
    return Prompt(soft=np.ones((length, 4), np.float32))


SHARED_SOFT = soft(2)


@pytest.mark.parametrize(
    ("rows", "trunk_rows"),
    [
        ([Row(SHORT, deep(2)), Row(SHORT, deep(3)), Row(SHORT, Prompt())], 1),
        ([Row(SHORT, deep(2)), Row(MIDDLE, deep(2)), Row(SHORT, deep(2))], 2),
        ([Row(SHORT, deep(2)), Row(SHORT, Prompt(adapted=True))], 1),
        ([Row(SHORT, SHARED_SOFT), Row(SHORT, SHARED_SOFT)], 1),
        ([Row(SHORT, soft(2)), Row(SHORT, soft(2)), Row(SHORT, deep(1))], 3),
    ],
)
def test_the_trunk_runs_once_per_utterance(rows: list[Row], trunk_rows: int) -> None:
    engine = Recorder()
    states = engine.encode(rows)
    assert engine.trunk_rows == trunk_rows
    for row, each in zip(rows, states, strict=True):
        assert np.array_equal(each[:, 0], 4 * np.array(row.token_ids, np.float32))


def test_the_top_runs_once_for_each_kind_of_encoder() -> None:
    engine = Recorder()
    engine.encode([Row(SHORT, Prompt(adapted=each)) for each in (True, False, True)])
    assert engine.top_rows == [(False, 1), (True, 2)]


def test_prompts_are_masked_to_their_own_length() -> None:
    engine = Recorder()
    engine.encode([Row(SHORT, deep(1)), Row(MIDDLE, Prompt()), Row(MIDDLE, deep(3)), Row(MIDDLE, soft(4))])
    assert engine.prompt_mask is not None
    assert engine.prompt_mask.sum(axis=1).tolist() == [1, 0, 3, 0]


def test_a_batch_without_deep_prompts_has_no_prompt_mask() -> None:
    engine = Recorder()
    engine.encode([Row(SHORT, Prompt()), Row(SHORT, soft(3))])
    assert engine.prompt_mask is None


@pytest.mark.parametrize(("name", "device"), [("onnx", "cpu"), ("", "cpu"), ("openvino", "cuda")])
def test_refuses_engines_that_cannot_run_here(backbone: Backbone, name: str, device: str) -> None:
    with pytest.raises(InputError, match=f"engine '{name}'") as caught:
        make_engine(backbone, replace(CPU, device=device), name)
    assert caught.value.field == "engine"


@pytest.mark.parametrize("name", ["auto", "openvino"])
def test_without_openvino(backbone: Backbone, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("nlu.engine.choice.find_spec", lambda package: None)
    if name == "auto":
        assert isinstance(make_engine(backbone, CPU), TorchEngine)
    else:
        with pytest.raises(InputError, match="--engine torch"):
            make_engine(backbone, CPU, name)


def test_auto_is_openvino_on_a_cpu(openvino_engine: Engine, torch_engine: Engine) -> None:
    assert (openvino_engine.name, torch_engine.name) == ("openvino", "torch")


def test_torch_has_no_int8(backbone: Backbone) -> None:
    with pytest.raises(InputError, match="int8 needs engine openvino") as caught:
        make_engine(backbone, replace(CPU, precision=Precision.INT8), "torch")
    assert caught.value.field == "precision"
