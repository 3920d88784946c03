"""NluService on a real socket, over a real catalog and a real registry; only the encoder is a toy."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Replace
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing

from nlu.access import KeyRing
from nlu.backbone import Backbone
from nlu.batcher import Batcher, Processed
from nlu.corrector import Correction, CorrectionRow
from nlu.engine import Engine
from nlu.engine.base import Mask
from nlu.fair_queue import OWN, Lane
from nlu.interceptors import CallBoundary
from nlu.loader import Loader
from nlu.observer import NOBODY, Observer, observed
from nlu.parser import Parser
from nlu.prompt import Floats, Row
from nlu.reader import Reader
from nlu.registry import Registry
from nlu.row_cache import RowCache
from nlu.service import NluServicer, Service
from nlu.v1 import nlu_pb2, nlu_pb2_grpc
from skills.skill import SkillDraft, SkillKind, SkillVersion
from storage.catalog import Catalog

Encode: TypeAlias = Callable[[Sequence[Row]], Sequence[Floats]]

SECONDS = 30.0  # a test that waits for longer has failed


class GatedEngine(Engine):
    """Gives each token's embedding plus the prompt's mean; a batch waits until the gate is open."""

    name = "gated"

    def __init__(self, backbone: Backbone) -> None:
        rng = np.random.default_rng(0)
        shape = backbone.shape
        super().__init__(shape, rng.normal(size=(shape.vocab_size, shape.d_model)).astype(np.float32))
        self.batches: list[list[tuple[int, ...]]] = []
        self.busy = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def encode(self, rows: Sequence[Row]) -> list[Floats]:
        self.batches.append([row.token_ids for row in rows])
        self.busy.set()
        assert self.gate.wait(SECONDS)
        return super().encode(rows)

    def prepare(self, *, adapted: bool) -> None:
        pass

    def _trunk(self, embeddings: Floats, mask: Mask) -> Floats:
        return embeddings

    def _top(
        self, hidden: Floats, mask: Mask, prompt: Floats | None, prompt_mask: Mask | None, *, adapted: bool
    ) -> Floats:
        assert prompt is not None
        states: Floats = hidden + prompt.mean(axis=(1, 2, 3, 4))[:, None, None]
        return states


class CountingBatcher(Batcher[Row, Floats]):
    """Knows how many rows were accepted, and how many waited at most at a time."""

    def __init__(self, encode: Encode, **settings: Any) -> None:
        self._count = threading.Condition()
        self.accepted = self.unanswered = self.most_waiting = 0
        self.lanes: set[Lane] = set()
        super().__init__(encode, **{"queue_seconds": SECONDS, **settings})

    def submit(self, rows: Sequence[Row], **options: Any) -> list[Future[Processed[Floats]]]:
        futures = super().submit(rows, **options)
        with self._count:
            self.lanes.add(options.get("lane", OWN))
            self.accepted += len(futures)
            self.unanswered += len(futures)
            self.most_waiting = max(self.most_waiting, self.unanswered)
            self._count.notify_all()
        for future in futures:
            future.add_done_callback(self._done)
        return futures

    async def until_accepted(self, rows: int) -> None:
        def wait() -> bool:
            with self._count:
                return self._count.wait_for(lambda: self.accepted >= rows, SECONDS)

        assert await asyncio.to_thread(wait)

    def _done(self, _: Future[Processed[Floats]]) -> None:
        with self._count:
            self.unanswered -= 1


class Speller:
    """Stands in for the decoder: it knows a few words, and waits until its gate is open."""

    def __init__(self, backbone: Backbone) -> None:
        self._tokenizer = backbone.tokenizer
        self.words = {"xe": "we", "goxes": "goes", "six": "seven"}
        self.batches: list[list[str]] = []
        self.busy = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def correct(self, rows: Sequence[CorrectionRow]) -> list[Correction]:
        texts = ["".join(map(self._character, row.token_ids[:-1])) for row in rows]
        self.batches.append(texts)
        self.busy.set()
        assert self.gate.wait(SECONDS)
        words = [[self.words.get(word, word) for word in text.split()] for text in texts]
        return [self._correction(" ".join(corrected)) for corrected in words]

    def _character(self, token_id: int) -> str:
        return str(self._tokenizer.id_to_token(token_id)).replace("▁", " ").replace("<unk>", "?")

    def _correction(self, text: str) -> Correction:
        token_ids = tuple(self._tokenizer.encode(text).ids[:-1])
        return Correction(token_ids, (0.75,) * len(token_ids), 1)


class Logged(logging.Handler):
    """Sets an event when a logger gets a message that begins so."""

    def __init__(self, beginning: str) -> None:
        super().__init__()
        self.event = asyncio.Event()
        self._beginning = beginning
        self._logger = logging.getLogger("nlu.interceptors")

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(self._beginning):
            self.event.set()

    async def __aenter__(self) -> None:
        self._logger.addHandler(self)
        self._logger.setLevel(logging.INFO)

    async def __aexit__(self, *_: object) -> None:
        """Wait for the message."""
        await asyncio.wait_for(self.event.wait(), SECONDS)
        self._logger.removeHandler(self)
        self._logger.setLevel(logging.NOTSET)


@dataclass(frozen=True)
class Running:
    """A running server, its caller's stub, and what is inside."""

    stub: Any
    servicer: NluServicer
    service: Service
    engine: GatedEngine
    batcher: CountingBatcher
    speller: Speller
    catalog: Catalog
    make_draft: Callable[..., SkillDraft]

    async def occupy(self) -> asyncio.Task[nlu_pb2.ParseResponse]:
        """Put one row into the engine and leave it there, so that what follows has to queue."""
        self.engine.gate.clear()
        self.engine.busy.clear()
        first = asyncio.create_task(self.parse("first", "alpha"))
        assert await asyncio.to_thread(self.engine.busy.wait, SECONDS)
        return first

    def publish(
        self,
        name: str,
        kind: SkillKind = SkillKind.INTENT,
        *,
        seed: int = 0,
        alias: str | None = "live",
        heads: dict[str, Any] | None = None,
        **changes: Any,
    ) -> SkillVersion:
        draft = self.make_draft(self.service.backbone, name, kind, seed=seed, **(heads or {}))
        return self.catalog.publish(replace(draft, **changes), alias=alias)

    async def parse(self, text: str, *skills: str) -> nlu_pb2.ParseResponse:
        refs = [nlu_pb2.SkillRef(name=name) for name in skills]
        response: nlu_pb2.ParseResponse = await self.stub.Parse(nlu_pb2.ParseRequest(text=text, skills=refs))
        return response


