"""The sizes of a backbone; no torch, which a server does without."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PROMPT_LENGTH = 256  # vectors: a longer prompt would make others wait that share its batch


@dataclass(frozen=True)
class EncoderShape:
    """The sizes of one T5 v1.1 encoder, as `T5Config` names them."""

    vocab_size: int
    d_model: int
    d_kv: int
    d_ff: int
    num_layers: int
    num_heads: int
    num_buckets: int
    max_distance: int
    epsilon: float

    @property
    def d_attention(self) -> int:
        """Width of all heads together: H * K."""
        return self.num_heads * self.d_kv

    @property
    def fork(self) -> int:
        """Number of trunk layers; the layers from here up see deep prompts."""
        return self.num_layers // 2

    @property
    def prompted_layers(self) -> int:
        """Number of layers that a deep prompt has keys and values for."""
        return self.num_layers - self.fork
