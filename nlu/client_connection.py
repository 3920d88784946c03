"""How the client reaches a server: address, TLS, API key, retries."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from nlu.address import is_loopback
from nlu.client_errors import InvalidRequestError

MESSAGE_BYTES = 4 << 20  # the server's limit

SERVICE_CONFIG: dict[str, Any] = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [
                {"service": "softspoken.nlu.v1.NluService"},
                *(
                    {"service": "softspoken.nlu.v1.TrainingService", "method": method}
                    for method in ("GetJob", "ListJobs", "WatchJob")
                ),
            ],
            # These methods only read, so they may be sent again. CANCELLED by the server means as much as
            # UNAVAILABLE: gRPC says so to calls that arrive in the moment in which a server stops. A server
            # that refuses a call for want of room says when to come again (gRPC's retry pushback).
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED", "RESOURCE_EXHAUSTED"],
            },
        }
    ],
}
CHANNEL_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),  # a restarted server is found again within a second
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
)


@dataclass(frozen=True)
class Tls:
    """PEM files: the authority that signed the server's certificate (None for the system's authorities), and
    for servers that ask for one, the client's own certificate and key."""

    ca: Path | str | None = None
    certificate: Path | str | None = None
    key: Path | str | None = None


@dataclass(frozen=True)
class Connection:
    """Where and how to connect; checked when made.

    Raises:
        InvalidRequestError: the API key would travel in plain text to another machine.
    """

    address: str
    timeout: float | None  # seconds for one call, None for no limit
    tls: Tls | None
    api_key: str = field(repr=False)

    def __post_init__(self) -> None:
        if self.api_key and self.tls is None and not is_loopback(self.address):
            raise InvalidRequestError(
                f"the API key would be sent to {self.address} in plain text: give tls=Tls(...)", field="tls"
            )

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what every call carries."""
        return (("authorization", f"Bearer {self.api_key}"),) if self.api_key else ()

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Return the credentials for TLS, or None for plain text.

        Raises:
            InvalidRequestError: a file cannot be read.
        """
        if self.tls is None:
            return None
        try:
            return grpc.ssl_channel_credentials(
                root_certificates=_read(self.tls.ca),
                private_key=_read(self.tls.key),
                certificate_chain=_read(self.tls.certificate),
            )
        except OSError as error:
            raise InvalidRequestError(f"cannot read a TLS file: {error}", field="tls") from error


def _read(file: Path | str | None) -> bytes | None:
    return None if file is None else Path(file).read_bytes()
