"""The rendered manifests of ``kubernetes/``, for tests."""

from typing import Any

import pytest

from deploy.checkout import REPOSITORY
from deploy.kustomize import Manifest, render

KUBERNETES = REPOSITORY / "kubernetes"
RENDERED = REPOSITORY / "tests" / "data" / "kubernetes"
FOLDERS = {
    "dev": KUBERNETES / "overlays" / "dev",
    "prod": KUBERNETES / "overlays" / "prod",
    "keda": RENDERED / "keda",
    "redis-key": RENDERED / "redis-key",
    "fqdn-egress": RENDERED / "fqdn-egress",
}
ALL = {name: render(folder) for name, folder in FOLDERS.items()}
"""Both overlays, and prod with each of the components."""

NAMESPACE = render(KUBERNETES / "namespace")
"""What an administrator applies once, before them."""

each_rendering = pytest.mark.parametrize("name", ALL)


def kinds(name: str, kind: str) -> list[Manifest]:
    return [manifest for manifest in ALL[name] if manifest["kind"] == kind]


def the_only(name: str, kind: str) -> Any:
    (found,) = kinds(name, kind)
    return found


def pod(name: str) -> Any:
    return the_only(name, "Deployment")["spec"]["template"]["spec"]


def container(name: str) -> Any:
    (only,) = pod(name)["containers"]
    return only


def variables(name: str) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(name)["env"] if "value" in each}


def scaler(name: str) -> Any:
    (found,) = [
        each for each in ALL[name] if each["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")
    ]
    return found


def destinations(name: str) -> set[tuple[str, int]]:
    """Return where egress may go: an address range or a name, and a port."""
    found = set()
    for policy in kinds(name, "NetworkPolicy"):
        for rule in policy["spec"]["egress"]:
            peers = [
                peer["ipBlock"]["cidr"] if "ipBlock" in peer else "kube-dns" for peer in rule["to"]
            ]
            found |= {(peer, port["port"]) for peer in peers for port in rule["ports"]}
    for policy in kinds(name, "CiliumNetworkPolicy"):
        for rule in policy["spec"]["egress"]:
            peers = [each["matchName"] for each in rule.get("toFQDNs", [])] or ["kube-dns"]
            ports = [int(port["port"]) for each in rule["toPorts"] for port in each["ports"]]
            found |= {(peer, port) for peer in peers for port in ports}
    return found
