"""The server's composition root: the one place that builds catalog, engine, registry and gRPC server."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from functools import cache
from typing import TYPE_CHECKING

from nlu.access import KeyRing
from nlu.backbone import Backbone
from nlu.batcher import Batcher
from nlu.compute import Compute
from nlu.corrector import Correction, CorrectionRow, Corrector
from nlu.endpoint import Endpoint
from nlu.engine import Engine, choose_for_serving, make_decoder, make_engine
from nlu.interceptors import CallBoundary
from nlu.loader import Loader
from nlu.observer import NOBODY, Observer, observed
from nlu.observers import Watch
from nlu.parser import Parser
from nlu.reader import Reader
from nlu.registry import Registry
from nlu.row_cache import RowCache
from nlu.server_settings import ServerSettings
from nlu.service import NluServicer, Service
from nlu.training_service import CheckTraining, Training, TrainingServicer
from storage.catalog import Catalog

if TYPE_CHECKING:
    from nlu.instruments import Instruments
    from nlu.metrics_port import Publish

CORRECTION_NICENESS = 10  # of its thread: intents and slots, which most dialogs wait for, go first
CORRECTION_TOKENS = 256  # of one batch: larger ones take longer and are no more efficient (measured)
SWITCH_SECONDS = 0.0001  # between threads: with Python's 5 ms, engines wait for refusals (docs/overload.md)
CORRECTION_SHARE = 8  # of the row cache: one part in so many is for corrections, which are small

logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_service(settings: ServerSettings, observer: Observer = NOBODY) -> AsyncIterator[Service]:
    """Load the backbone and all aliased skills; on leaving, what was accepted is answered first.

    Raises:
        BackboneError, CatalogError, InputError: something it needs cannot be had.
    """
    async with AsyncExitStack() as stack:
        catalog = await asyncio.to_thread(Catalog.open, settings.catalog)
        stack.callback(catalog.close)
        backbone, engine, compute = await asyncio.to_thread(_load, settings)
        corrector = Batcher(
            observed(_corrections(backbone, compute, settings.engine), observer, "corrector"),
            name="corrector",
            niceness=CORRECTION_NICENESS,
            batch_tokens=CORRECTION_TOKENS,
            queue_rows=settings.queue_rows,
            queue_seconds=settings.queue_seconds,
        )
        stack.push_async_callback(asyncio.to_thread, corrector.close)
        encoder = Batcher(
            observed(engine.encode, observer, "encoder", pads=True),
            batch_tokens=settings.batch_tokens,
            queue_rows=settings.queue_rows,
            queue_seconds=settings.queue_seconds,
        )
        stack.push_async_callback(asyncio.to_thread, encoder.close)
        reader = Reader(
            backbone,
            RowCache(encoder, lambda states: states.nbytes, settings.row_cache),
            RowCache(corrector, lambda correction: correction.nbytes, settings.row_cache // CORRECTION_SHARE),
        )
        loader = Loader(catalog, backbone, encoder, corrector, engine.prepare)
        registry = Registry(catalog, loader, skill_memory=settings.skill_memory)
        await asyncio.to_thread(registry.refresh)
        yield Service(catalog, backbone, registry, Parser(backbone, registry, reader))


async def serve(
    settings: ServerSettings,
    *,
    ready: Callable[[Sequence[str]], None] = lambda addresses: None,
    check_training: CheckTraining = lambda request, data: None,
    publish: Publish | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, answer what is in flight, and return.

    Health is NOT_SERVING until the skills are warm; a signal before that ends the process at once. A server
    that shares its ports takes calls only then, for others could answer them. Runs in the main thread, where
    signals arrive.

    Args:
        settings: where to listen and what to serve.
        ready: called with the bound address, and the URLs of HTTP and of metrics, when requests are answered.
        check_training: raises InputError at the submission of a training that a worker could not run.
        publish: lets Prometheus read the metrics; by default, on the settings' address.

    Raises:
        BackboneError, CatalogError, InputError: it cannot start.
    """
    servicer, training = NluServicer(), TrainingServicer()
    keys = KeyRing() if settings.needs_keys else None
    watch = Watch.of(settings)
    endpoint = Endpoint(settings, servicer, training, CallBoundary(keys=keys, observer=watch.observer))
    http, addresses = AsyncExitStack(), list[str]()

    async def listen() -> None:
        addresses.append(await endpoint.start())
        if settings.http:
            serving = _serving_http(servicer, settings, keys, watch.observer)
            addresses.append(await http.enter_async_context(serving))

    try:
        if not settings.shares_ports:
            await listen()
        async with (
            open_service(settings, watch.observer) as service,
            _following(keys, service, settings) as following,
            AsyncExitStack() as stack,
        ):
            with _stop_signals() as stop:
                _tune_interpreter()
                servicer.start(service)
                training.start(Training(service.catalog, check_training))
                if settings.shares_ports:
                    await listen()
                await endpoint.set_health(serving=True)
                polling = asyncio.create_task(service.registry.poll(settings.poll_seconds))
                telling = asyncio.create_task(endpoint.tell_of_catalog(service.registry))
                stopping = asyncio.create_task(stop.wait())
                if watch.instruments is not None:
                    metrics = _serving_metrics(service, watch.instruments, settings, publish)
                    addresses.append(await stack.enter_async_context(metrics))
                logger.info("serving on %s", " and ".join(addresses))
                ready(addresses)
                try:
                    await asyncio.wait({polling, stopping, *following}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    logger.info("stopping: no new requests, %g s for those in flight", settings.grace_seconds)
                    await endpoint.leave()
                    servicer.stop()
                    training.stop()
                    await asyncio.gather(endpoint.drain(), http.aclose())
                    stopping.cancel()
                    telling.cancel()
                await polling  # ends with the registry; if a fault ended it, that ends the server, too
    finally:
        await http.aclose()
        await endpoint.close()
        await asyncio.to_thread(watch.observer.close)


def _tune_interpreter() -> None:
    """Let threads take short turns, and no search for garbage look through what is there for good: 0.15 s."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def _following(
    keys: KeyRing | None, service: Service, settings: ServerSettings
) -> AsyncIterator[set[asyncio.Task[None]]]:
    """Keep the API keys in step with the catalog; yields the task that does so, if keys are asked for."""
    if keys is not None:
        async with keys.following(service.catalog, settings.poll_seconds) as polling:
            yield {polling}
        return
    if settings.is_reachable:
        logger.warning("anyone who can connect may call: no API keys are asked for")
    yield set()


def _serving_http(
    servicer: NluServicer, settings: ServerSettings, keys: KeyRing | None, observer: Observer
) -> AbstractAsyncContextManager[str]:
    from nlu.http.app import make_app
    from nlu.http.server import serving_http

    return serving_http(
        make_app(servicer.running, settings.http_token, keys, observer),
        settings.http,
        grace_seconds=settings.grace_seconds,
        tls=settings.tls,
        shares_port=settings.shares_ports,
    )


def _serving_metrics(
    service: Service, instruments: Instruments, settings: ServerSettings, publish: Publish | None
) -> AbstractAsyncContextManager[str]:
    from nlu.metrics import serving_metrics
    from nlu.metrics_port import published

    return serving_metrics(
        service, instruments, settings.metrics, tls=settings.tls, publish=publish or published
    )


def _load(settings: ServerSettings) -> tuple[Backbone, Engine, Compute]:
    compute = choose_for_serving(settings.device, settings.precision, settings.threads, settings.engine)
    logger.info("loading backbone %s; the first time, it is converted and compiled", settings.backbone)
    backbone = Backbone.load(settings.backbone, cache=settings.cache)
    engine = make_engine(backbone, compute, settings.engine)
    logger.info(
        "backbone %s %s, engine %s, %s", backbone.name, backbone.fingerprint[:12], engine.name, compute
    )
    return backbone, engine, compute


def _corrections(
    backbone: Backbone, compute: Compute, engine: str
) -> Callable[[Sequence[CorrectionRow]], Sequence[Correction]]:
    """Return what decodes corrections; the decoder is loaded when the first grammar skill warms up."""

    @cache
    def corrector() -> Corrector:
        return Corrector(make_decoder(backbone, compute, engine))

    return lambda rows: corrector().correct(rows)


@contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    """An event that is set when the process is asked to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
