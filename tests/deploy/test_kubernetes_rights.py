"""The roles that docs/kubernetes.md names suffice for ``kubectl apply -k``, by their published
actions."""

import fnmatch
import re
from collections.abc import Iterable

from deploy.checkout import REPOSITORY
from deploy.kustomize import Manifest
from deploy.manifests import ALL, KUBERNETES, NAMESPACE
from terraform.module import INFRASTRUCTURE, Module

WRITER = {
    "apps/controllerrevisions/read",
    "apps/daemonsets/*",
    "apps/deployments/*",
    "apps/replicasets/*",
    "apps/statefulsets/*",
    "autoscaling/horizontalpodautoscalers/*",
    "batch/cronjobs/*",
    "batch/jobs/*",
    "configmaps/*",
    "endpoints/*",
    "events/*",
    "namespaces/read",
    "networking.k8s.io/ingresses/*",
    "networking.k8s.io/networkpolicies/*",
    "persistentvolumeclaims/*",
    "pods/*",
    "policy/poddisruptionbudgets/*",
    "replicationcontrollers/*",
    "resourcequotas/read",
    "secrets/*",
    "serviceaccounts/*",
    "services/*",
}
"""Data actions of Azure Kubernetes Service RBAC Writer that concern us, below the cluster."""

ADMIN = {"*"}
NOT_ADMIN = {
    "resourcequotas/write",
    "resourcequotas/delete",
    "namespaces/write",
    "namespaces/delete",
}
"""Data actions that RBAC Admin has not."""

PLURALS = {"NetworkPolicy": "networkpolicies", "CiliumNetworkPolicy": "ciliumnetworkpolicies"} | {
    "SecretProviderClass": "secretproviderclasses"
}


def needed(manifests: Iterable[Manifest]) -> set[str]:
    """What `kubectl apply` and `delete` ask for: to read, write and delete each object."""
    kinds = set()
    for manifest in manifests:
        group = manifest["apiVersion"].rpartition("/")[0]
        plural = PLURALS.get(manifest["kind"], f"{manifest['kind'].lower()}s")
        kinds.add(f"{group}/{plural}" if group else plural)
    return {f"{kind}/{verb}" for kind in kinds for verb in ("read", "write", "delete")}


def missing(actions: set[str], role: set[str], without: Iterable[str] = ()) -> set[str]:
    return {
        one
        for one in actions
        if one in without or not any(fnmatch.fnmatch(one, pattern) for pattern in role)
    }


def test_who_deploys_may_apply_each_rendering():
    """RBAC Admin suffices, in the namespace alone; it may not make the namespace."""
    for name, manifests in ALL.items():
        assert len(needed(manifests)) > 15, name
        assert missing(needed(manifests), ADMIN, NOT_ADMIN) == set()
    assert missing(needed(NAMESPACE), ADMIN, NOT_ADMIN) == {"namespaces/write", "namespaces/delete"}


def test_the_writer_may_apply_the_overlays_and_no_component():
    """It has no right on custom resources."""
    for name, manifests in ALL.items():
        lacking = missing(needed(manifests), WRITER)
        assert bool(lacking) == (name in ("keda", "redis-key", "fqdn-egress"))
        assert all("." in one.partition("/")[0] for one in lacking)


def test_terraform_gives_the_roles_of_the_page():
    """On the registry, the cluster and the namespace."""
    page = (REPOSITORY / "docs" / "kubernetes.md").read_text()
    rows = dict(
        re.findall(
            r"^\| (Azure Kubernetes Service [\w ]+|AcrPush) \| ([^|]+) \|", page, re.MULTILINE
        )
    )
    roles = Module(INFRASTRUCTURE).locals()["deployer_roles"]
    given = {
        roles[name]["name"]: roles[name]["scope"] for name in ("images", "credentials", "objects")
    }
    assert given.keys() <= rows.keys()
    assert "namespaces/${var.workload.namespace}" in given["Azure Kubernetes Service RBAC Admin"]
    assert rows["Azure Kubernetes Service RBAC Admin"] == "`<cluster id>/namespaces/ml-inference`"
    assert (KUBERNETES / "namespace" / "kustomization.yaml").is_file()
