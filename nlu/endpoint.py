"""Where gRPC calls arrive: the port, the services behind it, and whether they are healthy."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from nlu.catalog_health import tell_of_catalog
from nlu.connections import server_options
from nlu.interceptors import CallBoundary
from nlu.registry import Registry
from nlu.server_settings import ServerSettings
from nlu.service import NluServicer
from nlu.training_service import TrainingServicer
from nlu.v1 import nlu_pb2, nlu_pb2_grpc, training_pb2, training_pb2_grpc
from skills.errors import InputError

FLUSH_SECONDS = 1.0  # for the last answers to leave, after they were given
NLU_SERVICE: str = nlu_pb2.DESCRIPTOR.services_by_name["NluService"].full_name
TRAINING_SERVICE: str = training_pb2.DESCRIPTOR.services_by_name["TrainingService"].full_name


class Endpoint:
    """One port; health is NOT_SERVING until it is told otherwise."""

    def __init__(
        self,
        settings: ServerSettings,
        servicer: NluServicer,
        training: TrainingServicer,
        boundary: CallBoundary,
    ) -> None:
        self._settings = settings
        self._boundary = boundary
        self._healthy = health.aio.HealthServicer()
        self._services = (NLU_SERVICE, TRAINING_SERVICE) if settings.training else (NLU_SERVICE,)
        options = server_options(shares_port=settings.shares_ports)
        self._server = grpc.aio.server(interceptors=[boundary], options=options)
        nlu_pb2_grpc.add_NluServiceServicer_to_server(servicer, self._server)
        if settings.training:
            training_pb2_grpc.add_TrainingServiceServicer_to_server(training, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._healthy, self._server)
        if settings.reflection:
            names = (*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)

    async def start(self) -> str:
        """Take calls, and return the address.

        Raises:
            InputError: it cannot be listened on, or TLS files cannot be used.
        """
        await self.set_health(serving=False)
        address = self._bind()
        await self._server.start()
        return address

    async def set_health(self, *, serving: bool) -> None:
        """Say whether calls are answered."""
        response = health_pb2.HealthCheckResponse
        for name in (health.OVERALL_HEALTH, *self._services):
            await self._healthy.set(name, response.SERVING if serving else response.NOT_SERVING)

    async def tell_of_catalog(self, registry: Registry) -> None:
        """Let health know of the catalog until it is cancelled."""
        await tell_of_catalog(self._healthy, registry, self._settings.poll_seconds)

    async def leave(self) -> None:
        """Say NOT_SERVING from now on, for good."""
        await self._healthy.enter_graceful_shutdown()

    async def drain(self) -> None:
        """Stop when what is in flight has been answered, or has had its time."""
        # gRPC's own grace would cancel calls that arrive meanwhile, and wait for health watches.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._boundary.idle(), self._settings.grace_seconds)
        await self._server.stop(FLUSH_SECONDS)

    async def close(self) -> None:
        """Stop at once."""
        await self._server.stop(None)

    def _bind(self) -> str:
        settings = self._settings
        try:
            if settings.tls is None:
                port = self._server.add_insecure_port(settings.address)
            else:
                port = self._server.add_secure_port(settings.address, settings.tls.credentials())
        except RuntimeError as error:
            raise InputError(
                f"cannot listen on {settings.address}: another program has the port, or the address is not "
                "of this machine; choose another (port 0 takes a free one)",
                field="address",
            ) from error
        if settings.address.startswith("unix"):
            return settings.address
        return f"{settings.address.rpartition(':')[0]}:{port}"
