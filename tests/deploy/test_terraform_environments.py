"""Each environment of infrastructure/ has its endpoint and state, and the page tells its cost."""

import re
from typing import Any

import yaml

from deploy.checkout import REPOSITORY
from terraform.module import INFRASTRUCTURE, Module, parse

MODULE = Module(INFRASTRUCTURE)
TFVARS = sorted(INFRASTRUCTURE.glob("terraform.tfvars.*"))
PAGE = (REPOSITORY / "docs" / "infrastructure.md").read_text()
ENVIRONMENTS = ("dev-edge-learning", "prod")


def variables_of(environment: str) -> dict[str, Any]:
    defaults = {name: body.get("default") for name, body in MODULE.variables().items()}
    return defaults | parse((INFRASTRUCTURE / f"terraform.tfvars.{environment}").read_text())


def test_each_environment_can_have_its_endpoint():
    """An endpoint's name is unique within a region, so environments differ in name or region."""
    endpoints = [
        (given["location"], given["endpoint_name"]) for given in map(variables_of, ENVIRONMENTS)
    ]
    assert len(set(endpoints)) == len(endpoints) == len(TFVARS)


def private_endpoints(environment: str) -> int:
    if not variables_of(environment)["private_network_enabled"]:
        return 0
    return (
        len(
            re.findall(
                r"^      \w+ += \{ resource = ",
                (INFRASTRUCTURE / "network.tf").read_text(),
                re.MULTILINE,
            )
        )
        + 1
    )


def test_the_cost_on_the_page_adds_up():
    """Quantities come from the environments' variables and endpoints/; a month has 730 hours."""
    number = r"\**([\d.]+)\**"
    rows = re.findall(
        rf"^\| (.+?) \| {number} \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE
    )
    sums = re.search(rf"^\| \*\*sum\*\* \| \| \| {number} \| \| {number} \|$", PAGE, re.MULTILINE)
    assert sums is not None
    instances = yaml.safe_load((REPOSITORY / "endpoints" / "blue-deployment.yml").read_text())[
        "instance_count"
    ]
    for column, environment in zip((2, 4), ENVIRONMENTS, strict=True):
        given = variables_of(environment)
        nodes = given["aks_system_nodes"]["minimum"] + given["aks_scoring_nodes"]["minimum"]
        quantity = {
            "instance of the endpoint, Standard_D4as_v4": instances,
            f"node of AKS, {given['aks_scoring_nodes']['vm_size']}": nodes,
            "AKS, Standard tier": int(given["aks_sku_tier"] == "Standard"),
            "API Management, Developer": int(given["api_management_sku"] == "Developer_1"),
            "API Management, Standard v2": int(given["api_management_sku"] == "StandardV2_1"),
            "Azure Managed Redis, B0 without a replica": int(
                given["managed_redis_sku"] == "Balanced_B0"
            ),
            "Azure Managed Redis, B1": int(given["managed_redis_sku"] == "Balanced_B1"),
            "container registry, Standard": int(not given["private_network_enabled"]),
            "container registry, Premium": int(given["private_network_enabled"]),
            "private endpoint": private_endpoints(environment),
        }
        assert {row[0]: int(row[column]) for row in rows} == quantity
        for row in rows:
            assert int(row[column + 1]) == round(float(row[1]) * 730 * int(row[column])), row[0]
        assert int(sums[1 if column == 2 else 2]) == sum(int(row[column + 1]) for row in rows)


def test_each_environment_has_a_state_of_its_own():
    """The page initialises the state just before it plans with that environment's variables."""
    assert (
        "key " not in (INFRASTRUCTURE / "backend.tf.example").read_text().partition("backend ")[2]
    )
    planned = re.findall(
        r"-backend-config=key=(\S+).*\nterraform -chdir=infrastructure plan -var-file=(\S+)", PAGE
    )
    project = MODULE.variables()["project"]["default"]
    assert {name for _, name in planned} == {path.name for path in TFVARS}
    for state, name in planned:
        assert (
            state
            == f"{project}-{parse((INFRASTRUCTURE / name).read_text())['environment']}.tfstate"
        )


def test_the_page_names_what_is_there():
    """Files, variables and outputs of the page exist."""
    files = re.findall(
        r"`((?:infrastructure/|tests/|endpoints/|\.ci/)?[\w./-]+\.(?:tf|py|json|yml|example))`",
        PAGE,
    )
    assert len(files) > 10
    assert [
        name
        for name in files
        if not any((root / name).is_file() for root in (REPOSITORY, INFRASTRUCTURE))
    ] == []
    shown = set(
        re.findall(r"`((?:enable|aks|api|redis|private|agents|existing|endpoint)_\w+)[ `=]", PAGE)
    )
    assert shown <= MODULE.variables().keys() | MODULE.outputs().keys()
