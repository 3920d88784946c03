"""All checks, one after the other; one that fails does not keep the others from being made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from nlu.server_settings import ServerSettings
from skills.errors import SoftspokenError
from training.doctor.access import check_certificates, check_files, check_ports
from training.doctor.finding import Finding, problem
from training.doctor.machine import check_cpu, check_disk, check_threads
from training.doctor.stored import check_backbone, check_catalog

Check = Callable[[ServerSettings], Iterator[Finding]]


def examine(settings: ServerSettings, configuration: Path | None = None) -> Iterator[Finding]:
    """Yield what is found about a server of these settings, some of which may be of a configuration file."""
    checks: dict[str, Check] = {
        "catalog": check_catalog,
        "backbone": check_backbone,
        "cpu": check_cpu,
        "threads": check_threads,
        "port": check_ports,
        "certificates": check_certificates,
        "disk": check_disk,
        "files": partial(check_files, configuration=configuration),
    }
    for name, check in checks.items():
        try:
            yield from check(settings)
        except (SoftspokenError, OSError) as error:
            yield problem(name, str(error))
