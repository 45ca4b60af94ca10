"""The policies by Microsoft's schemas and tiers."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from apim.check import problems
from apim.csharp import compiled
from apim.dotnet import STATIC, Thrown, Unsupported
from apim.gateway import POLICIES, document
from apim.loading import Loader, Services
from apim.messages import Context, Request
from apim.policies import FACTORIES
from apim.rules import SKUS, not_in_tier
from apim.world import GUID, ORIGIN, START

DOCS = POLICIES.parents[1] / "docs" / "api-management.md"
FILES = sorted(path.relative_to(POLICIES).as_posix() for path in POLICIES.rglob("*.xml"))


@pytest.mark.parametrize("name", FILES)
def test_schema(name: str) -> None:
    """Each policy is XML that Microsoft's schemas allow, and each expression is C#."""
    assert problems(document(name, [ORIGIN])) == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("<policies><inbound><rate-limit-by-key calls='many'/></inbound></policies>", "many"),
        (
            "<policies><inbound><choose><when condition='@(1 +)'/></choose></inbound></policies>",
            "not C#",
        ),
        ("<fragment><set-footer name='x'/></fragment>", "no such policy"),
    ],
)
def test_schema_check_bites(bad: str, said: str) -> None:
    """The check refuses a wrong attribute, a wrong expression and an unknown policy."""
    assert said in "\n".join(problems(ET.fromstring(bad)))


def test_tiers() -> None:
    """Every tier but Consumption takes the API's policy, and the product's policy that is meant for
    it."""
    for sku, tier in SKUS.items():
        api, by_key, by_product = (
            not_in_tier(document(name, [ORIGIN]), f"{sku}_1")
            for name in ("api.xml", "product.xml", "product-v2.xml")
        )
        assert api == (["rate-limit-by-key"] if tier == "consumption" else [])
        assert by_key == ([] if tier == "classic" else ["quota-by-key"])
        assert by_product == []


def test_template() -> None:
    """Terraform's `templatefile` fills in these values and takes no C# for one of its own."""
    for name, values in {
        "api.xml": {"${allowed_origins}", "${front_door_id}"},
        "health.xml": {"${request}"},
    }.items():
        assert set(re.findall(r"[$%]\{[^}]*\}?", (POLICIES / name).read_text())) == values


def test_cors_is_first() -> None:
    """A preflight, which carries no key, is answered before any policy can refuse it."""
    inbound = document("api.xml", [ORIGIN]).find("inbound")
    assert inbound is not None
    assert inbound[0].tag == "cors"


@pytest.mark.parametrize(
    "policy",
    [
        "<validate-content unspecified-content-type-action='prevent' max-size='1' "
        "size-exceeded-action='prevent'/>",
        "<set-header name='x' expression='@(1)'/>",
        "<rate-limit-by-key calls='1' renewal-period='301' counter-key='x'/>",
        "<quota calls='1' renewal-period='300'/>",
        "<forward-request timeout='1'/>",
        "<cors allow-credentials='false' terminate-unmatched-request='false'>"
        "<allowed-origins><origin>{{origin}}</origin></allowed-origins></cors>",
        "<set-variable name='x' value='{{named}}'/>",
        "<set-variable name='x' value='@{ return 1; }'/>",
        "<set-variable name='x' value='@(context.Request.Certificate)'/>",
        "<set-variable name='x' value='@(Math.Abs(1))'/>",
        "<set-variable name='x' value='@(1 + 1)'/>",
    ],
)
def test_unknown_is_refused(policy: str) -> None:
    """The tests' gateway refuses what it does not know: a policy, an attribute, a place, a value,
    C#."""
    loader = Loader(Services(lambda: START, {}, str), FACTORIES, {})
    text = f"<policies><inbound>{policy}</inbound></policies>"

    def load_and_run() -> None:
        for step in loader.section(ET.fromstring(text), "inbound", "api", []):
            step(Context(Request(), GUID, START))

    with pytest.raises(Unsupported):
        load_and_run()


@pytest.mark.parametrize(
    "text",
    [
        '@((int)"1")',
        '@(int.Parse("x"))',
        '@("a".Substring(0, 2))',
        "@(context.Response.StatusCode)",
    ],
)
def test_csharp_throws(text: str) -> None:
    """An expression that throws in .NET throws here."""
    with pytest.raises(Thrown):
        compiled(text)({"context": Context(Request(), GUID, START), **STATIC})


def test_docs_list_every_code() -> None:
    """The docs' table has every code of the gateway, and no other."""
    used = {
        element.attrib["value"]
        for name in FILES
        for element in document(name, [ORIGIN]).iter("set-variable")
        if element.attrib["name"] == "error-code"
    }
    listed = set(re.findall(r"^\|.*\| \d{3}[^|]*`([a-z_]+)`", DOCS.read_text(), re.MULTILINE))
    assert listed == used
