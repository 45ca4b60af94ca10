"""The runbook has an entry for each alert, and each of its commands and queries runs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import CalledProcessError
from typing import NamedTuple

import kubernetes_validate
import pytest
import yaml

import support
from azure_cli.parser import AzureCliError
from azureml_scoring.errors import StartupError
from blackbox.server import needs
from cluster.objects import PODS
from cluster.server import Cluster, serving
from deploy.alert_names import LOG_ALERTS, METRIC_ALERTS, PROMETHEUS_ALERTS, alert_names
from deploy.checkout import REPOSITORY
from deploy.command_checks import Checks, check_environment
from deploy.pasted import Shell
from kusto.parser import FILES, Query

PAGE = (REPOSITORY / "docs" / "runbook.md").read_text()
OBSERVABILITY = (REPOSITORY / "docs" / "observability.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ENTRIES = {name: text for name, text in SECTIONS.items() if " " not in name}
PARTS = ["Access", "Meaning", "Impact", "Diagnosis", "Mitigation", "Over when"]
BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)
SET_UP = "".join(BLOCK.findall(SECTIONS["Set up"]))
BLOCKS = {
    f"{name} {i}": block
    for name, text in SECTIONS.items()
    if name != "Set up"
    for i, block in enumerate(BLOCK.findall(text))
}
INLINE = sorted(set(re.findall(r"`((?:query|request) [^`]+|(?:az|kubectl) [^`]+ --[^`]+)`", PAGE)))
"""Commands within a sentence or a table; a name alone, such as that of a group, is none."""

PROVIDERS = "/subscriptions/s/resourceGroups/g/providers"


class Operator(NamedTuple):
    """A shell in a checkout with a model and kept inputs, and stand-ins for everything it would
    call."""

    shell: Shell
    checks: Checks
    cluster: Cluster

    def paste(self, text: str) -> None:
        """Run commands after the set-up, and check each call against its program."""
        self.cluster.reset()
        for call in self.shell.paste(text):
            self.checks.check(call)
        for manifest in self.cluster.changed():
            kubernetes_validate.validate(manifest, "1.33", strict=True)
            if manifest["kind"] == "Deployment":
                (container,) = manifest["spec"]["template"]["spec"]["containers"]
                check_environment(
                    {each["name"]: each["value"] for each in container["env"] if "value" in each}
                )


@pytest.fixture(scope="module")
def operator(
    tmp_path_factory: pytest.TempPathFactory, demo_model: Path, queries: dict[str, Query]
) -> Iterator[Operator]:
    needs("kubectl", "kubernetes-client")
    needs("curl")
    folder = tmp_path_factory.mktemp("operator")
    (folder / "artifact").symlink_to(demo_model)
    (folder / "collected").mkdir()
    X, _ = support.diabetes()
    for name in ("one.jsonl", "two.jsonl"):  # together enough to judge
        X.to_json(folder / "collected" / name, orient="records", lines=True)
    with serving(folder) as (cluster, url, kubeconfig):
        endpoint = "Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e"
        answers = {
            "apim list": f"{PROVIDERS}/Microsoft.ApiManagement/service/gateway",
            "resource list": f"{PROVIDERS}/Microsoft.Cache/redisEnterprise/redis",
            "--query customerId": "00000000-0000-0000-0000-00000000000a",
            "--query properties.gatewayUrl": url,
            "ad signed-in-user show": "someone",
            "--query id ": f"{PROVIDERS}/{endpoint}",
        }
        yield Operator(
            Shell(folder, {"KUBECONFIG": str(kubeconfig)}, answers, SET_UP),
            Checks(folder, queries),
            cluster,
        )


def test_each_alert_has_its_entry_and_each_entry_its_alert():
    """Whoever is on call finds the alert's name as a heading."""
    assert ENTRIES.keys() == alert_names()


def test_the_table_at_the_top_leads_to_each_entry_and_knows_its_severity():
    """A row may list several alerts; severities come in the same order."""
    shown: dict[str, str] = {}
    for names, severities in re.findall(r"^\| (\[.+?\)) \| ([\d, ]+) \|", PAGE, re.MULTILINE):
        shown |= zip(re.findall(r"\(#(\w+)\)", names), severities.split(", "), strict=True)
    azure = {
        name.lower(): str(alert["severity"]) for name, alert in (LOG_ALERTS | METRIC_ALERTS).items()
    }
    prometheus = {
        name.lower(): alert["labels"]["severity"] for name, alert in PROMETHEUS_ALERTS.items()
    }
    assert shown == azure | prometheus == prometheus | azure


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_has_all_that_one_needs_at_night(name: str):
    """It says, in this order: access, meaning, what clients see, how to find the cause, what to do,
    when it is over."""
    titles = re.split(r"^\*\*([A-Z][a-z ]+)\*\*\s", ENTRIES[name], flags=re.MULTILINE)
    parts = dict(zip(titles[1::2], titles[2::2], strict=True))
    assert list(parts) == PARTS
    assert all(text.strip() for text in parts.values())
    assert BLOCK.search(parts["Diagnosis"])
    assert BLOCK.search(parts["Over when"])


@pytest.mark.parametrize("name", LOG_ALERTS)
def test_an_entry_asks_what_its_alert_asks(name: str):
    """The reader sees the number that fired, and sees it fall."""
    assert re.search(rf"^query \S*/{LOG_ALERTS[name]['query']}\b", ENTRIES[name], re.MULTILINE)


