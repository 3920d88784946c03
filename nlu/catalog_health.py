"""What health says of the catalog: serving goes on without it, but somebody should know."""

from __future__ import annotations

import asyncio
import time

from grpc_health.v1 import health, health_pb2

from nlu.registry import Registry

CATALOG = "softspoken.catalog"  # asked of health like a service; the others do not depend on it
STALE_SECONDS = 15.0  # since the catalog was read last: a busy one may take two tries of 5 s
LOOK_SECONDS = 0.5


async def tell_of_catalog(
    healthy: health.aio.HealthServicer, registry: Registry, poll_seconds: float
) -> None:
    """Say NOT_SERVING while the catalog cannot be read, or does not answer; until cancelled."""
    states = health_pb2.HealthCheckResponse
    longest = STALE_SECONDS + poll_seconds
    while True:
        is_read = time.monotonic() - registry.read_at < longest
        await healthy.set(CATALOG, states.SERVING if is_read else states.NOT_SERVING)
        await asyncio.sleep(LOOK_SECONDS)
