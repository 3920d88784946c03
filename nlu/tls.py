"""The server's TLS files, read again when they rotate: certificates that live for days need no restart."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

import grpc

from skills.errors import InputError

Made = TypeVar("Made")
Stamp: TypeAlias = tuple[tuple[int, int, int], ...]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TlsFiles:
    """PEM files; with a client CA, only clients that it has certified are let in.

    New connections get what the files have at that moment; those that are open stay as they are. Files that
    cannot be used, such as a new certificate whose key is not there yet, are logged, and the last ones go on.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """Return what a gRPC server needs, which follows the files.

        Raises:
            InputError: a file cannot be read or used.
        """
        following = _Following(self, self._configuration)
        return grpc.dynamic_ssl_server_credentials(
            following.last,
            following.newer,  # type: ignore[arg-type] # may return None, says grpc's manual
            require_client_authentication=self.client_ca is not None,
        )

    def context(self) -> ssl.SSLContext:
        """Return what any other server needs, which follows the files.

        Raises:
            InputError: a file cannot be read or used.
        """
        following = _Following(self, self._context)

        def follow(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            following.newer()
            connection.context = following.last

        context = following.last
        context.sni_callback = follow  # asked in every handshake, also by clients that name no server
        return context

    def stamp(self) -> Stamp:
        """Return what tells whether the files are still the same.

        Raises:
            InputError: a file is not there, or its folder cannot be read.
        """
        files = [self.certificate, self.key, *([self.client_ca] if self.client_ca else [])]
        try:
            stats = [file.stat() for file in files]
        except OSError as error:
            raise InputError(f"cannot read a TLS file: {error}", field="tls_certificate") from error
        return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats)

    def _context(self) -> ssl.SSLContext:
        """Return what the files have, for one handshake."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
                # A resumed session skips the client's certificate, and the authority may have been replaced.
                context.num_tickets = 0
                context.minimum_version = ssl.TLSVersion.TLSv1_3  # before, Python cannot turn resumption off
        except (OSError, ValueError) as error:  # SSLError is an OSError
            raise InputError(
                f"the TLS files {self.certificate}, {self.key}"
                f"{f' and {self.client_ca}' if self.client_ca else ''} cannot be used ({error}): give a "
                "certificate and its own key, unencrypted, as PEM",
                field="tls_certificate",
            ) from error
        return context

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        """Return what the files have, for gRPC; OpenSSL looks at it first, for gRPC takes anything."""
        self._context()
        try:
            return grpc.ssl_server_certificate_configuration(
                [(self.key.read_bytes(), self.certificate.read_bytes())],
                root_certificates=None if self.client_ca is None else self.client_ca.read_bytes(),
            )
        except OSError as error:
            raise InputError(f"cannot read a TLS file: {error}", field="tls_certificate") from error


class _Following(Generic[Made]):
    """What was last made of the files."""

    def __init__(self, files: TlsFiles, make: Callable[[], Made]) -> None:
        self._files = files
        self._make = make
        self._stamp = files.stamp()
        self.last = make()

    def newer(self) -> Made | None:
        """Return what the files have if they changed; asked before every handshake."""
        try:
            stamp = self._files.stamp()
            if stamp == self._stamp:
                return None
            self._stamp = stamp
            self.last = self._make()
        except InputError as error:
            logger.warning("new TLS files are not used, the last ones go on: %s", error)
            return None
        logger.info("new TLS files are used for new connections")
        return self.last


def _no_password() -> str:
    """Keep OpenSSL from asking on a terminal."""
    raise ValueError("the key is encrypted")
