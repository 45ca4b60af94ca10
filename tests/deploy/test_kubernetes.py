"""The rendered manifests of ``kubernetes/`` are valid for the API server, and right where its
schema is silent."""

import copy
import ipaddress
import json
import re
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from deploy.checkout import REPOSITORY
from deploy.kustomize import Manifest, render
from deploy.manifests import (
    ALL,
    KUBERNETES,
    NAMESPACE,
    RENDERED,
    container,
    destinations,
    each_rendering,
    kinds,
    the_only,
    variables,
)

VERSIONS = ("1.33", "1.36")
"""Of Kubernetes: the oldest and the newest that AKS is expected to run."""

CUSTOM = {
    ("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass"),
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("keda.sh/v1alpha1", "TriggerAuthentication"),
    ("azmonitoring.coreos.com/v1", "PodMonitor"),
    ("cilium.io/v2", "CiliumNetworkPolicy"),
}
"""Kinds of add-ons of AKS, for which there is no schema here."""


def in_order(manifests: list[Manifest]) -> list[Manifest]:
    return sorted(manifests, key=lambda each: (each["kind"], each["metadata"]["name"]))


@each_rendering
def test_the_renderer_here_does_what_kubectl_does(name: str):
    """kubectl's output is committed, so that a reader sees what is deployed; `make manifests`
    updates it."""
    kubectls = list(yaml.safe_load_all((RENDERED / f"{name}.yaml").read_text()))
    assert in_order(ALL[name]) == in_order(kubectls), (
        "run `make manifests`, which needs kubectl, and commit"
    )


def test_the_namespace_is_rendered_as_kubectl_does():
    """It is applied apart, once."""
    assert [yaml.safe_load((RENDERED / "namespace.yaml").read_text())] == NAMESPACE
    assert problem(NAMESPACE[0], VERSIONS[0]) is None


def test_what_the_renderer_does_not_know_it_refuses(tmp_path: Path):
    """The renderer does not leave an unknown feature out."""
    (tmp_path / "kustomization.yaml").write_text("kind: Kustomization\nnamePrefix: mine-\n")
    with pytest.raises(AssertionError, match="namePrefix"):
        render(tmp_path)


