"""What callers' connections may do to the server: how much they send, and for how long they say nothing."""

from __future__ import annotations

MESSAGE_BYTES = 4 << 20  # gRPC's own default; 256 texts of 2,000 characters fit
STREAMS = 1000  # calls of one connection at a time; its other calls wait at the caller
HANDSHAKE_SECONDS = 10.0  # from the connection to the first HTTP/2 frame; gRPC's own is 120
KEEPALIVE_SECONDS = 60.0  # of silence, after which the caller is asked whether it is still there
KEEPALIVE_TIMEOUT = 20.0  # seconds; without an answer by then, its calls end


def server_options(*, shares_port: bool = False) -> list[tuple[str, int]]:
    """Return the bounds as gRPC takes them; its own let a vanished caller keep its streams for hours."""
    return [
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.max_send_message_length", MESSAGE_BYTES),
        ("grpc.max_concurrent_streams", STREAMS),
        ("grpc.server_handshake_timeout_ms", round(1e3 * HANDSHAKE_SECONDS)),
        ("grpc.keepalive_time_ms", round(1e3 * KEEPALIVE_SECONDS)),
        ("grpc.keepalive_timeout_ms", round(1e3 * KEEPALIVE_TIMEOUT)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.so_reuseport", int(shares_port)),  # otherwise two servers share a port in silence
    ]
