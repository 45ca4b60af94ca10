"""The stand-ins refuse the ids that azurerm refuses."""

from typing import Any

import pytest

from deploy.test_terraform import ALL
from terraform.ids import ARGUMENT, refused
from terraform.schema import of_type

GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg"
ALERT = "azurerm_monitor_scheduled_query_rules_alert_v2"


def problems(kind: str, body: dict[str, Any]) -> list[str]:
    schema = of_type("resource", kind)
    assert schema is not None
    return list(refused(kind, body, schema))


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (ALERT, {"action": [{"action_groups": ["umpjrpdb"]}]}, "not a resource id"),
        (
            ALERT,
            {"action": [{"action_groups": [f"{GROUP}/providers/Microsoft.Insights/components/a"]}]},
            "an id of Microsoft.Insights/components, not Microsoft.Insights/actionGroups",
        ),
        (
            "azurerm_private_endpoint",
            {"subnet_id": f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet"},
            "an id of Microsoft.Network/virtualNetworks, not",
        ),
        ("azurerm_private_endpoint", {"subnet_id": GROUP.lower()}, "not a resource id"),
        ("azurerm_role_assignment", {"principal_id": "someone@example.com"}, "not a GUID"),
        ("azurerm_role_assignment", {"scope": "rg"}, "not a resource id"),
        (
            "azurerm_managed_redis",
            {"customer_managed_key": [{"key_vault_key_id": "scoring"}]},
            "not a key",
        ),
        (
            "azapi_resource",
            {
                "type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints@1",
                "parent_id": GROUP,
            },
            "an id of a group or a subscription, not Microsoft.MachineLearningServices/workspaces",
        ),
    ],
)
def test_an_id_that_azure_would_refuse_is_refused(kind: str, body: dict[str, Any], said: str):
    """It has another form, is of another type, or stands in a block."""
    (problem,) = problems(kind, body)
    assert said in problem


def test_ids_of_the_right_type_pass():
    """So do null, ids that no plan knows yet, and names that only end like an id."""
    zone = f"{GROUP}/providers/Microsoft.Network/privateDnsZones/privatelink.azurecr.io"
    assert problems("azurerm_private_endpoint", {"subnet_id": None}) == []
    assert (
        problems(
            "azurerm_private_endpoint",
            {"private_dns_zone_group": [{"private_dns_zone_ids": [zone]}]},
        )
        == []
    )
    assert problems("azurerm_api_management_api_operation", {"operation_id": "score"}) == []
    assert problems("azurerm_role_assignment", {"scope": GROUP}) == []


def arguments(body: object) -> set[str]:
    """The arguments of a block and of those in it that take ids."""
    if isinstance(body, list):
        return {name for one in body for name in arguments(one)}
    if not isinstance(body, dict):
        return set()
    below = {name for value in body.values() for name in arguments(value)}
    return below | {name for name in body if ARGUMENT.fullmatch(name)}


def test_each_argument_for_ids_that_is_used_has_a_rule():
    """Without one, a wrong id would be found only by the real provider."""
    used = {
        (block.type, name)
        for block in ALL.values()
        if block.section == "resource"
        for name in arguments(block.body)
    }
    assert len(used) > 30
    without = [
        problem
        for kind, name in used
        for problem in refused(kind, {name: GROUP}, {"attributes": {name: {}}})
        if "no rule" in problem
    ]
    assert without == []
