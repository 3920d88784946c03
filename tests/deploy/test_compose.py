"""docker-compose.yml against its schema, our command line, and the files that it names."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url

from nlu.server_settings import ServerSettings
from training.cli.options import PREFIX

OURS = ("migrate", "server", "worker")


@pytest.fixture(scope="module")
def services(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((root / "docker-compose.yml").read_text())["services"]
    return found


def test_it_is_a_compose_file(root: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run(
        [*command, root / "docker-compose.yml"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_container_is_confined(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].split(":")[0] not in ("0", "root"), name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_only_the_server_is_on_both_networks(root: Path, services: dict[str, Any]) -> None:
    networks = yaml.safe_load((root / "docker-compose.yml").read_text())["networks"]
    on_both = {name for name, service in services.items() if len(service["networks"]) > 1}
    with_catalog = {name for name, service in services.items() if "catalog" in service["networks"]}
    assert on_both == {"server"}
    assert with_catalog == {"postgres", *OURS}
    assert networks["catalog"] == {"internal": True}  # no way out of it


def test_what_runs_on_has_a_health_check(services: dict[str, Any]) -> None:
    unchecked = {name for name, service in services.items() if "healthcheck" not in service}
    assert unchecked == {"migrate", "worker"}  # one ends by itself; one serves nobody, and jobs have leases


@pytest.mark.parametrize("name", OURS)
def test_our_commands_are_understood(services: dict[str, Any], name: str, check_command: Any) -> None:
    service = services[name]
    variables = service["environment"]

    options = check_command(service["command"], variables)

    assert (PREFIX + "_CATALOG_FILE") in variables
    if name == "server":
        known = {field: options[field] for field in ("address", "metrics", "insecure", "auth")}
        settings = ServerSettings(catalog=options["catalog"], **known)
        assert settings.needs_keys


def test_the_files_that_it_names_are_there(root: Path, services: dict[str, Any]) -> None:
    mounts = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    folders = {mount for mount in mounts if mount.startswith(".")}
    assert folders
    assert [folder for folder in folders if not (root / folder).is_dir()] == []


def test_prometheus_asks_where_the_server_tells(
    root: Path, services: dict[str, Any], check_command: Callable[..., dict[str, Any]]
) -> None:
    metrics = check_command(services["server"]["command"], {})["metrics"]
    [scraped] = yaml.safe_load((root / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    [target] = scraped["dns_sd_configs"]
    assert (target["names"], target["port"]) == (["server"], int(metrics.rpartition(":")[2]))
    assert set(services["server"]["networks"]) & set(services["prometheus"]["networks"])


def test_secrets_are_made_once_and_come_by_file_only(root: Path, tmp_path: Path) -> None:
    whole = yaml.safe_load((root / "docker-compose.yml").read_text())
    folder = tmp_path / "secrets"
    for _ in range(2):
        subprocess.run([root / "deploy/make_secrets.sh", folder], check=True)
        made = {file.name: file.read_text() for file in folder.iterdir()}
        assert made == made | {name: (folder / name).read_text() for name in whole["secrets"]}
    assert {f"./secrets/{name}" for name in made} == {each["file"] for each in whole["secrets"].values()}
    assert make_url(made["catalog"].strip()).password == made["postgres_password"]
    assert len(set(made.values())) == 3 and len(made["grafana_password"]) == 48
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "PASSWORD:" not in (root / "docker-compose.yml").read_text()
    assert "secrets" in (root / ".dockerignore").read_text().splitlines()
