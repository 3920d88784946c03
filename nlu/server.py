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
    suppress,
)
from functools import cache
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from nlu.access import KeyRing
from nlu.backbone import Backbone
from nlu.batcher import Batcher
from nlu.catalog_health import tell_of_catalog
from nlu.compute import Compute, choose
from nlu.connections import server_options
from nlu.corrector import Correction, CorrectionRow, Corrector
from nlu.engine import Engine, make_decoder, make_engine
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
from nlu.v1 import nlu_pb2, nlu_pb2_grpc, training_pb2, training_pb2_grpc
from skills.errors import InputError
from storage.catalog import Catalog

if TYPE_CHECKING:
    from nlu.instruments import Instruments

CORRECTION_NICENESS = 10  # of its thread: intents and slots, which most dialogs wait for, go first
CORRECTION_TOKENS = 256  # of one batch: larger ones take longer and are no more efficient (measured)
SWITCH_SECONDS = 0.0001  # between threads: with Python's 5 ms, engines wait for refusals (docs/overload.md)
CORRECTION_SHARE = 8  # of the row cache: one part in so many is for corrections, which are small
FLUSH_SECONDS = 1.0  # for the last answers to leave, after they were given
NLU_SERVICE: str = nlu_pb2.DESCRIPTOR.services_by_name["NluService"].full_name
TRAINING_SERVICE: str = training_pb2.DESCRIPTOR.services_by_name["TrainingService"].full_name

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
    ready: Callable[[str], None] = lambda address: None,
    check_training: CheckTraining = lambda request, data: None,
) -> None:
    """Serve until SIGTERM or SIGINT, answer what is in flight, and return.

    Health is NOT_SERVING until the skills are warm; a signal before that ends the process at once. Runs in
    the main thread, where signals arrive.

    Args:
        settings: where to listen and what to serve.
        ready: called with the bound address, and then with the URLs of HTTP and of metrics, when requests are
            answered.
        check_training: raises InputError at the submission of a training that a worker could not run.

    Raises:
        BackboneError, CatalogError, InputError: it cannot start.
    """
    servicer, training = NluServicer(), TrainingServicer()
    keys = KeyRing() if settings.needs_keys else None
    watch = Watch.of(settings)
    healthy, boundary = health.aio.HealthServicer(), CallBoundary(keys=keys, observer=watch.observer)
    server = _make_server(settings, (servicer, training), healthy, boundary)
    await _set_health(healthy, settings, serving=False)
    address = _bind(server, settings)
    await server.start()
    http = AsyncExitStack()
    try:
        addresses = [address]
        if settings.http:
            addresses.append(
                await http.enter_async_context(_serving_http(servicer, settings, keys, watch.observer))
            )
        async with (
            open_service(settings, watch.observer) as service,
            _following(keys, service, settings) as following,
            AsyncExitStack() as stack,
        ):
            with _stop_signals() as stop:
                _tune_interpreter()
                servicer.start(service)
                training.start(Training(service.catalog, check_training))
                await _set_health(healthy, settings, serving=True)
                polling = asyncio.create_task(service.registry.poll(settings.poll_seconds))
                telling = asyncio.create_task(
                    tell_of_catalog(healthy, service.registry, settings.poll_seconds)
                )
                stopping = asyncio.create_task(stop.wait())
                if watch.instruments is not None:
                    metrics = _serving_metrics(service, watch.instruments, settings)
                    addresses.append(await stack.enter_async_context(metrics))
                logger.info("serving on %s", " and ".join(addresses))
                for each in addresses:
                    ready(each)
                try:
                    await asyncio.wait({polling, stopping, *following}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    logger.info("stopping: no new requests, %g s for those in flight", settings.grace_seconds)
                    await healthy.enter_graceful_shutdown()
                    servicer.stop()
                    training.stop()
                    await asyncio.gather(_drain(server, boundary, settings.grace_seconds), http.aclose())
                    stopping.cancel()
                    telling.cancel()
                await polling  # ends with the registry; if a fault ended it, that ends the server, too
    finally:
        await http.aclose()
        await server.stop(None)
        await asyncio.to_thread(watch.observer.close)


def _tune_interpreter() -> None:
    """Let threads take short turns, and no search for garbage look through what is there for good: 0.15 s."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()


async def _drain(server: grpc.aio.Server, boundary: CallBoundary, grace_seconds: float) -> None:
    """Stop when what is in flight has been answered."""
    # gRPC's own grace would cancel calls that arrive meanwhile, and wait for health watches.
    with suppress(TimeoutError):
        await asyncio.wait_for(boundary.idle(), grace_seconds)
    await server.stop(FLUSH_SECONDS)


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
    )


def _serving_metrics(
    service: Service, instruments: Instruments, settings: ServerSettings
) -> AbstractAsyncContextManager[str]:
    from nlu.metrics import serving_metrics

    return serving_metrics(service, instruments, settings.metrics, tls=settings.tls)


def _load(settings: ServerSettings) -> tuple[Backbone, Engine, Compute]:
    compute = choose(settings.device, settings.precision, settings.threads)
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


def _make_server(
    settings: ServerSettings,
    servicers: tuple[NluServicer, TrainingServicer],
    healthy: health.aio.HealthServicer,
    boundary: CallBoundary,
) -> grpc.aio.Server:
    server = grpc.aio.server(
        interceptors=[boundary],
        options=server_options(),
    )
    nlu_pb2_grpc.add_NluServiceServicer_to_server(servicers[0], server)
    if settings.training:
        training_pb2_grpc.add_TrainingServiceServicer_to_server(servicers[1], server)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    if settings.reflection:
        names = (*_services(settings), health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
    return server


def _bind(server: grpc.aio.Server, settings: ServerSettings) -> str:
    try:
        if settings.tls is None:
            port = server.add_insecure_port(settings.address)
        else:
            port = server.add_secure_port(settings.address, settings.tls.credentials())
    except RuntimeError as error:
        raise InputError(
            f"cannot listen on {settings.address}: another program has the port, or the address is not of "
            "this machine; choose another (port 0 takes a free one)",
            field="address",
        ) from error
    if settings.address.startswith("unix"):
        return settings.address
    return f"{settings.address.rpartition(':')[0]}:{port}"


def _services(settings: ServerSettings) -> tuple[str, ...]:
    return (NLU_SERVICE, TRAINING_SERVICE) if settings.training else (NLU_SERVICE,)


async def _set_health(healthy: health.aio.HealthServicer, settings: ServerSettings, *, serving: bool) -> None:
    response = health_pb2.HealthCheckResponse
    for name in (health.OVERALL_HEALTH, *_services(settings)):
        await healthy.set(name, response.SERVING if serving else response.NOT_SERVING)


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
