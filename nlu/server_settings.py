"""What a server can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from nlu.address import is_loopback
from nlu.backbone import EMBEDDED, MAX_TOKENS
from nlu.batcher import BATCH_TOKENS, QUEUE_ROWS
from nlu.registry import POLL_SECONDS
from nlu.residency import SKILL_MEMORY
from nlu.row_cache import ROW_CACHE
from nlu.tls import TlsFiles
from skills.errors import InputError

AUTH = ("auto", "keys", "none")
UTTERANCES = ("none", "masked", "plain")


@dataclass(frozen=True)
class ServerSettings:
    """The settings of a server; checked when made.

    Raises:
        InputError: a value is out of bounds or does not go with another; names the field.
    """

    catalog: str  # URL
    backbone: str = EMBEDDED
    address: str = "127.0.0.1:50051"  # port 0 takes a free one
    workers: int = 1  # servers that share the ports, of which this is one; each with an engine of its own
    http: str = ""  # another address, for Rasa's NLU HTTP API; none for no HTTP
    http_token: str = field(default="", repr=False)  # of those who may ask there; none lets everyone ask
    metrics: str = ""  # another address, for Prometheus; it asks for no key, and none is no metrics
    otlp: str = ""  # URL of an OpenTelemetry collector; none is no traces
    log_utterances: str = "none"  # "masked": without slots, digits and addresses; "plain"
    engine: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0  # as many as the process may use
    reflection: bool = False  # tells the methods to anyone who asks
    training: bool = False  # lets whoever may call have skills trained, promoted and deleted
    auth: str = "auto"  # "keys": API keys; "none"; "auto": keys where other machines can connect
    cache: Path | None = None  # of converted models; None for the user's
    poll_seconds: float = POLL_SECONDS
    grace_seconds: float = (
        10.0  # for requests in flight at a stop; most container runtimes kill after as much
    )
    insecure: bool = False  # plaintext beyond this machine, for a proxy or a mesh that encrypts
    tls_certificate: Path | None = None  # PEM, with the chain
    tls_key: Path | None = None
    tls_client_ca: Path | None = None  # only clients with a certificate of this authority are let in
    queue_rows: int = QUEUE_ROWS
    queue_seconds: float = 0.0  # of work that may be ahead of a request; 0 for what keeps waits short
    batch_tokens: int = BATCH_TOKENS
    skill_memory: int = SKILL_MEMORY
    row_cache: int = ROW_CACHE  # bytes, of what texts that come again were read as; 0 is none

    def __post_init__(self) -> None:
        at_least: dict[str, float] = {"queue_rows": 1, "queue_seconds": 0, "batch_tokens": MAX_TOKENS}
        at_least |= {"workers": 1, "grace_seconds": 0, "skill_memory": 0, "row_cache": 0}
        for name, least in at_least.items():
            value = getattr(self, name)
            if not value >= least:
                raise InputError(f"{name} is {value}, at least {least} is needed", field=name)
        if self.shares_ports and self.address.startswith("unix"):
            raise InputError(
                f"{self.workers} workers cannot share {self.address}: give HOST:PORT, or one worker",
                field="workers",
            )
        if not self.poll_seconds > 0:
            raise InputError(
                f"poll_seconds is {self.poll_seconds}, more than 0 is needed", field="poll_seconds"
            )
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise InputError(
                "TLS needs both a certificate and its key: give both, or none", field="tls_certificate"
            )
        if self.tls_client_ca and not self.tls_certificate:
            raise InputError("a client CA needs TLS: give a certificate and its key", field="tls_client_ca")
        if self.auth not in AUTH:
            raise InputError(f"auth is {self.auth!r}: use one of {', '.join(AUTH)}", field="auth")
        if self.log_utterances not in UTTERANCES:
            raise InputError(
                f"log_utterances is {self.log_utterances!r}: use one of {', '.join(UTTERANCES)}",
                field="log_utterances",
            )
        for name in ("address", "http", "metrics"):
            address = getattr(self, name)
            if address and not (self.tls_certificate or self.insecure or is_loopback(address)):
                raise InputError(
                    f"{name} {address} can be reached from other machines, but there is no TLS: give a "
                    "certificate and its key, listen on 127.0.0.1, or set insecure if a proxy encrypts",
                    field=name,
                )

    @property
    def tls(self) -> TlsFiles | None:
        """The files of TLS, if it is asked for."""
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return TlsFiles(self.tls_certificate, self.tls_key, self.tls_client_ca)

    @property
    def shares_ports(self) -> bool:
        """Whether other servers of a group listen on the same ports."""
        return self.workers > 1

    @property
    def is_reachable(self) -> bool:
        """Whether other machines can connect."""
        return not all(is_loopback(address) for address in (self.address, self.http) if address)

    @property
    def needs_keys(self) -> bool:
        """Whether callers need an API key."""
        return self.auth == "keys" or (self.auth == "auto" and self.is_reachable)
