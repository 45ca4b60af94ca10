"""The files of ``infrastructure/`` match the providers' schemas; python-hcl2 reads them."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from terraform.module import INFRASTRUCTURE, ROOTS, Module, parse
from terraform.schema import SNAPSHOT, of_type, problems, schemas

MODULE = Module(INFRASTRUCTURE)
BLOCKS = MODULE.blocks()
MODULES = {root.name: Module(root) for root in ROOTS}
ALL = {
    f"{root}/{address}": block
    for root, module in MODULES.items()
    for address, block in module.blocks().items()
}
TFVARS = sorted(path for root in ROOTS for path in root.glob("terraform.tfvars.*"))
TESTS = sorted(path for root in ROOTS for path in root.glob("tests/*.tftest.hcl"))
FLAGS = ("enable_aks_deployment", "enable_api_management", "enable_redis_cache")


def unresolved(module: Module) -> Iterator[str]:
    """Return references to things or attributes that do not exist."""
    known = {"var": module.variables(), "local": module.locals()}
    blocks = module.blocks()
    for found in module.references():
        if found["kind"]:
            if found["name"] not in known[found["kind"]]:
                yield found[0]
            continue
        address = f"{found['data'] or ''}{found['type']}.{found['label']}"
        schema = of_type("data" if found["data"] else "resource", found["type"])
        if (
            address not in blocks
            or schema is None
            or (
                found["attribute"]
                and found["attribute"]
                not in {**schema["attributes"], **schema.get("block_types", {})}
            )
        ):
            yield found[0]


def module_of(folder: Path, text: str) -> Module:
    (folder / "main.tf").write_text(text)
    return Module(folder)


@pytest.mark.parametrize("address", ALL)
def test_resources_keep_to_the_providers_schema(address: str):
    """Names are known, nothing is missing, and blocks are where they belong, at all depths."""
    block = ALL[address]
    schema = of_type(block.section, block.type)
    assert schema is not None, (
        "The snapshot lacks this type; write it anew: tests/terraform/snapshot.py says how."
    )
    assert list(problems(address, block.body, schema)) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('name = "a"', "x.location is missing"),
        ('name = "a"\nlocation = "b"\nplace = "c"', "x.place is unknown"),
        ('name = "a"\nlocation {\n}', "x.location is an argument, not a block"),
        ('name = "a"\nlocation = "b"\nid = "c"', "x.id can't be set"),
        ('name = "a"\nlocation = true', "x.location is not a string"),
    ],
)
def test_a_mistake_is_found(body: str, problem: str):
    """The check above can fail."""
    schema = of_type("resource", "azurerm_resource_group")
    resource = parse(f'resource "azurerm_resource_group" "x" {{\n{body}\n}}')["resource"][0]
    assert schema is not None
    assert problem in problems("x", resource["azurerm_resource_group"]["x"], schema)


def test_a_mistake_inside_a_block_is_found():
    """Blocks in blocks and dynamic ones are checked too."""
    schema = of_type("resource", "azurerm_monitor_scheduled_query_rules_alert_v2")
    text = """resource "azurerm_monitor_scheduled_query_rules_alert_v2" "x" {
      action {
        groups = []
      }
      dynamic "criteria" {
        for_each = []
        content {
          failing_periods {
            at_least = 1
          }
        }
      }
    }"""
    body = parse(text)["resource"][0]["azurerm_monitor_scheduled_query_rules_alert_v2"]["x"]
    assert schema is not None
    found = set(problems("x", body, schema))
    assert {"x.action.groups is unknown", "x.criteria.query is missing"} <= found
    assert "x.criteria.failing_periods.at_least is unknown" in found
    assert "x.criteria.failing_periods.number_of_evaluation_periods is missing" in found


def test_every_reference_is_to_something():
    """Variables, locals, resources and their attributes exist."""
    assert len(list(MODULE.references())) > 300
    assert [found for module in MODULES.values() for found in unresolved(module)] == []


@pytest.mark.parametrize(
    "expression",
    [
        "var.nothing",
        "local.nothing",
        "azurerm_resource_group.nothing.id",
        "data.azurerm_client_config.x.nothing",
    ],
)
def test_a_reference_to_nothing_is_found(tmp_path: Path, expression: str):
    """References inside text, functions and conditions are checked too."""
    inside = (
        f'"a-${{{expression}}}"',
        f"merge({{}}, {expression})",
        f'"${{true ? "b" : {expression}}}"',
    )
    for written in (expression, *inside):
        text = f'data "azurerm_client_config" "x" {{\n}}\noutput "x" {{\n  value = {written}\n}}'
        assert list(unresolved(module_of(tmp_path, text))) == [expression]


def test_the_snapshot_is_of_the_versions_that_are_asked_for():
    """The snapshot of schemas has all that is used."""
    snapshot = schemas()
    held = {
        ("data" if part.startswith("data") else "resource", name)
        for provider in snapshot.values()
        for part in ("resource_schemas", "data_source_schemas")
        for name in provider[part]
    }
    assert held >= {
        (block.section, block.type) for block in ALL.values() if block.type != "terraform_data"
    }
    for root, name, version in (
        ("infrastructure", "azurerm", "~> 5.10"),
        ("infrastructure", "azapi", "~> 2.12"),
        ("infrastructure", "time", "~> 0.13"),
        ("global", "azurerm", "~> 5.10"),
        ("global", "azapi", "~> 2.12"),
    ):
        (asked,) = [one["required_providers"][0] for one in MODULES[root].each("terraform")]
        assert asked[name]["version"] == version
        least, held = (
            tuple(map(int, one.split(".")[:2]))
            for one in (version.removeprefix("~> "), snapshot[name]["version"])
        )
        assert held[0] == least[0]
        assert held >= least


def test_the_snapshot_has_the_providers_own_names():
    """Not those of the bindings it is read from, which went through camelCase."""
    text = SNAPSHOT.read_text()
    for name in ("import", "immediate_data_purge_on_30_days_enabled"):
        assert f'"{name}": {{' in text
    assert re.findall(r'"[a-z0-9_]+_": ', text) == []


def test_variables_say_what_they_are():
    """Variables have a type and a description, outputs a description."""
    for module in MODULES.values():
        for name, body in module.variables().items():
            assert body.keys() >= {"type", "description"}, name
        for name, body in module.outputs().items():
            assert body.keys() >= {"value", "description"}, name


def test_nothing_is_declared_in_vain():
    """Each variable and local is read somewhere."""
    for module in MODULES.values():
        read = {(found["kind"], found["name"]) for found in module.references() if found["kind"]}
        assert {("var", name) for name in module.variables()} - read == set()
        assert {("local", name) for name in module.locals()} - read == set()


@pytest.mark.parametrize("path", TFVARS, ids=lambda path: f"{path.parent.name}{path.suffix}")
def test_tfvars_name_declared_variables(path: Path):
    """They set all variables without a default except the subscription."""
    given = {name for name in parse(path.read_text()) if not name.startswith("__")}
    declared = Module(path.parent).variables()
    assert given <= declared.keys()
    needed = {name for name, body in declared.items() if "default" not in body}
    assert needed - given == {"subscription_id"}
    assert set(FLAGS) & declared.keys() <= given


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_terraform_tests_are_readable(path: Path):
    """They set only declared variables, and each run asserts or expects a failure. CI runs them
    with the real providers."""
    tree = parse(path.read_text())
    declared = Module(path.parents[1]).variables()
    runs = [(name, body) for one in tree["run"] for name, body in one.items()]
    assert runs
    for _, body in runs:
        assert body.get("assert") or body["expect_failures"]
        for variables in body.get("variables", []):
            assert {name for name in variables if not name.startswith("__")} <= declared.keys()
    assert {body["command"] for _, body in runs} == (
        {"apply", "plan"} if path.name in ("apply.tftest.hcl", "state.tftest.hcl") else {"plan"}
    )


def test_each_combination_of_flags_has_a_run():
    """There are eight, and all plan."""
    tree = parse((INFRASTRUCTURE / "tests" / "flags.tftest.hcl").read_text())
    given = [body.get("variables", [{}])[0] for one in tree["run"] for body in one.values()]
    tried = {tuple(variables.get(flag, False) for flag in FLAGS) for variables in given}
    assert tried == set(product((False, True), repeat=len(FLAGS)))


def test_quota_by_key_is_only_where_the_tier_has_it():
    """Classic tiers count by key, v2 tiers by product; Consumption, which has no rates by key
    either, is refused."""
    policies = INFRASTRUCTURE / "policies"
    assert "<quota-by-key" in (policies / "product.xml").read_text()
    v2 = (policies / "product-v2.xml").read_text()
    assert "<quota " in v2
    assert "<quota-by-key" not in v2
    chosen = BLOCKS["azurerm_api_management_product_policy.inference"].body["xml_content"]
    assert 'local.api_management_v2 ? "product-v2" : "product"' in chosen
    refused = [rule["condition"] for rule in MODULE.variables()["api_management_sku"]["validation"]]
    assert '${!startswith(var.api_management_sku, "Consumption")}' in refused


def test_the_resource_providers_that_are_used_are_registered():
    """Each namespace of a resource's id is, and so are those that Azure ML and AKS use without a
    resource here; Azure has registered Microsoft.Authorization itself."""
    others = {"infrastructure": {"Microsoft.Cdn", "Microsoft.Compute", "Microsoft.PolicyInsights"}}
    for root in ROOTS:
        (provider,) = [
            one["azurerm"] for one in MODULES[root.name].each("provider") if "azurerm" in one
        ]
        ids = "".join(path.read_text() for path in root.glob("tests/*.tftest.hcl"))
        used = set(re.findall(r"/providers/(Microsoft\.\w+)", ids))
        used = (used | others.get(root.name, set())) - {"Microsoft.Authorization"}
        assert used <= set(provider["resource_providers_to_register"])


def test_a_destroy_leaves_nothing():
    """Neither a soft-deleted workspace, which keeps its name, nor what Azure makes beside
    Application Insights, which would keep the resource group."""
    (provider,) = [one["azurerm"] for one in MODULE.each("provider") if "azurerm" in one]
    (features,) = provider["features"]
    assert features["machine_learning"][0]["purge_soft_deleted_workspace_on_destroy"] is True
    assert features["application_insights"][0]["disable_generated_rule"] is True
    assert features["resource_group"][0]["prevent_deletion_if_contains_resources"] is False


def test_no_role_is_wider_than_its_job():
    """Nobody becomes owner or contributor, and the gateway's own role is one action."""
    texts = "".join(path.read_text() for path in INFRASTRUCTURE.rglob("*.tf"))
    roles = set(re.findall(r'(?:role_definition_name|name)\s*= "([A-Z][^"]*)"', texts))
    assert {"AzureML Data Scientist", "AcrPull"} <= roles
    assert not roles & {
        "Owner",
        "Contributor",
        "User Access Administrator",
        "Key Vault Administrator",
    }
    (permissions,) = BLOCKS["azurerm_role_definition.scorer"].body["permissions"]
    actions = ["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"]
    assert {key: value for key, value in permissions.items() if key != "__is_block__"} == {
        "actions": actions
    }


def test_no_file_holds_a_secret():
    """Passwords and keys come from Azure, subscriptions from the user."""
    files = [path for root in ROOTS for path in root.glob("*.tf*")]
    for path in [*files, *INFRASTRUCTURE.glob("*.example")]:
        text = path.read_text()
        assert not re.search(
            r'(password|secret|access_key|sas_token)\w*\s*=\s*"', text, re.IGNORECASE
        ), path.name
        assert not re.search(r'subscription_id\s*=\s*"', text), path.name
