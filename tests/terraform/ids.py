"""What azurerm refuses of ids before it calls Azure: those that do not have Azure's form, or are of
another type of resource than the argument takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

ARGUMENT = re.compile(r"(\w+_)?ids|\w+_id|scopes?|assignable_scopes|\w+_groups")
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RESOURCE = re.compile(
    rf"/subscriptions/{GUID.pattern}(/resourceGroups/[^/]+)?"
    r"(/providers/(?P<namespace>Microsoft\.\w+)(?P<path>(/\w+/[^/]+)+))?"
)

LEARNING = "Microsoft.MachineLearningServices/workspaces"
LOGS = "Microsoft.OperationalInsights/workspaces"
NETWORK = "Microsoft.Network/virtualNetworks"
FRONT_DOOR = "Microsoft.Cdn/profiles"
GROUP = "a group or a subscription"

TYPES = {
    "action_group_id": "Microsoft.Insights/actionGroups",
    "action_groups": "Microsoft.Insights/actionGroups",
    "api_management_id": "Microsoft.ApiManagement/service",
    "api_management_logger_id": "Microsoft.ApiManagement/service/loggers",
    "application_insights_id": "Microsoft.Insights/components",
    "azurerm_api_management_subscription.product_id": "Microsoft.ApiManagement/service/products",
    "azurerm_application_insights.workspace_id": LOGS,
    "azurerm_machine_learning_workspace_network_outbound_rule_fqdn.workspace_id": LEARNING,
    "azurerm_machine_learning_workspace_network_outbound_rule_private_endpoint.workspace_id": (
        LEARNING
    ),
    "cdn_frontdoor_domain_id": f"{FRONT_DOOR}/afdEndpoints",
    "cdn_frontdoor_endpoint_id": f"{FRONT_DOOR}/afdEndpoints",
    "cdn_frontdoor_firewall_policy_id": (
        "Microsoft.Network/frontDoorWebApplicationFirewallPolicies"
    ),
    "cdn_frontdoor_origin_group_id": f"{FRONT_DOOR}/originGroups",
    "cdn_frontdoor_origin_ids": f"{FRONT_DOOR}/originGroups/origins",
    "cdn_frontdoor_profile_id": FRONT_DOOR,
    "component_id": "Microsoft.Insights/components",
    "contact_groups": "Microsoft.Insights/actionGroups",
    "container_registry_id": "Microsoft.ContainerRegistry/registries",
    "data_collection_endpoint_id": "Microsoft.Insights/dataCollectionEndpoints",
    "data_collection_rule_id": "Microsoft.Insights/dataCollectionRules",
    "azurerm_monitor_smart_detector_alert_rule.ids": "Microsoft.Insights/actionGroups",
    "identity_ids": "Microsoft.ManagedIdentity/userAssignedIdentities",
    "key_vault_id": "Microsoft.KeyVault/vaults",
    "kubernetes_cluster_id": "Microsoft.ContainerService/managedClusters",
    "log_analytics_workspace_id": LOGS,
    "machine_learning_workspace_id": LEARNING,
    "managed_redis_id": "Microsoft.Cache/redisEnterprise",
    "monitor_account_id": "Microsoft.Monitor/accounts",
    "nat_gateway_id": "Microsoft.Network/natGateways",
    "network_security_group_id": "Microsoft.Network/networkSecurityGroups",
    "public_ip_address_id": "Microsoft.Network/publicIPAddresses",
    "private_dns_zone_id": "Microsoft.Network/privateDnsZones",
    "private_dns_zone_ids": "Microsoft.Network/privateDnsZones",
    "remote_virtual_network_id": NETWORK,
    "resource_group_id": GROUP,
    "role_definition_id": "Microsoft.Authorization/roleDefinitions",
    "storage_account_id": "Microsoft.Storage/storageAccounts",
    "subnet_id": f"{NETWORK}/subnets",
    "user_assigned_identity_id": "Microsoft.ManagedIdentity/userAssignedIdentities",
    "virtual_network_id": NETWORK,
    "vnet_subnet_id": f"{NETWORK}/subnets",
    "web_test_id": "Microsoft.Insights/webTests",
    "workspace_resource_id": LOGS,
}
"""Of the resource that an argument names, by the argument; some are called alike in several."""

ANY = {
    "assignable_scopes",
    "private_connection_resource_id",
    "resource_id",
    "scope",
    "scope_resource_ids",
    "scopes",
    "service_resource_id",
    "target_resource_id",
}
"""Arguments that take any resource, or all of a group."""

GUIDS = {"admin_group_object_ids", "client_id", "object_id", "principal_id", "tenant_id"}

KEYS = {"key_id", "key_vault_key_id"}
"""Addresses of keys in a vault."""

OTHERS = {"operation_id", "product_id", "source_id"}
"""Names of things in API Management, and a workbook's source: an id in lower case."""


def refused(kind: str, body: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """Return what is wrong with the ids of a resource, at all depths. ``kind``: its type."""
    for name in schema["attributes"]:
        if not ARGUMENT.fullmatch(name):
            continue
        given = body.get(name)
        for value in given if isinstance(given, list) else [given]:
            if isinstance(value, str) and (problem := _problem(kind, name, value, body)):
                yield f"{kind}.{name}: {problem}: {value!r}"
    for name, nested in schema.get("block_types", {}).items():
        for one in body.get(name) or ():
            yield from refused(kind, one, nested["block"])


def _problem(kind: str, argument: str, value: str, body: Mapping[str, Any]) -> str | None:
    wanted = TYPES.get(f"{kind}.{argument}", TYPES.get(argument))
    if argument == "parent_id":
        wanted = _parent(str(body.get("type", "")))
    if wanted is None and argument in OTHERS:
        return None
    if argument in KEYS:
        return None if re.fullmatch(r"https://[^/]+/keys/[^/]+(/[^/]+)?", value) else "not a key"
    if argument in GUIDS:
        return None if GUID.fullmatch(value) else "not a GUID"
    if wanted is None and argument not in ANY:
        return "no rule; tests/terraform/ids.py needs one for this argument"
    found = RESOURCE.fullmatch(value)
    if found is None:
        return "not a resource id"
    return None if wanted in (None, _type(found)) else f"an id of {_type(found)}, not {wanted}"


def _parent(resource_type: str) -> str:
    """Return the type of the resource, with its version, that one of azapi lies in."""
    parent = resource_type.partition("@")[0].rpartition("/")[0]
    return parent if "/" in parent else GROUP


def _type(found: re.Match[str]) -> str:
    if found["namespace"] is None:
        return GROUP
    return "/".join([found["namespace"], *found["path"].split("/")[1::2]])
