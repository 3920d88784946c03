"""The server's TLS files, read again when they rotate: certificates that live for days need no restart."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import grpc

from skills.errors import InputError

Stamp: TypeAlias = tuple[tuple[int, int, int], ...]

logger = logging.getLogger(__name__)


@dataclass
class TlsFiles:
    """PEM files; with a client CA, only clients that it has certified are let in.

    New connections get what the files have at that moment; those that are open stay as they are. Files that
    cannot be used, such as a new certificate whose key is not there yet, are logged, and the last ones go on.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None
    _stamp: Stamp = field(default=(), init=False)

    def credentials(self) -> grpc.ServerCredentials:
        """Return what a gRPC server needs, which follows the files.

        Raises:
            InputError: a file cannot be read or used.
        """
        self._stamp = self._look()
        return grpc.dynamic_ssl_server_credentials(
            self._read(),
            self._changed,  # type: ignore[arg-type] # may return None, says grpc's manual
            require_client_authentication=self.client_ca is not None,
        )

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what the files have if they changed; gRPC asks in a thread, before every handshake."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return None
            self._stamp = stamp
            found = self._read()
        except InputError as error:
            logger.warning("new TLS files are not used, the last ones go on: %s", error)
            return None
        logger.info("new TLS files are used for new connections")
        return found

    def _look(self) -> Stamp:
        """Return what tells whether the files are still the same."""
        files = [self.certificate, self.key, *([self.client_ca] if self.client_ca else [])]
        try:
            stats = [file.stat() for file in files]
        except OSError as error:
            raise InputError(f"cannot read a TLS file: {error}", field="tls_certificate") from error
        return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats)

    def _read(self) -> grpc.ServerCertificateConfiguration:
        """Return what the files have; OpenSSL looks at it first, for gRPC takes anything."""
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
            return grpc.ssl_server_certificate_configuration(
                [(self.key.read_bytes(), self.certificate.read_bytes())],
                root_certificates=None if self.client_ca is None else self.client_ca.read_bytes(),
            )
        except (OSError, ValueError) as error:  # SSLError is an OSError
            raise InputError(
                f"the TLS files {self.certificate}, {self.key}"
                f"{f' and {self.client_ca}' if self.client_ca else ''} cannot be used ({error}): give a "
                "certificate and its own key, unencrypted, as PEM",
                field="tls_certificate",
            ) from error


def _no_password() -> str:
    """Keep OpenSSL from asking on a terminal."""
    raise ValueError("the key is encrypted")
