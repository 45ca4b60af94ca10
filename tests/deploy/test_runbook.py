"""The runbook beside the alerts, the queries and the settings that it speaks of."""

import re

import hcl2
import pytest
import yaml

from deploy.checkout import REPOSITORY

RUNBOOK = (REPOSITORY / "docs" / "runbook.md").read_text()
OBSERVABILITY = (REPOSITORY / "docs" / "observability.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
QUERIES = {path.name for path in (REPOSITORY / "infrastructure" / "queries").glob("*/*.kql")}


def alerts() -> set[str]:
    """Of Azure and of Prometheus."""
    azure = hcl2.loads(
        (REPOSITORY / "infrastructure" / "alerts.tf").read_text(),
        serialization_options=hcl2.SerializationOptions(strip_string_quotes=True, with_comments=False),
    )["locals"][0]["objectives"]
    groups = yaml.safe_load((REPOSITORY / "kubernetes" / "monitoring" / "rules.yml").read_text())["groups"]
    return set(azure) | {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}


def test_each_alert_has_its_section_and_each_section_its_alert():
    """Whoever is woken finds the alert's name as a heading."""
    assert SECTIONS.keys() == alerts()


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_says_what_it_means_what_to_look_at_and_what_to_do(name: str):
    """With a query's file, or a command, to begin with."""
    parts = re.split(r"^\*\*(Means|Look at|Do)\*\*", SECTIONS[name], flags=re.MULTILINE)
    assert parts[1::2] == ["Means", "Look at", "Do"]
    assert all(part.strip() for part in parts[2::2])
    assert re.search(r"`\w+\.kql`|`kubectl ", parts[4])


@pytest.mark.parametrize("text", [RUNBOOK, OBSERVABILITY], ids=["runbook", "observability"])
def test_what_the_pages_name_is_there(text: str):
    """Queries, files and settings."""
    assert set(re.findall(r"\b\w+\.kql\b", text)) <= QUERIES
    for path in re.findall(r"\b(?:infrastructure|kubernetes|tests)/[\w./-]*\w", text):
        assert (REPOSITORY / path).exists(), path
    settings = (REPOSITORY / "docs" / "settings.md").read_text()
    assert [name for name in re.findall(r"\bSCORING_\w+", text) if f"`{name}`" not in settings] == []


def test_every_query_is_told_of():
    """On the page that lists them, both packs at once."""
    listed = re.sub(
        r"(`InferenceBurnRate)1h.kql`, `6h`, `1d`", r"\g<1>1h.kql` \g<1>6h.kql` \g<1>1d.kql`", OBSERVABILITY
    )
    assert set(re.findall(r"\b\w+\.kql\b", listed)) == QUERIES