def problem(manifest: Manifest, version: str) -> str | None:
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{manifest['kind']} {'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        known = (manifest["apiVersion"], manifest["kind"]) in CUSTOM
        return None if known else f"{manifest['kind']} has no schema"
    return None


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid(version: str):
    """They are valid for the oldest and the newest Kubernetes; the check is strict, so it finds a
    misspelt key."""
    different = {
        json.dumps(manifest, sort_keys=True) for manifests in ALL.values() for manifest in manifests
    }
    assert [
        wrong for text in sorted(different) if (wrong := problem(json.loads(text), version))
    ] == []


def test_a_misspelt_key_is_seen():
    """The check above can fail."""
    wrong = copy.deepcopy(the_only("prod", "HorizontalPodAutoscaler"))
    wrong["spec"]["maxReplica"] = 10
    assert "maxReplica" in str(problem(wrong, VERSIONS[0]))
    assert problem({"apiVersion": "keda.sh/v1", "kind": "ScaledObjekt"}, VERSIONS[0])


def selectors(manifest: Manifest) -> Iterator[dict[str, str]]:
    """Return each selector that should match our pods."""
    spec = manifest["spec"]
    match manifest["kind"]:
        case "Service":
            yield spec["selector"]
        case "Deployment":
            yield spec["selector"]["matchLabels"]
            for constraint in spec["template"]["spec"]["topologySpreadConstraints"]:
                yield constraint["labelSelector"]["matchLabels"]
        case "PodDisruptionBudget" | "PodMonitor":
            yield spec["selector"]["matchLabels"]
        case "NetworkPolicy":
            yield spec["podSelector"]["matchLabels"]
        case "CiliumNetworkPolicy":
            yield spec["endpointSelector"]["matchLabels"]


@each_rendering
def test_selectors_find_the_pods(name: str):
    """All use the guide's label, app=ml-inference; no tool reports a selector that matches
    nothing."""
    labels = the_only(name, "Deployment")["spec"]["template"]["metadata"]["labels"]
    found = [each for manifest in ALL[name] if "spec" in manifest for each in selectors(manifest)]
    assert len(found) >= 6
    assert all(selector.items() <= labels.items() for selector in found)
    assert all(selector == {"app": "ml-inference"} for selector in found)


@each_rendering
def test_ports_are_called_by_names_that_there_are(name: str):
    """This covers the Service and each NetworkPolicy."""
    names = {port["name"] for port in container(name)["ports"]}
    used = {port["targetPort"] for port in the_only(name, "Service")["spec"]["ports"]}
    for policy in kinds(name, "NetworkPolicy"):
        used |= {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert used == names
    assert [port["port"] for port in the_only(name, "Service")["spec"]["ports"]] == [5001]


@each_rendering
def test_everything_is_in_one_namespace(name: str):
    """It is there already: who deploys may not make it."""
    (namespace,) = NAMESPACE
    assert {manifest["metadata"].get("namespace") for manifest in ALL[name]} == {
        namespace["metadata"]["name"]
    }
    named = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in ALL[name]]
    assert len(named) == len(set(named))


@each_rendering
def test_the_service_is_never_public(name: str):
    """The server does not authenticate callers."""
    service = the_only(name, "Service")
    if service["spec"]["type"] == "LoadBalancer":
        annotations = service["metadata"]["annotations"]
        assert annotations["service.beta.kubernetes.io/azure-load-balancer-internal"] == "true"
        assert service["spec"]["externalTrafficPolicy"] == "Local"
    else:
        assert service["spec"]["type"] == "ClusterIP"
    assert not kinds(name, "Ingress")


ENTRA = ["20.20.32.0/19", "20.190.128.0/18", "20.231.128.0/19", "40.126.0.0/18"]
"""Row 56 of Microsoft's list of addresses: login.microsoftonline.com."""

ENDPOINTS = "10.42.16.0/24"
"""The subnet of private endpoints."""


@each_rendering
def test_a_pod_reaches_what_it_needs_and_nothing_else(name: str):
    """Egress: DNS; Entra ID if it signs in with a token; Redis on its port. Any address and the
    node's metadata are closed."""
    given = variables(name)
    needed = {("kube-dns", 53)}
    if name == "fqdn-egress":
        needed |= {
            ("login.microsoftonline.com", 443),
            (given["REDIS_HOST"], int(given["REDIS_PORT"])),
        }
    elif "REDIS_PORT" in given:
        needed |= {(ENDPOINTS, int(given["REDIS_PORT"]))}
        needed |= {(each, 443) for each in ENTRA if given["REDIS_AUTH"] == "entra"}
    assert destinations(name) == needed


@each_rendering
def test_a_pod_is_reached_by_whom_the_policies_name(name: str):
    """Each policy names both directions, and none lets in everybody."""
    policies = kinds(name, "NetworkPolicy")
    assert all(set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"} for policy in policies)
    sources = [
        peer for policy in policies for rule in policy["spec"]["ingress"] for peer in rule["from"]
    ]
    assert sources
    assert {} not in sources
    assert not any(peer["ipBlock"]["cidr"].endswith("/0") for peer in sources if "ipBlock" in peer)


def test_names_are_looked_up_that_are_reached():
    """Cilium learns addresses from DNS answers, and only these names are resolved."""
    (policy,) = kinds("fqdn-egress", "CiliumNetworkPolicy")
    (rules,) = [
        each["rules"]["dns"]
        for rule in policy["spec"]["egress"]
        for each in rule["toPorts"]
        if "rules" in each
    ]
    reached = {name for name, port in destinations("fqdn-egress") if port != 53}
    assert {each["matchName"] for each in rules} == reached


def test_what_terraform_makes_is_what_the_manifests_name():
    """These are the identity's service account, the network, the key's name in the vault, and the
    outputs to copy."""
    texts = {path.name: path.read_text() for path in (REPOSITORY / "infrastructure").glob("*.tf")}
    account = the_only("prod", "ServiceAccount")["metadata"]
    federated = f'{{ namespace = "{account["namespace"]}", service_account = "{account["name"]}" }}'
    assert federated in texts["variables.tf"]
    (gateway,) = [
        each
        for each in kinds("prod", "NetworkPolicy")
        if each["metadata"]["name"] == "ml-inference-gateway"
    ]
    network = gateway["spec"]["ingress"][0]["from"][0]["ipBlock"]["cidr"]
    assert re.search(
        rf'variable "address_space" {{[^}}]*default += "{network}"', texts["variables.tf"]
    )
    subnet = ipaddress.ip_network(ENDPOINTS)
    bits, number = re.findall(
        r"endpoints += \{ range = cidrsubnet\(var.address_space, (\d+), (\d+)\)",
        texts["network.tf"],
    )[0]
    assert list(ipaddress.ip_network(network).subnets(int(bits)))[int(number)] == subnet
    (fetched,) = yaml.safe_load(
        the_only("redis-key", "SecretProviderClass")["spec"]["parameters"]["objects"]
    )["array"]
    assert f'= "{yaml.safe_load(fetched)["objectName"]}"' in texts["keyvault.tf"]
    sources = "".join(path.read_text() for path in KUBERNETES.rglob("*.yaml"))
    named = {
        name
        for found in re.findall(r"terraform output ([\w, ]+)", sources)
        for name in found.split(", ")
    }
    assert len(named) == 5
    assert all(f'output "{name}"' in texts["outputs.tf"] for name in named)
