"""The peer of corrections: greedy decoding by transformers, from the same prompts and encoder states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from transformers import DynamicCache, EncoderDecoderCache, T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from nlu.backbone import Backbone
from nlu.compute import Compute
from nlu.corrector import END, GROWTH, START
from nlu.engine import Engine
from nlu.grammar_head import GrammarHead
from nlu.prompt import Prompt, Row
from nlu.tokens import Tokens, tokenise


class Peer:
    """Greedy decoding by transformers; the skill's prompts are the cache that it goes on from."""

    def __init__(
        self, prompt: Prompt, head: GrammarHead, backbone: Backbone, engine: Engine, compute: Compute
    ) -> None:
        self._encoder_prompt, self._prompt = prompt, head.prompt
        self._backbone, self._engine = backbone, engine
        self._model: T5ForConditionalGeneration = backbone.transformer().to(compute.dtype)
        self._dtype = compute.dtype

    def correct(self, batch: int, texts: Sequence[str]) -> list[str]:
        """Return the corrections of texts; those of like length share a batch of so many."""
        tokens = [tokenise(self._backbone, text) for text in texts]
        order = sorted(range(len(texts)), key=lambda place: len(tokens[place].ids))
        found: dict[int, str] = {}
        for start in range(0, len(order), batch):
            places = order[start : start + batch]
            ids = self._generate([tokens[place] for place in places])
            found |= zip(places, map(self._backbone.tokenizer.decode, ids), strict=True)
        return [found[place] for place in range(len(texts))]

    @torch.inference_mode()
    def _generate(self, tokens: Sequence[Tokens]) -> Iterable[list[int]]:
        states = self._engine.encode([Row(each.ids, self._encoder_prompt) for each in tokens])
        encoded = torch.nn.utils.rnn.pad_sequence(
            [torch.from_numpy(each) for each in states], batch_first=True
        )
        lengths = torch.tensor([len(each) for each in states])
        prompt = self._prompt
        mask = torch.arange(encoded.shape[1]) < lengths[:, None]
        mask = torch.nn.functional.pad(mask, (prompt.length, 0), value=True)
        cache = self._cache(encoded.to(self._dtype))
        generated = self._model.generate(
            encoder_outputs=BaseModelOutput(last_hidden_state=torch.zeros(*mask.shape, encoded.shape[2])),
            attention_mask=mask.long(),
            decoder_input_ids=torch.full((len(tokens), prompt.length + 1), START),
            past_key_values=cache,
            max_new_tokens=3 * int(lengths.max()) // 2 + GROWTH,
            do_sample=False,
        )
        for row_ids in generated[:, prompt.length + 1 :].tolist():
            yield row_ids[: row_ids.index(END)] if END in row_ids else row_ids

    def _cache(self, encoded: torch.Tensor) -> EncoderDecoderCache:
        prompt = self._prompt
        own, memory = DynamicCache(), DynamicCache()
        for layer, block in enumerate(self._model.decoder.block):
            attention = block.layer[1].EncDecAttention
            own.update(
                *(self._heads(torch.from_numpy(each), len(encoded)) for each in prompt.own[layer]), layer
            )
            read = [
                torch.cat([self._heads(torch.from_numpy(beside), len(encoded)), self._split(states)], dim=2)
                for beside, states in zip(
                    prompt.memory[layer], (attention.k(encoded), attention.v(encoded)), strict=True
                )
            ]
            memory.update(*read, layer)
        cache = EncoderDecoderCache(own, memory)
        cache.is_updated = dict.fromkeys(range(len(self._model.decoder.block)), True)
        return cache

    def _heads(self, vectors: torch.Tensor, rows: int) -> torch.Tensor:
        """(P, H*K) -> (B, H, P, K)."""
        return self._split(vectors.to(self._dtype)[None]).expand(rows, -1, -1, -1)

    def _split(self, states: torch.Tensor) -> torch.Tensor:
        """(B, S, H*K) -> (B, H, S, K)."""
        rows, length, width = states.shape
        heads: int = self._model.config.num_heads
        return states.view(rows, length, heads, width // heads).transpose(1, 2)