def make_backbone(directory: Path) -> Backbone:
    """Make a backbone of one token a character, whose one weight is there for the fingerprint."""
    config = {
        "model_type": "t5",
        "feed_forward_proj": "gated-gelu",
        "vocab_size": 30,
        "d_model": 32,  # more than tokens, so that a head can tell every letter from the others
        "d_kv": 2,
        "d_ff": 8,
        "num_layers": 2,
        "num_heads": 2,
        "relative_attention_num_buckets": 4,
    }
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(config))
    save_file({"shared.weight": torch.arange(4.0)}, directory / "model.safetensors")
    vocabulary = {token: i for i, token in enumerate(["<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz▁"])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106 - no password
    tokenizer.normalizer = Replace(" ", "▁")
    tokenizer.pre_tokenizer = Split(Regex("."), "isolated")
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(directory / "tokenizer.json"))
    return Backbone(str(directory), directory, directory)


@asynccontextmanager
async def running(
    tmp_path: Path,
    make_draft: Callable[..., SkillDraft],
    *,
    prepare: Callable[[Running], object] | None = None,
    keys: KeyRing | None = None,
    observer: Observer = NOBODY,
    row_cache: int = 0,
    **settings: int,
) -> AsyncIterator[Running]:
    """Serve the skills alpha and beta, or what `prepare` publishes."""
    backbone = make_backbone(tmp_path / "backbone")
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    engine = GatedEngine(backbone)
    encode = observed(engine.encode, observer, "encoder", pads=True)
    batcher = CountingBatcher(encode, **settings)
    speller = Speller(backbone)
    corrector = Batcher(observed(speller.correct, observer, "corrector"), name="speller")
    registry = Registry(catalog, Loader(catalog, backbone, batcher, corrector, engine.prepare))
    encoded = RowCache(batcher, lambda states: states.nbytes, row_cache)
    corrections = RowCache(corrector, lambda correction: correction.nbytes, row_cache)
    parser = Parser(backbone, registry, Reader(backbone, encoded, corrections))
    service = Service(catalog, backbone, registry, parser)
    servicer = NluServicer()
    servicer.start(service)
    try:
        async with listening(servicer, keys, observer) as stub:
            server = Running(stub, servicer, service, engine, batcher, speller, catalog, make_draft)
            (prepare or publish_two)(server)
            await asyncio.to_thread(registry.refresh)
            engine.batches.clear()  # of the warm-ups
            speller.batches.clear()
            batcher.accepted = 0
            yield server
            engine.gate.set()
            speller.gate.set()
    finally:
        engine.gate.set()
        speller.gate.set()
        await asyncio.to_thread(batcher.close)
        await asyncio.to_thread(corrector.close)
        catalog.close()


@asynccontextmanager
async def listening(
    servicer: NluServicer, keys: KeyRing | None = None, observer: Observer = NOBODY
) -> AsyncIterator[Any]:
    server = grpc.aio.server(interceptors=[CallBoundary(keys=keys, observer=observer)])
    nlu_pb2_grpc.add_NluServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield nlu_pb2_grpc.NluServiceStub(channel)
    finally:
        await server.stop(None)


def publish_two(server: Running) -> None:
    server.publish("beta", seed=1)
    server.publish("alpha", seed=2)


@pytest.fixture
def serve(
    tmp_path: Path, make_draft: Callable[..., SkillDraft]
) -> Callable[..., AbstractAsyncContextManager[Running]]:
    return partial(running, tmp_path, make_draft)


@pytest.fixture
def unready() -> Callable[[], AbstractAsyncContextManager[Any]]:
    """The stub of a server that has no model yet."""
    return lambda: listening(NluServicer())


@pytest.fixture
def logged() -> type[Logged]:
    return Logged
