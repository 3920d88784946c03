"""The manifests against Kubernetes' schemas, our command line, and each other."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from nlu.server_settings import ServerSettings

VERSIONS = ("1.30", "1.37")  # the first that knows everything here without a feature gate, and the newest
FOLDERS = ("base", "tls")


def documents(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(folder.glob("*.yaml")):
        if file.name != "kustomization.yaml":
            for document in yaml.safe_load_all(file.read_text()):
                yield file.name, document


@pytest.fixture(scope="module")
def manifests(root: Path) -> dict[str, dict[str, Any]]:
    """What the base has, by `Kind/name`."""
    found = documents(root / "deploy/k8s/base")
    return {f"{each['kind']}/{each['metadata']['name']}": each for _, each in found}


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return found


def pods(manifests: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: pod(each) for name, each in manifests.items() if "template" in each.get("spec", {})}


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_would_take_them(manifests: dict[str, dict[str, Any]], version: str) -> None:
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("name", FOLDERS)
def test_kustomize_reads_the_files_that_are_there(root: Path, name: str) -> None:
    folder = root / "deploy/k8s" / name
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    named = [*kustomization["resources"], *(each["path"] for each in kustomization.get("patches", ()))]
    files = {file for file, _ in documents(folder)}
    assert {each for each in named if each.endswith(".yaml")} == files
    assert all((folder / each).exists() for each in named)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")
@pytest.mark.parametrize("name", FOLDERS)
def test_what_kustomize_makes_is_valid(root: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(root / "deploy/k8s", tmp_path / "k8s")
    shutil.copy(tmp_path / "k8s/base/secrets/catalog.example", tmp_path / "k8s/base/secrets/catalog")
    made = subprocess.run(
        ["kubectl", "kustomize", tmp_path / "k8s" / name], capture_output=True, text=True, check=True
    )
    rendered = list(yaml.safe_load_all(made.stdout))
    for manifest in rendered:
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)
    assert {each["metadata"].get("namespace", "softspoken") for each in rendered} == {"softspoken"}
    [server] = [
        each
        for each in rendered
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", "softspoken-server")
    ]
    [container] = pod(server)["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert ("grpc" in container[probe], "httpGet" in container[probe]) == (name == "base", name == "tls")


def test_the_commands_are_understood(
    root: Path, manifests: dict[str, dict[str, Any]], check_command: Callable[..., dict[str, Any]]
) -> None:
    patch = dict(documents(root / "deploy/k8s/tls"))["server.yaml"]
    base = pod(manifests["Deployment/softspoken-server"])["containers"][0]
    seen = {}
    for name, found in {**pods(manifests), "tls": pod(patch)}.items():
        [container] = found["containers"]
        variables = {each["name"]: each["value"] for each in container.get("env", ())}
        seen[name] = check_command(container["args"], variables)
        assert name == "tls" or "SOFTSPOKEN_CATALOG_FILE" in variables
    for name in ("Deployment/softspoken-server", "tls"):
        known = ("address", "http", "metrics", "insecure", "auth", "tls_certificate", "tls_key")
        settings = ServerSettings(catalog="", **{field: seen[name][field] for field in known})
        assert settings.needs_keys
        ports = [each["containerPort"] for each in base["ports"]]
        if name == "tls":
            ports += [each["containerPort"] for each in pod(patch)["containers"][0]["ports"]]
        addresses = (settings.address, settings.metrics, settings.http)
        assert [int(each.rpartition(":")[2]) for each in addresses if each] == ports


def test_every_pod_is_confined(manifests: dict[str, dict[str, Any]]) -> None:
    found = pods(manifests)
    assert len(found) == 3
    for name, each in found.items():
        assert each["securityContext"]["runAsNonRoot"] and each["securityContext"]["runAsUser"] == 10001, name
        assert each["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert each["automountServiceAccountToken"] is False, name
        for container in each["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert set(container["resources"]) == {"requests", "limits"}, name
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == {volume["name"] for volume in each["volumes"]}, name


def test_what_belongs_together_names_the_same(manifests: dict[str, dict[str, Any]]) -> None:
    server = manifests["Deployment/softspoken-server"]
    labels = server["spec"]["template"]["metadata"]["labels"]
    for name in ("PodDisruptionBudget/softspoken-server", "Deployment/softspoken-server"):
        assert manifests[name]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["NetworkPolicy/softspoken-server"]["spec"]["podSelector"]["matchLabels"] == labels
    assert manifests["Service/softspoken"]["spec"]["selector"] == labels
    assert (
        manifests["HorizontalPodAutoscaler/softspoken-server"]["spec"]["scaleTargetRef"]["name"]
        in (server["metadata"]["name"])
    )
    assert "replicas" not in server["spec"]  # or every `kubectl apply` would undo what the autoscaler did
    assert manifests["HorizontalPodAutoscaler/softspoken-server"]["spec"]["minReplicas"] > 1


def test_a_pod_has_time_to_end(
    manifests: dict[str, dict[str, Any]], check_command: Callable[..., dict[str, Any]]
) -> None:
    server = pod(manifests["Deployment/softspoken-server"])
    [container] = server["containers"]
    grace = check_command(container["args"], {})["grace_seconds"]
    sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert server["terminationGracePeriodSeconds"] > grace + sleep


def test_no_secret_is_in_the_repository(root: Path) -> None:
    there = subprocess.run(
        ["git", "ls-files", "deploy", "secrets"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    assert [name for name in there if "/secrets/" in name or name.startswith("secrets/")] == [
        "deploy/k8s/base/secrets/catalog.example"
    ]
    assert "CHANGE-ME" in (root / "deploy/k8s/base/secrets/catalog.example").read_text()