@pytest.mark.parametrize("name", ENTRIES)
def test_access_names_roles_of_the_table(name: str):
    """Access may also refer to another entry that names them."""
    roles = re.findall(
        r"^\| [^|]+ \| ([^|]+) \|", SECTIONS["Set up"].partition("### Variables")[0], re.MULTILINE
    )
    access = re.findall(r"^\*\*Access\*\* (.*)", ENTRIES[name], re.MULTILINE)[0]
    other = re.match(r"As for \[(\w+)\]", access)
    assert other[1] in ENTRIES if other else any(role in access for role in roles[1:])


def test_the_pages_links_lead_somewhere():
    """Links lead to a heading of this page, or of a file beside it."""
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, anchor = target.partition("#")
        text = (REPOSITORY / "docs" / (file or "runbook.md")).read_text()
        anchors = {
            heading.lower().replace(" ", "-")
            for heading in re.findall(r"^##+ (.+)$", text, re.MULTILINE)
        }
        assert anchor in {"", *anchors}, target


def test_what_is_set_up_can_be_pasted(operator: Operator):
    """Set-up is access, variables, sign-in, and the functions that other blocks use."""
    assert {call.program for call in operator.shell.calls} == {"az", "kubelogin"}
    assert operator.shell.calls[0].words == ["login"]
    endpoint = yaml.safe_load((REPOSITORY / "endpoints" / "online-endpoint.yml").read_text())[
        "name"
    ]
    assert operator.shell.calls[0].env["ENDPOINT"] == endpoint
    for call in operator.shell.calls:
        operator.checks.check(call)


@pytest.mark.parametrize("name", BLOCKS)
def test_every_command_can_be_pasted(operator: Operator, name: str):
    """Each variable is set, kubectl and curl work, mlops runs, and az would accept each
    argument."""
    operator.paste(BLOCKS[name])


def test_commands_within_sentences_and_tables_run_too(operator: Operator):
    """They run as they are written."""
    assert len(INLINE) > 5
    operator.paste("\n".join(INLINE))


def test_the_request_through_the_gateway_is_one_that_it_takes(operator: Operator):
    """It is the sample request, as JSON, at the gateway's address."""
    (block,) = [block for block in BLOCKS.values() if "--json @" in block]
    operator.paste(block)
    assert operator.cluster.scored == [
        json.loads((REPOSITORY / "endpoints" / "sample-request.json").read_text())
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        "kubectl get pods --namespace ml-inference --nodes",
        "kubectl rollout undo deployment/other --namespace ml-inference",
        'echo "$NOWHERE"',
        "no-such-program",
        "if true; then",
        "query managed/NoSuchQuery",
        "query managed/InferenceErrorRate 1h",
        "kubectl set env deployment/ml-inference --namespace ml-inference SCORING_CASH=memory",
        "az ml online-endpoint show --names x",
        "az ml online-endpoint shows --name x",
        "az ml online-endpoint update --name x --traffic blue=100 green=0",
        'az ml online-endpoint update --name x --traffic "blue=90 green=0"',
        "az monitor metrics list --metrics RequestsPerMinute",
        'az monitor metrics list --resource "$ENDPOINT_ID" --metrics Capacity',
        "az ml online-deployment update --name b --endpoint-name e --set "
        "environment_variables.SCORING_CASH=1",
        "az ml online-deployment update --name b --endpoint-name e --set "
        "environment_variables.SCORING_SLOTS=1",
        "az ml online-deployment update --name b --endpoint-name e --set instances=6",
        "az monitor autoscale show --name blue",
        ".venv/bin/mlops rollback",
        ".venv/bin/mlops rollbacks x",
        "make rollbacks",
    ],
)
def test_a_wrong_command_is_found_by_running_it(operator: Operator, wrong: str):
    """The tests above can fail."""
    with pytest.raises((AssertionError, AzureCliError, StartupError, CalledProcessError)):
        operator.paste(wrong)


def test_the_pods_of_the_page_are_those_of_the_cluster_here():
    """The commands affect the pods of the tests' cluster."""
    assert set(re.findall(r"ml-inference-7c9f-\w+", PAGE)) <= set(PODS)


@pytest.mark.parametrize("text", [PAGE, OBSERVABILITY], ids=["runbook", "observability"])
def test_what_the_pages_name_is_there(text: str):
    """The queries, files and settings of the pages exist."""
    assert set(re.findall(r"\b([A-Z]\w+)\.kql\b", text)) <= {Path(name).name for name in FILES}
    for path in re.findall(r"\b(?:infrastructure|kubernetes|tests|endpoints)/[\w./-]*\w", text):
        assert (REPOSITORY / path).exists(), path
    settings = (REPOSITORY / "docs" / "settings.md").read_text()
    assert [
        name for name in re.findall(r"\bSCORING_\w+", text) if f"`{name}`" not in settings
    ] == []


def test_every_query_is_told_of():
    """One page lists the queries of all packs."""
    listed = re.sub(
        r"(`InferenceBurnRate)1h.kql`, `6h`, `2d`",
        r"\g<1>1h.kql` \g<1>6h.kql` \g<1>2d.kql`",
        OBSERVABILITY,
    )
    assert set(re.findall(r"\b(\w+)\.kql\b", listed)) == {Path(name).name for name in FILES}
