"""The two trainable prompts, behind one interface: rows in, states out, gradients only into the prompt.

Shapes: B rows, L tokens, P prompt vectors, E vectors of an expected slot, N top layers, D model size, H*K
attention width.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlu.backbone import Backbone
from nlu.encoder import Encoder
from nlu.prompt import Floats, Prompt

CACHE_BYTES = 3 << 30  # of trunk states kept in memory; above it they are computed again for each batch
QUIET_SHARE = 0.02  # of the keys and values of tokens: untuned class means lose a point or less
EVALUATION_ROWS = 64  # rows of one forward pass without gradients

TokenIds = tuple[int, ...]
Expected = Sequence[Sequence[int]]  # for each row the places of the slots that its dialog has just asked for


@dataclass(frozen=True, eq=False)
class Encoded:
    """Rows behind the encoder: (B, L, D) hidden states and their (B, L) mask."""

    states: Tensor
    mask: Tensor

    def at(self, rows: Sequence[int]) -> Encoded:
        """Return some of the rows."""
        return Encoded(self.states[list(rows)], self.mask[list(rows)])

    def pooled(self) -> Tensor:
        """Return (B, D) means over the tokens at unit length: what `nlu.head.pooled` does for one row."""
        weights = self.mask[..., None].to(self.states.dtype)
        return F.normalize((self.states * weights).sum(1) / weights.sum(1), dim=-1)


class PromptedEncoder(ABC):
    """A frozen encoder with one trainable prompt over a fixed list of tokenised rows."""

    width: int  # D

    def __init__(self, rows: Sequence[TokenIds]) -> None:
        self.rows = rows

    @abstractmethod
    def parameters(self) -> list[nn.Parameter]:
        """The prompt's parameters."""

    def context_parameters(self) -> list[nn.Parameter]:
        """The parameters of slots that a dialog may expect, where the prompt can be extended by them."""
        return []

    @abstractmethod
    def encode(self, indices: Sequence[int], expected: Expected = ()) -> Encoded:
        """Return the states of the rows at `indices`, with gradients; without `expected`, no slot is."""

    @abstractmethod
    def prompt(self) -> Prompt:
        """Return a copy of the prompt as it is now."""

    @torch.no_grad()
    def reset(self, start: Prompt) -> None:
        """Put the prompt into a state that it had before, or that another one of its length had."""
        for parameter, values in zip(self.parameters(), start.arrays(), strict=True):
            parameter.copy_(torch.from_numpy(values))

    def features(self, indices: Sequence[int]) -> Tensor:
        """Return (B, D) unit-length mean-pooled features of the rows at `indices`, with gradients."""
        return self.encode(indices).pooled()

    @torch.no_grad()
    def all_features(self, indices: Sequence[int], expected: Expected = ()) -> Tensor:
        """Return the features of many rows, in their order, without gradients."""
        parts, places = [], list[int]()
        for chunk, encoded in self.batches(indices, expected):
            parts.append(encoded.pooled())
            places += chunk
        features = torch.cat(parts)
        return features[torch.argsort(torch.tensor(places))]

    @torch.no_grad()
    def batches(self, indices: Sequence[int], expected: Expected = ()) -> Iterator[tuple[list[int], Encoded]]:
        """Yield the states of many rows, without gradients: their places in `indices`, alike in length."""
        order = sorted(range(len(indices)), key=lambda i: len(self.rows[indices[i]]))
        for start in range(0, len(order), EVALUATION_ROWS):
            chunk = order[start : start + EVALUATION_ROWS]
            asked = [expected[i] for i in chunk] if expected else ()
            yield chunk, self.encode([indices[i] for i in chunk], asked)


