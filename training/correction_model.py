"""The trainable parts of a grammar skill: prompts of encoder and decoder, and a detector of wrong tokens.

Everything else is frozen. Shapes: B rows, L source tokens, T target tokens, P prompt vectors, D model size,
N layers, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlu.backbone import Backbone
from nlu.prompt import DecoderPrompt, Floats
from training.correction_pairs import Pair, TokenIds
from training.models import padded, token_features

START = 0  # T5 begins to decode with its padding token


@dataclass(frozen=True, eq=False)
class TrainedVectors:
    """All that makes a grammar skill.

    encoder: (N, 2, P, H*K); own, memory: (decoder layers, 2, P, H*K); detector: (D,).
    """

    encoder: Floats
    own: Floats
    memory: Floats
    detector: Floats
    detector_bias: Floats  # (1,)

    @property
    def decoder_prompt(self) -> DecoderPrompt:
        """The decoder's part."""
        return DecoderPrompt(self.own, self.memory)


class CorrectionModel(nn.Module):
    """Frozen encoder and decoder with trainable prompts; `dtype` is that of the frozen weights."""

    def __init__(
        self, backbone: Backbone, sample: Sequence[Pair], *, prompt_length: int, seed: int, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.encoder = backbone.encoder().to(dtype)
        self.decoder = backbone.decoder().to(dtype)
        self.width = backbone.shape.d_model
        generator = torch.Generator().manual_seed(seed)
        encoder, own, memory = self._first_vectors(sample, prompt_length, generator)
        self.encoder_prompt = nn.Parameter(encoder)
        self.own_prompt = nn.Parameter(own)
        self.memory_prompt = nn.Parameter(memory)
        self.detector = nn.Linear(self.width, 1)
        nn.init.zeros_(self.detector.weight)

    def trained(self) -> list[nn.Parameter]:
        """Return what is trained."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def prompt_parameters(self) -> list[nn.Parameter]:
        """Return the prompts of encoder and decoder."""
        return [self.encoder_prompt, self.own_prompt, self.memory_prompt]

    def vectors(self) -> TrainedVectors:
        """Return a copy of what is trained, as it is now."""
        parameters = (*self.prompt_parameters(), self.detector.weight[0], self.detector.bias)
        return TrainedVectors(*(each.detach().clone().numpy() for each in parameters))

    @torch.no_grad()
    def reset(self, vectors: TrainedVectors) -> None:
        """Put what is trained into a state that it had before, or that another skill had."""
        parameters = (*self.prompt_parameters(), self.detector.weight[0], self.detector.bias)
        for parameter, values in zip(parameters, astuple(vectors), strict=True):
            parameter.copy_(torch.from_numpy(values))

    def encode(self, sources: Sequence[TokenIds]) -> tuple[Tensor, Tensor]:
        """Return (B, L, D) hidden states and their (B, L) mask."""
        ids, mask = padded(sources)
        with torch.no_grad():
            trunk = self.encoder.trunk(self.encoder.embedding(ids), mask)
        prompt = self.encoder_prompt.to(trunk.dtype).expand(len(sources), *self.encoder_prompt.shape)
        return self.encoder.top(trunk, mask, prompt), mask

    def wrong_scores(self, states: Tensor) -> Tensor:
        """Return (B, L) logits that a token is wrong, of (B, L, D) states."""
        scores: Tensor = self.detector(token_features(states.float()))[..., 0]
        return scores

    def losses(self, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
        """Return the mean cross-entropy of the target tokens, and of the detector."""
        states, mask = self.encode([pair.source for pair in pairs])
        wrong, _ = padded([pair.wrong for pair in pairs])
        detected = F.binary_cross_entropy_with_logits(
            self.wrong_scores(states)[mask], wrong[mask].float(), pos_weight=torch.tensor(2.0)
        )
        targets, target_mask = padded([pair.target for pair in pairs])
        hidden = self.decode(states, mask, targets)[target_mask]
        return F.cross_entropy(self.decoder.lm_head(hidden).float(), targets[target_mask]), detected

    def decode(self, states: Tensor, mask: Tensor, targets: Tensor) -> Tensor:
        """Return (B, T, D) decoder states that predict each of the (B, T) targets from those before it."""
        own, beside = (
            prompt.to(states.dtype).expand(len(targets), *prompt.shape)
            for prompt in (self.own_prompt, self.memory_prompt)
        )
        memory = self.decoder.remember(states, beside)
        return self._follow(own, memory, F.pad(mask, (beside.shape[3], 0), value=True), targets)[0]

    def _follow(
        self, own: Tensor, memory: Tensor, memory_mask: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what the decoder does as it is led along the targets; as `Decoder.forward`."""
        past = own.shape[3]
        keys = torch.arange(past + targets.shape[1]).expand(len(targets), -1)
        hidden, kv = self.decoder(
            F.pad(targets[:, :-1], (1, 0), value=START),
            own,
            self.decoder.attention_bias(keys[:, past:], keys),
            memory,
            self.decoder.memory_bias(memory_mask),
        )
        return hidden, kv

    @torch.no_grad()
    def _first_vectors(
        self, sample: Sequence[Pair], length: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the prompts to begin with: frozen keys and values of random tokens of the sample."""
        ids, mask = padded([pair.source for pair in sample])
        targets, target_mask = padded([pair.target for pair in sample])
        trunk = self.encoder.trunk(self.encoder.embedding(ids), mask)
        picked = torch.randint(int(mask.sum()), (length,), generator=generator)
        encoder = torch.stack(
            [
                torch.stack([keys[mask][picked], values[mask][picked]])
                for keys, values in self.encoder.keys_and_values(trunk, mask)
            ]
        )
        states = self.encoder.top(trunk, mask)
        shape = self.decoder.shape
        nothing = states.new_zeros(len(sample), shape.num_layers, 2, 0, shape.d_attention)
        memory = self.decoder.remember(states, nothing)  # (B, N, 2, L, H*K)
        _, own = self._follow(nothing, memory, mask, targets)
        return (
            encoder.float(),
            _at(own, target_mask, length, generator).float(),
            _at(memory, mask, length, generator).float(),
        )


def _at(kv: Tensor, mask: Tensor, length: int, generator: torch.Generator) -> Tensor:
    """Return (N, 2, P, H*K) of random tokens of (B, N, 2, L, H*K)."""
    tokens = kv.permute(0, 3, 1, 2, 4)[mask]  # (tokens, N, 2, H*K)
    picked = torch.randint(len(tokens), (length,), generator=generator)
    vectors: Tensor = tokens[picked].permute(1, 2, 0, 3).contiguous()
    return vectors
