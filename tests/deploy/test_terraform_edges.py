"""Variables of ``infrastructure/`` accept what Azure accepts, up to its limits, and nothing past
them: a generated test of Terraform over the edges of each."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from terraform.module import INFRASTRUCTURE, ROOTS, Module

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
NETWORK = "resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
HUB = f"/subscriptions/{SUBSCRIPTION}/{NETWORK}"
PUBLISHER = {"name": "Test", "email": "test@example.com"}
NODES = {"vm_size": "Standard_D4ds_v5", "minimum": 1, "maximum": 1}

KEY = {
    "key_id": f"https://kv.vault.azure.net/keys/scoring/{'0' * 32}",
    "vault_id": f"{GROUP}/Microsoft.KeyVault/vaults/kv",
    "identity_id": f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/id",
    "identity_client_id": SUBSCRIPTION,
}
WINDOW = {"day": "Monday", "hour": 0, "hours": 4}
WRONG_WINDOWS: list[dict[str, Any]] = [
    {"day": "monday"},
    {"hour": 24},
    {"hour": -1},
    {"hour": 0.5},
    {"hours": 3},
    {"hours": 25},
    {"hours": 4.5},
]


def nodes(least: float, **others: Any) -> tuple[list[Any], list[Any]]:
    """Accepted and refused pools of a cluster. ``least``: the fewest nodes."""
    accepted = [{"minimum": least}, {"maximum": 1000}, {"vm_size": "Standard_FX4mds"}]
    refused = [
        {"minimum": least - 1},
        {"minimum": 2},
        {"minimum": least + 0.5, "maximum": 2},
        {"maximum": 1001},
        {"minimum": 0, "maximum": 0},
        {"vm_size": "D4ds_v5"},
    ]
    return [NODES | one for one in accepted], [NODES | one for one in refused]


EDGES: dict[str, tuple[list[Any], list[Any]]] = {
    "subscription_id": ([SUBSCRIPTION], ["", "ABCDEF00-0000-0000-0000-000000000000", "dev"]),
    "project": (["ab", "abcdefgh9"], ["a", "abcdefghij", "9ab", "Ab", "a-b"]),
    "environment": (["ab", "abcde"], ["a", "abcdefg", "9ab", "Dev", "a-b"]),
    "location": (["westeurope", "eastus2"], ["westeurop", "West Europe", "WestEurope", ""]),
    "tags": (
        [{"cost centre": "x" * 256}, {f"t{n}": "" for n in range(47)}],
        [{"a/b": ""}, {"a": "x" * 257}, {"x" * 129: ""}, {f"t{n}": "" for n in range(48)}],
    ),
    "registry_replicas": ([[], ["northeurope"]], [["westeurope"], ["North Europe"]]),
    "image_registry_id": (
        [None, f"{GROUP}/Microsoft.ContainerRegistry/registries/cr"],
        ["cr", HUB],
    ),
    "customer_managed_key": (
        [None, KEY],
        [
            KEY | {"key_id": "https://kv.vault.azure.net/keys/scoring"},
            KEY | {"vault_id": "kv"},
            KEY | {"identity_id": SUBSCRIPTION},
        ],
    ),
    "approved_outbound_hosts": ([None], [[], ["https://pypi.org"], ["pypi"]]),
    "gateway_in_network": ([False], [True]),
    "agents_subnet": ([None, {}, {"delegation": "Microsoft.DevOpsInfrastructure/pools"}], []),
    "endpoint_name": (
        ["abc", "a" * 32, "a-1-b"],
        ["ab", "a" * 33, "1abc", "a--b", "abc-", "a_bc"],
    ),
    "deployer_object_ids": ([[], [SUBSCRIPTION]], [["someone@example.com"], [""]]),
    "github_repository": ([None, "a/b.c"], ["a", "https://github.com/a/b", "a/b/c"]),
    "azure_devops_connections": (
        [{}, {"register": {"issuer": "https://a", "subject": "s"}}],
        [
            {"deploy": {"issuer": "https://a", "subject": "s"}},
            {"register": {"issuer": "a", "subject": "s"}},
        ],
    ),
    "kubernetes_version": (
        [None, "1.32", "1.34", "1.59"],
        ["1.31", "1.999", "1.34.1", "v1.34", "2.0", "1.9"],
    ),
    "aks_sku_tier": (["Free", "Premium"], ["free", "Basic"]),
    "aks_system_nodes": nodes(1),
    "aks_scoring_nodes": nodes(0),
    "aks_zones": ([[], ["1"], ["1", "2", "3"]], [["0"], ["4"], ["1", "a"]]),
    "aks_admin_group_object_ids": ([[], [SUBSCRIPTION]], [["ml-admins"], ["a@example.com"]]),
    "aks_authorized_ip_ranges": (
        [["203.0.113.7/32"], ["203.0.0.0/8"]],
        [["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["203.0.113.7"], ["::/0"], ["a"]],
    ),
    "aks_log_categories": ([[], ["guard", "kube-audit"]], [["kube_audit"], [""]]),
    "maintenance_window": (
        [WINDOW, WINDOW | {"hour": 23, "hours": 24}],
        [WINDOW | one for one in WRONG_WINDOWS],
    ),
    "workload": (
        [{"namespace": "a", "service_account": "a" * 63}],
        [
            {"namespace": "ML", "service_account": "a"},
            {"namespace": "a", "service_account": ""},
            {"namespace": "a-", "service_account": "a"},
            {"namespace": "a", "service_account": "a.b"},
        ],
    ),
    "api_management_sku": (
        ["Developer_1", "StandardV2_10", "Premium_12"],
        ["Developer_2", "Consumption_0", "StandardV2_0", "Standard_5", "Standard"],
    ),
    "api_publisher": ([None, PUBLISHER], [PUBLISHER | {"email": "test"}]),
    "cors_allowed_origins": (
        [[], ["https://a.example.com:8443"]],
        [["*"], ["https://a/b"], ["https://a/"], ["a.example.com"], ["https://@(1)"]],
    ),
    "front_door_id": ([None, SUBSCRIPTION], ["", SUBSCRIPTION[:-1], "afd-scoring-global"]),
    "redis_tier": (["managed", "classic"], ["Managed", ""]),
    "redis_signing_key": (["x" * 16], ["x" * 15, ""]),
    "managed_redis_sku": (["Balanced_B0", "MemoryOptimized_M20"], ["Balanced_B50", "Balanced_B2"]),
    "log_retention_days": ([30, 730], [29, 731, 30.5]),
    "log_daily_quota_gb": ([-1, 0.023, 5], [-2, 0, 0.02]),
    "peak_requests_per_second": ([0.1, 500], [0, -1]),
    "probe_request": ([None], ["endpoints/sample-request.json", "{"]),
    "alert_emails": ([[], ["a@b.c"]], [["a"], ["a@b"], ["a b@c.d"]]),
    "alert_webhooks": ([{}, {"a": "https://b"}], [{"a": "http://b"}]),
    "monthly_budget": ([None, 0.5], [0, -1]),
    "runbook_url": (
        ["docs/runbook.md", "https://a/b"],
        ["http://a", "https://a#b", "docs/other.md", ""],
    ),
    "address_space": (
        ["10.42.0.0/16", "10.0.0.0/9", "172.16.0.0/12", "192.168.0.0/16", "10.246.0.0/16"],
        [
            "10.42.0.0/17",
            "10.244.0.0/16",
            "10.245.0.0/16",
            "10.240.0.0/12",
            "10.0.0.0/8",
            "0.0.0.0/0",
            "172.16.0.0/11",
            "8.8.0.0/16",
            "10.42.1.0/16",
            "10.42.0.0",
            "fd00::/8",
            "",
        ],
    ),
    "existing_network": (
        [None, {"id": HUB, "endpoints_subnet_id": f"{HUB}/subnets/a"}],
        [
            {"id": HUB, "endpoints_subnet_id": f"{HUB}2/subnets/a"},
            {"id": HUB, "endpoints_subnet_id": f"{HUB}/subnets/a", "aks_subnet_id": "a"},
        ],
    ),
    "agents_network_id": (
        [None, HUB],
        ["vnet", f"/subscriptions/{SUBSCRIPTION[:-1]}1/{NETWORK}", f"{HUB}/subnets/a"],
    ),
}
"""Accepted and refused values of each variable that has rules, one at a time."""

REGION = {"gateway_host": "apim-scoring-prod-1a2b3.azure-api.net"}
GLOBAL_EDGES: dict[str, tuple[list[Any], list[Any]]] = {
    "subscription_id": EDGES["subscription_id"],
    "project": EDGES["project"],
    "regions": (
        [
            {"westeurope": REGION | {"weight": 1}},
            {"westeurope": REGION | {"weight": 1000}, "eastus2": REGION | {"enabled": False}},
        ],
        [
            {},
            {"West Europe": REGION},
            {"westeurope": {"gateway_host": "https://a.azure-api.net"}},
            {"westeurope": {"gateway_host": "apim"}},
            {"westeurope": REGION | {"weight": 0}},
            {"westeurope": REGION | {"weight": 1001}},
            {"westeurope": REGION | {"weight": 0.5}},
            {"westeurope": REGION | {"enabled": False}},
        ],
    ),
    "action_group_ids": ([[], [f"{GROUP}/Microsoft.Insights/actionGroups/ag"]], [["ag"]]),
    "waf_mode": (["Prevention", "Detection"], ["prevention", ""]),
    "log_analytics_workspace_id": (
        [None, f"{GROUP}/Microsoft.OperationalInsights/workspaces/log"],
        ["log", SUBSCRIPTION, f"{GROUP}/Microsoft.Insights/components/appi"],
    ),
    "model_registry_user_ids": ([[], [SUBSCRIPTION]], [["someone@example.com"], [""]]),
}
"""The same of ``infrastructure/global/``."""

NETWORKS = {"id": HUB, "endpoints_subnet_id": f"{HUB}/subnets/a"}
PRIVATE = {"private_network_enabled": True, "agents_network_id": HUB}
GATEWAY = {"enable_api_management": True, "api_publisher": PUBLISHER}
COMBINATIONS: list[tuple[dict[str, Any], str | None]] = [
    ({"project": "abcdefghi", "environment": "abcde"}, None),
    ({"project": "abcdefghi", "environment": "abcdef"}, "environment"),
    ({"project": "abcdefgh", "environment": "abcdef"}, None),
    ({"enable_api_management": True}, "api_publisher"),
    ({"enable_api_management": True, "api_publisher": PUBLISHER}, None),
    ({"probe_request": "{}"}, "probe_request"),
    (
        {"enable_api_management": True, "api_publisher": PUBLISHER, "probe_request": "{}"},
        None,
    ),
    ({"private_network_enabled": True}, "agents_network_id"),
    ({"private_network_enabled": True, "agents_network_id": HUB}, None),
    ({"private_network_enabled": True, "agents_subnet": {}}, None),
    ({"agents_subnet": {}, "existing_network": NETWORKS}, "agents_subnet"),
    ({"agents_network_id": HUB, "existing_network": NETWORKS}, "agents_network_id"),
    (GATEWAY | {"probe_request": "endpoints/sample-request.json"}, "probe_request"),
    (PRIVATE | {"approved_outbound_hosts": ["pypi.org", "*.anaconda.org"]}, None),
    (PRIVATE | {"approved_outbound_hosts": ["https://pypi.org"]}, "approved_outbound_hosts"),
    (PRIVATE | {"gateway_in_network": True}, "gateway_in_network"),
    (PRIVATE | GATEWAY | {"gateway_in_network": True}, "gateway_in_network"),
    (PRIVATE | GATEWAY | {"gateway_in_network": True, "api_management_sku": "StandardV2_1"}, None),
    (
        {
            "enable_aks_deployment": True,
            "existing_network": {"id": HUB, "endpoints_subnet_id": f"{HUB}/subnets/a"},
        },
        "existing_network",
    ),
]
"""Values of several variables, and the variable that is refused."""


def together(
    module: Module, edges: Mapping[str, tuple[list[Any], list[Any]]], refused: bool
) -> list[dict[str, Any]]:
    """The values of ``edges``, of as many variables in one run as don't refer to each other:
    Terraform does not check a variable that refers to one that it refuses."""
    rules = {name: json.dumps(body) for name, body in module.variables().items()}
    related = {name: {one for one in rules if f"var.{one}" in rules[name]} for name in rules}
    runs: list[dict[str, Any]] = []
    for name, values in edges.items():
        close = related[name] | {one for one in rules if name in related[one]}
        free = iter([one for one in runs if not close & one.keys()])
        for value in values[refused]:
            run = next(free, None)
            if run is None:
                runs.append(run := {})
            run[name] = value
    return runs


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_variables_are_refused_at_their_edges(tmp_path: Path, root: Path):
    """Terraform accepts each value at a limit and refuses each past it. A variable's rules need no
    provider, so they are tried apart from the rest."""
    one_region = root == INFRASTRUCTURE
    edges = EDGES if one_region else GLOBAL_EDGES
    module = Module(root)
    assert {name for name, body in module.variables().items() if "validation" in body} == set(edges)
    tried: list[tuple[dict[str, Any], list[str]]] = [
        *((values, []) for values in together(module, edges, refused=False)),
        *((values, [*values]) for values in together(module, edges, refused=True)),
    ]
    if one_region:
        tried += [(values, [name] if name else []) for values, name in COMBINATIONS]
    runs = {
        f"r{number}": {
            "command": "plan",
            "variables": values,
            "expect_failures": [f"var.{name}" for name in refused],
        }
        for number, (values, refused) in enumerate(tried)
    }
    shutil.copy(root / "variables.tf", tmp_path)
    (tmp_path / "tests").mkdir()
    needed = {"environment": "test"} if one_region else {"regions": {"westeurope": REGION}}
    defaults = {"subscription_id": SUBSCRIPTION, **needed}
    tests = {"variables": defaults, "run": [{name: one} for name, one in runs.items()]}
    # Terraform shows the line of a failure.
    (tmp_path / "tests" / "edges.tftest.json").write_text(json.dumps(tests, indent=1))
    program = shutil.which("terraform")
    assert program is not None, "Terraform is missing: .ci/terraform puts it in place."
    done = subprocess.run(
        [program, f"-chdir={tmp_path}", "test", "-no-color"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull},
    )
    assert f"{len(runs)} passed, 0 failed" in done.stdout, done.stderr[-4000:]
