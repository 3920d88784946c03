"""The reference engine of the decoder: torch on CPU or CUDA; in float32 it is exact greedy decoding."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nlu.compute import Compute
from nlu.decoder import Decoder
from nlu.decoder_cache import DecoderCache, Reading
from nlu.engine.decoder_base import HEAD_TOKENS, CacheSize, DecoderEngine, Ints
from nlu.prompt import Floats

PART = 128  # scores that the search for the likeliest takes as one: torch's own is slow over many


class TorchDecoder(DecoderEngine[DecoderCache]):
    """Runs the decoder in torch, in the precision and on the device that `compute` names."""

    name = "torch"

    def __init__(self, decoder: Decoder, compute: Compute) -> None:
        self._decoder = decoder.to(device=compute.device, dtype=compute.dtype)
        self._compute = compute
        vocabulary = decoder.shape.vocab_size
        self._logits = torch.empty(HEAD_TOKENS, vocabulary, device=compute.device, dtype=compute.dtype)
        self._scores = torch.empty(HEAD_TOKENS, vocabulary, device=compute.device)

    def cache(self, size: CacheSize) -> DecoderCache:
        compute = self._compute
        return DecoderCache(self._decoder.shape, size, dtype=compute.dtype, device=compute.device)

    @torch.inference_mode()
    def keys_and_values(self, states: Floats) -> Tensor:
        tensor = torch.from_numpy(states).to(device=self._compute.device, dtype=self._compute.dtype)
        return self._decoder.keys_and_values(tensor[None])[0]

    @torch.inference_mode()
    def likeliest(
        self, cache: DecoderCache, token_ids: Ints, begin: Ints, counts: Ints
    ) -> tuple[Ints, Floats]:
        tokens = torch.from_numpy(token_ids).to(self._compute.device)
        hidden = self._decoder.read(tokens, Reading(self._decoder, cache, begin, counts))
        found = [self._best(block) for block in hidden.chunk(-(-len(hidden) // HEAD_TOKENS))]
        best, probabilities = (torch.cat(each).cpu().numpy() for each in zip(*found, strict=True))
        return best, probabilities

    def _best(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return the likeliest next token after each of the (R, D) hidden states, and its probability."""
        logits, scores = self._logits[: len(hidden)], self._scores[: len(hidden)]
        torch.mm(hidden, self._decoder.lm_head.weight.T, out=logits)
        parts = scores.copy_(logits).view(len(hidden), -1, math.gcd(scores.shape[-1], PART))
        part = parts.amax(dim=-1).argmax(dim=-1, keepdim=True)
        inside = parts[torch.arange(len(parts), device=parts.device), part[:, 0]]
        best = part * parts.shape[-1] + inside.argmax(dim=-1, keepdim=True)
        torch.softmax(logits, dim=-1, dtype=torch.float32, out=scores)
        return best[:, 0], scores.gather(1, best)[:, 0]