class DeepPrompted(PromptedEncoder):
    """Keys and values above the fork (P-Tuning v2). The trunk's output of each row is computed only once.

    Args:
        encoder: its weights may be in half precision; states and what is trained are in float32.
        rows: token ids.
        prompt_length: P.
        seed: of what is random in the beginning.
        quiet: whether the prompt is almost nothing in the beginning.
        expected_slots: how many slots a dialog may expect, each with vectors of its own; and E.
    """

    def __init__(
        self,
        encoder: Encoder,
        rows: Sequence[TokenIds],
        *,
        prompt_length: int,
        seed: int,
        quiet: bool = False,
        expected_slots: tuple[int, int] = (0, 1),
    ) -> None:
        super().__init__(rows)
        self.width = encoder.shape.d_model
        self._encoder = encoder
        weights = encoder.embedding.weight
        size = sum(map(len, rows)) * encoder.shape.d_model * weights.element_size()
        self._trunk_states = self._all_trunk_states() if size <= CACHE_BYTES else None
        generator = torch.Generator().manual_seed(seed)
        share = QUIET_SHARE if quiet else 1.0
        self._prompt = nn.Parameter(share * self._keys_and_values(prompt_length, generator).float())
        self._expected = nn.Parameter(self._small_vectors(*expected_slots, generator))

    def parameters(self) -> list[nn.Parameter]:
        return [self._prompt]

    def context_parameters(self) -> list[nn.Parameter]:
        return [self._expected] if len(self._expected) else []

    def encode(self, indices: Sequence[int], expected: Expected = ()) -> Encoded:
        hidden, mask = self._trunk(indices)
        prompt = self._prompt.expand(len(indices), *self._prompt.shape)
        if not any(expected):
            return Encoded(self._encoder.top(hidden, mask, prompt).float(), mask)
        more, present = self._expected_vectors(expected)
        prompt_mask = F.pad(present, (prompt.shape[3], 0), value=True)
        states = self._encoder.top(hidden, mask, torch.cat([prompt, more], dim=3), prompt_mask)
        return Encoded(states.float(), mask)

    def prompt(self) -> Prompt:
        return Prompt(deep=self._prompt.detach().clone().numpy(), adapted=self._encoder.adapted)

    def expected(self) -> Floats:
        """Return a copy of the (slots, N, 2, E, H*K) vectors of expected slots as they are now."""
        vectors: Floats = self._expected.detach().clone().numpy()
        return vectors

    def _expected_vectors(self, expected: Expected) -> tuple[Tensor, Tensor]:
        """Return (B, N, 2, most * E, H*K) vectors of the rows' slots, and (B, most * E): which they have."""
        most = max(map(len, expected))
        absent = len(self._expected)
        vectors = torch.cat([self._expected, torch.zeros_like(self._expected[:1])])
        picked = torch.tensor([[*slots, *[absent] * (most - len(slots))] for slots in expected])
        more = vectors[picked].permute(0, 2, 3, 1, 4, 5).flatten(3, 4)
        return more, (picked != absent).repeat_interleave(self._expected.shape[3], dim=1)

    def _trunk(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return trunk states (B, L, D) and their mask (B, L)."""
        if self._trunk_states is None:
            return self._run_trunk(indices)
        states = [self._trunk_states[i] for i in indices]
        return nn.utils.rnn.pad_sequence(states, batch_first=True), _mask([len(state) for state in states])

    @torch.no_grad()
    def _run_trunk(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        token_ids, mask = padded([self.rows[i] for i in indices])
        return self._encoder.trunk(self._encoder.embedding(token_ids), mask), mask

    def _all_trunk_states(self) -> list[Tensor]:
        states: dict[int, Tensor] = {}
        order = sorted(range(len(self.rows)), key=lambda i: len(self.rows[i]))
        for start in range(0, len(order), EVALUATION_ROWS):
            chunk = order[start : start + EVALUATION_ROWS]
            hidden, _ = self._run_trunk(chunk)
            states |= {i: hidden[j, : len(self.rows[i])].clone() for j, i in enumerate(chunk)}
        return [states[i] for i in range(len(self.rows))]

    def _small_vectors(self, slots: int, length: int, generator: torch.Generator) -> Tensor:
        """Return (slots, N, 2, E, H*K) random vectors, small beside the prompt's."""
        shape = (slots, *self._prompt.shape[:2], length, self._prompt.shape[3])
        deviation = self._prompt.detach().std() if slots else 1.0
        return 0.1 * deviation * torch.randn(shape, generator=generator)

    @torch.no_grad()
    def _keys_and_values(self, length: int, generator: torch.Generator) -> Tensor:
        """Return (N, 2, P, H*K): frozen keys and values of P random tokens of the rows, layer by layer."""
        picked = torch.randperm(len(self.rows), generator=generator)[: max(8, length)].tolist()
        hidden, mask = self._trunk(picked)
        tokens = torch.randint(int(mask.sum()), (length,), generator=generator)
        return torch.stack(
            [
                torch.stack([keys[mask][tokens], values[mask][tokens]])
                for keys, values in self._encoder.keys_and_values(hidden, mask)
            ]
        )


class SoftPrompted(PromptedEncoder):
    """PEFT's prompt tuning of T5's encoder (Lester et al. 2021): embeddings before the input."""

    def __init__(self, backbone: Backbone, rows: Sequence[TokenIds], *, prompt_length: int) -> None:
        super().__init__(rows)
        from peft import PromptTuningConfig, TaskType, get_peft_model

        self.width = backbone.shape.d_model
        base = backbone.encoder_transformer()
        base.name_or_path = backbone.name  # PEFT writes it into checkpoints
        config = PromptTuningConfig(task_type=TaskType.FEATURE_EXTRACTION, num_virtual_tokens=prompt_length)
        with warnings.catch_warnings():  # PEFT asks transformers for a property by its old name
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            self._model: Any = get_peft_model(base, config)
        self._model.eval()

    def parameters(self) -> list[nn.Parameter]:
        return [parameter for parameter in self._model.parameters() if parameter.requires_grad]

    def encode(self, indices: Sequence[int], expected: Expected = ()) -> Encoded:
        if any(expected):
            raise ValueError("only a deep prompt can be extended by expected slots")
        token_ids, mask = padded([self.rows[i] for i in indices])
        states = self._model(input_ids=token_ids, attention_mask=mask.long()).last_hidden_state
        return Encoded(states[:, -token_ids.shape[1] :], mask)

    def prompt(self) -> Prompt:
        embeddings: Tensor = self._model.get_prompt_embedding_to_save(self._model.active_adapter)
        return Prompt(soft=embeddings.detach().clone().float().numpy())

    def save(self, directory: Path) -> None:
        """Write a PEFT checkpoint."""
        # Left to itself, PEFT asks the hub whether the base model's vocabulary has changed.
        self._model.save_pretrained(str(directory), safe_serialization=True, save_embedding_layers=False)


def token_features(states: Tensor) -> Tensor:
    """Return (..., D) states at length sqrt(D), as `nlu.head.token_features`."""
    length: float = math.sqrt(states.shape[-1])
    return F.normalize(states, dim=-1) * length


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return (B, L) values, such as token ids, and their mask (B, L)."""
    ids = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    return ids, _mask([len(row) for row in rows])


def _mask(lengths: Sequence[int]) -> Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
