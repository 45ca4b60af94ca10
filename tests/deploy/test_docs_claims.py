"""The docs' claims about users, files, ports, addresses, probes and egress match what is
deployed."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from azureml_scoring.settings import load
from deploy.checkout import REPOSITORY
from deploy.manifests import (
    ALL,
    NAMESPACE,
    container,
    destinations,
    kinds,
    pod,
    the_only,
    variables,
)
from terraform.module import INFRASTRUCTURE, Module, parse

PAGES = ("kubernetes.md", "infrastructure.md", "deploy.md")
KINDS = re.compile(
    r"port \d|TLS \d|non-root|[Nn]ot root|without "
    r"rights|read-only|`/(?:liveness|readiness)`|[Tt]he startup probe"
    r"|a startup probe \||private but|public, by|internal address|stays public|`preStop` "
    r"waits|virtual network, from"
)
BLOCKS = Module(INFRASTRUCTURE).blocks()
DOCKERFILE = (REPOSITORY / "environment" / "Dockerfile").read_text()
PRODS = [name for name in ALL if name != "dev"]


def lines(page: str) -> list[str]:
    """Return paragraphs, items and table rows, each as one line, without commands."""
    prose = re.sub(r"```.*?```", "", (REPOSITORY / "docs" / page).read_text(), flags=re.DOTALL)
    joined = re.sub(r"\n(?![\n|#-])", " ", prose)
    return [line for line in re.sub(r" {2,}", " ", joined).splitlines() if KINDS.search(line)]


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\b\d+\b", text)]


def stops(line: str) -> None:
    ours, given = load(variables("prod")), pod("prod")["terminationGracePeriodSeconds"]
    grace = re.search(r"--graceful-timeout (\d+)", DOCKERFILE)
    assert grace
    pre_stop = container("prod")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert numbers(line) == [
        pre_stop,
        ours.scoring_drain_ms // 1000,
        ours.scoring_deadline_ms // 1000,
        int(grace[1]),
        given,
    ]


def starts(_: str) -> None:
    for name in ALL:
        probe = container(name)["startupProbe"]
        assert (probe["periodSeconds"] * probe["failureThreshold"], probe["periodSeconds"]) == (
            120,
            2,
        )


def has_no_rights(_: str) -> None:
    for name in ALL:
        of_pod, of_container = pod(name)["securityContext"], container(name)["securityContext"]
        assert of_pod["runAsNonRoot"]
        assert of_pod["runAsUser"] > 0
        assert of_container["capabilities"] == {"drop": ["ALL"]}
        assert of_container["readOnlyRootFilesystem"]
        assert not of_container["allowPrivilegeEscalation"]
        writable = [
            mount["mountPath"]
            for mount in container(name)["volumeMounts"]
            if not mount.get("readOnly")
        ]
        assert writable == ["/tmp"]
        labels = NAMESPACE[0]["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        assert pod(name)["automountServiceAccountToken"] is False


def lets_in(_: str) -> None:
    for name in PRODS:
        peers = [
            peer
            for one in kinds(name, "NetworkPolicy")
            for rule in one["spec"]["ingress"]
            for peer in rule["from"]
        ]
        said = [
            {"ml-inference/client": "true"},
            {"kubernetes.io/metadata.name": "kube-system"},
            "10.42.0.0/16",
        ]
        found = [next(iter(peer.values())) for peer in peers]
        assert [each.get("matchLabels") or each["cidr"] for each in found] == said


def reaches(*names: str) -> Callable[[str], None]:
    """Check that the row names everything these renderings reach beside DNS, and nothing else."""

    def check(line: str) -> None:
        said = {
            (place, int(port))
            for port, places in re.findall(r"port (\d+) of ((?:`[^`]+`(?:, )?)+)", line)
            for place in re.findall(r"`([^`]+)`", places)
        }
        for name in names:
            hosts = {variables(name).get("REDIS_HOST"): "REDIS_HOST"}
            reached = {(hosts.get(place, place), port) for place, port in destinations(name)}
            assert reached - {("kube-dns", 53)} == said - {("kube-dns", 53)}
            assert ("kube-dns", 53) in reached

    return check


def reaches_both(_: str) -> None:
    """Check the two rows of prod."""
    rows = [
        line
        for line in lines("kubernetes.md")
        if "| also Redis: " in line or "| and Entra ID: " in line
    ]
    assert len(rows) == 2
    reaches("prod", "keda")(" ".join(rows))


def internal(_: str) -> None:
    for name in PRODS:
        annotations = the_only(name, "Service")["metadata"]["annotations"]
        assert annotations["service.beta.kubernetes.io/azure-load-balancer-internal"] == "true"
    assert the_only("dev", "Service")["spec"]["type"] == "ClusterIP"


def managed_port(_: str) -> None:
    assert [variables(name)["REDIS_PORT"] for name in ("prod", "keda", "fqdn-egress")] == [
        "10000"
    ] * 3


def startup_probe(_: str) -> None:
    assert all("startupProbe" in container(name) for name in ALL)


def has_all(_: str) -> None:
    for name in ALL:
        assert kinds(name, "NetworkPolicy")
        assert kinds(name, "PodDisruptionBudget")
        assert pod(name)["securityContext"]["runAsNonRoot"]
        keys = [each["topologyKey"] for each in pod(name)["topologySpreadConstraints"]]
        assert "topology.kubernetes.io/zone" in keys


def body(address: str) -> Any:
    return BLOCKS[address].body


def private_or_not(_: str) -> None:
    """Check that each service with the switch takes it from the one variable; the gateway and the
    endpoint have none."""
    assert (
        parse((INFRASTRUCTURE / "terraform.tfvars.prod").read_text())["private_network_enabled"]
        is True
    )
    assert "private_network_enabled" not in parse(
        (INFRASTRUCTURE / "terraform.tfvars.dev-edge-learning").read_text()
    )
    switched = {
        address: block.body[name]
        for address, block in BLOCKS.items()
        for name in (
            "public_network_access_enabled",
            "public_network_access",
            "private_cluster_enabled",
        )
        if name in block.body
    }
    assert all(
        "local.public_access" in value or "var.private_network_enabled" in value
        for value in switched.values()
    )
    assert {address.partition(".")[0].removeprefix("azurerm_") for address in switched} == {
        "storage_account",
        "container_registry",
        "key_vault",
        "machine_learning_workspace",
        "managed_redis",
        "redis_cache",
        "kubernetes_cluster",
    }


def scoring_address(_: str) -> None:
    assert body("azapi_resource.endpoint")["body"]["properties"] == {"authMode": "AADToken"}


def redis_ports(_: str) -> None:
    (database,) = body("azurerm_managed_redis.main")["default_database"]
    classic = body("azurerm_redis_cache.classic")
    assert database["client_protocol"] == "Encrypted"
    assert (classic["minimum_tls_version"], classic["non_ssl_port_enabled"]) == ("1.2", False)
    assert (variables("prod")["REDIS_PORT"], variables("redis-key")["REDIS_PORT"]) == (
        "10000",
        "6380",
    )


def standard_c1(_: str) -> None:
    classic = body("azurerm_redis_cache.classic")
    assert (classic["sku_name"], classic["family"], classic["capacity"]) == ("Standard", "C", 1)


def described(name: str) -> Any:
    return yaml.safe_load((REPOSITORY / "endpoints" / name).read_text())


def probes(_: str) -> None:
    config = described("image-environment.yml")["inference_config"]
    assert config["liveness_route"]["path"] == "/liveness"
    assert config["readiness_route"]["path"] == "/readiness"
    assert "inference_config" not in described("environment.yml")  # so Azure ML asks for /


def image_user(_: str) -> None:
    user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert user
    assert int(user[1]) > 0
    assert int(user[2]) > 0
    for place in ("docs/deploy.md", ".ci/image"):  # which runs it so
        (run,) = re.findall(r"^.*docker run .*$", (REPOSITORY / place).read_text(), re.MULTILINE)
        assert {"--read-only", "--tmpfs", "/tmp"} <= set(run.split())


CLAIMS: dict[str, dict[str, Callable[[str], None]]] = {
    "kubernetes.md": {
        "`preStop` waits": stops,
        "The startup probe gives a model two minutes to load, and lets a pod in within "
        "two seconds": starts,
        "Not root, no capabilities, a read-only root file system but for `/tmp`": has_no_rights,
        "Requests come from the virtual network, from pods with the label, and from "
        "`kube-system`": lets_in,
        "| `overlays/dev` | DNS": reaches("dev"),
        "| `overlays/prod` | also Redis": reaches_both,
        "| | and Entra ID": reaches_both,
        "| with `components/redis-key`": reaches("redis-key"),
        "| with `components/fqdn-egress`": reaches("fqdn-egress"),
        "the Service has an internal address only": internal,
        "Azure Managed Redis, port 10000": managed_port,
        "a startup probe | a model that loads": startup_probe,
        "NetworkPolicy, non-root, PodDisruptionBudget, zones": has_all,
    },
    "infrastructure.md": {
        "| addresses | public, by Entra ID | private but for the gateway and the "
        "endpoint's scoring": private_or_not,
        "The scoring address stays public, and answers only to a token": scoring_address,
        "| address | port 10000, TLS | port 6380, TLS 1.2 |": redis_ports,
        "| Standard C1, port 6380, password |": standard_c1,
    },
    "deploy.md": {
        "| probes ask | `/`, the server's own constant | `/liveness`, `/readiness` |": probes,
        "The image runs as a user without rights, and writes to `/tmp` only": image_user,
    },
}
"""By page and by words of it."""


@pytest.mark.parametrize(
    ("page", "words"),
    [(page, words) for page in PAGES for words in CLAIMS[page]],
    ids=lambda each: str(each)[:40],
)
def test_a_claim_of_the_docs_is_true(page: str, words: str):
    """The claim matches the rendered manifests, Terraform's files and the image."""
    (line,) = [one for one in lines(page) if words in one]
    CLAIMS[page][words](line)


@pytest.mark.parametrize("page", PAGES)
def test_no_claim_of_these_kinds_goes_unchecked(page: str):
    """A new claim needs a check above."""
    found = lines(page)
    assert found
    assert [line for line in found if not any(words in line for words in CLAIMS[page])] == []
