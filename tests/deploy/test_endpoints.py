import json
import re
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from azureml_scoring.settings import load
from deploy.checkout import REPOSITORY, Checkout
from mlops import deployment
from pipelines.agent import check_out

ENDPOINTS = REPOSITORY / "endpoints"
MANAGED = ["blue-deployment.yml", "green-deployment.yml"]
KUBERNETES = [f"kubernetes/{name}" for name in MANAGED]
AUTOSCALE = json.loads((ENDPOINTS / "autoscale.json").read_text())


def read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((ENDPOINTS / name).read_text())
    return data


@pytest.mark.parametrize("name", MANAGED + KUBERNETES)
def test_deployments_have_the_numbers_of_the_table(name: str):
    """All numbers come from mlops/deployment.py."""
    data, managed = read(name), name in MANAGED
    expected = deployment.environment_variables(data["name"], managed=managed)
    assert data["environment_variables"] == expected
    assert data["liveness_probe"] == deployment.LIVENESS
    assert data["readiness_probe"] == deployment.READINESS
    concurrent = (
        {"max_concurrent_requests_per_instance": deployment.concurrency(load(expected), 64)}
        if managed
        else {}
    )
    assert (
        data["request_settings"]
        == {"request_timeout_ms": deployment.REQUEST_TIMEOUT_MS} | concurrent
    )


def test_each_deadline_ends_before_what_waits_for_it():
    """The gateway's timeout exceeds the request's, that exceeds our deadline, and that exceeds the
    objective for latency."""
    ours = load(deployment.environment_variables("blue", managed=True))
    assert deployment.GATEWAY_TIMEOUT_MS >= deployment.REQUEST_TIMEOUT_MS > ours.scoring_deadline_ms
    assert ours.scoring_deadline_ms > ours.scoring_latency_objective_ms


def test_the_numbers_on_the_page_are_the_tables():
    """docs/deploy.md has the same numbers."""
    text = (REPOSITORY / "docs" / "deploy.md").read_text()
    shown = {
        name.strip("`"): number
        for name, number in re.findall(r"^\| (\S.*?) \| ([\d,]+) \| ", text, re.MULTILINE)
    }
    variables = deployment.environment_variables("blue", managed=True)
    expected = {
        "API Management's timeout": deployment.GATEWAY_TIMEOUT_MS,
        "request_timeout_ms": deployment.REQUEST_TIMEOUT_MS,
        "max_concurrent_requests_per_instance": deployment.concurrency(load(variables), 64),
        "liveness `initial_delay": deployment.LIVENESS["initial_delay"],
    }
    counted = (
        "SCORING_DEADLINE_MS",
        "SCORING_LATENCY_OBJECTIVE_MS",
        "SCORING_MAX_IN_FLIGHT",
        "WORKER_COUNT",
    )
    expected |= {name: int(variables[name]) for name in counted}
    assert {name: int(number.replace(",", "")) for name, number in shown.items()} == expected


@pytest.mark.parametrize("folder", ["", "kubernetes/"])
def test_blue_and_green_differ_in_their_names_only(folder: str):
    """Both deployments run with the same settings."""
    blue, green = (read(f"{folder}{colour}-deployment.yml") for colour in ("blue", "green"))
    assert json.loads(json.dumps(blue).replace('"blue"', '"green"')) == green
    assert (blue["name"], green["name"]) == ("blue", "green")


def test_azure_is_sent_what_the_files_say(checkout: Checkout):
    """azure-ai-ml sends the same durations, counts and texts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from azure.ai.ml import load_online_deployment, load_online_endpoint

        entity = load_online_deployment(checkout.endpoints / MANAGED[0])
        sent = entity._to_rest_object(location="westeurope").as_dict()
        endpoint = load_online_endpoint(checkout.endpoints / "online-endpoint.yml")
        asked = endpoint._to_rest_online_endpoint(location="westeurope").as_dict()
    properties = sent["properties"]
    assert sent["sku"]["capacity"] == 3
    assert properties["requestSettings"]["requestTimeout"] == "PT30S"
    assert properties["requestSettings"]["maxConcurrentRequestsPerInstance"] == 192
    assert properties["livenessProbe"]["initialDelay"] == "PT2M"
    assert properties["environmentVariables"]["WORKER_COUNT"] == "4"
    assert asked["properties"]["authMode"] == "AADToken"
    assert asked["identity"]["type"] == "SystemAssigned"


def uploaded(folder: Path) -> set[str]:
    """Return the files that azure-ai-ml uploads of a folder that a YAML file names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from azure.ai.ml._utils._asset_utils import get_ignore_file
    ignore = get_ignore_file(folder)
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in files if not ignore.is_file_excluded(path)}


def sources_of(folder: Path) -> set[str]:
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {str(file) for file in files if "__pycache__" not in file.parts}


def test_only_what_the_image_needs_is_uploaded(tmp_path: Path):
    """The copy that Azure ML builds from has no .git, environment, model or data."""
    folder = check_out(REPOSITORY, tmp_path / "repository")
    for name in (".git/HEAD", "venv/bin/python", "artifact/model.joblib", "train.csv", "build/x"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).touch()
    sources = {f"src/{name}" for name in sources_of(REPOSITORY / "src")}
    assert uploaded(folder) == {"environment/Dockerfile", "environment/requirements.txt"} | sources
    assert (REPOSITORY / ".dockerignore").read_text() == (REPOSITORY / ".amlignore").read_text()


def test_the_code_is_uploaded_without_compiled_files():
    """Compiled files name folders of the machine that compiled them."""
    compiled = REPOSITORY / "src" / "azureml_scoring" / "http" / "__pycache__" / "uploaded.pyc"
    compiled.parent.mkdir(exist_ok=True)
    compiled.touch()
    try:
        assert uploaded(REPOSITORY / "src") == sources_of(REPOSITORY / "src")
    finally:
        compiled.unlink()


@pytest.mark.parametrize(
    "path", ["artifact/manifest.json", "collected/1.jsonl", "train.csv", "model.joblib", "build/x"]
)
def test_git_ignores_data_and_models(path: str, tmp_path: Path):
    """Names from the docs are ignored, and any such file in the root folder."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    shutil.copyfile(REPOSITORY / ".gitignore", tmp_path / ".gitignore")
    assert (
        subprocess.run(
            ["git", "check-ignore", "--quiet", path], cwd=tmp_path, check=False
        ).returncode
        == 0
    )


def test_autoscale_starts_from_the_instances_that_are_deployed():
    """Autoscale takes over from instance_count without a jump."""
    parameters = AUTOSCALE["parameters"]
    assert {read(name)["instance_count"] for name in MANAGED} == {
        parameters["minimum"]["defaultValue"]
    }
    assert parameters["minimum"]["defaultValue"] < parameters["maximum"]["defaultValue"] <= 50
    assert parameters["endpoint"]["defaultValue"] == read("online-endpoint.yml")["name"]


def rules(direction: str) -> list[dict[str, Any]]:
    (profile,) = AUTOSCALE["resources"][0]["properties"]["profiles"]
    return [rule for rule in profile["rules"] if rule["scaleAction"]["direction"] == direction]


def test_autoscale_does_not_go_up_and_down_by_turns():
    """At no size does the load that removed an instance bring it back."""
    (down,) = rules("Decrease")
    metric = down["metricTrigger"]["metricName"]
    (up,) = [rule for rule in rules("Increase") if rule["metricTrigger"]["metricName"] == metric]
    parameters, removed = AUTOSCALE["parameters"], int(down["scaleAction"]["value"])
    for size in range(
        parameters["minimum"]["minValue"] + removed, parameters["maximum"]["maxValue"] + 1
    ):
        after = down["metricTrigger"]["threshold"] * size / (size - removed)
        assert after < up["metricTrigger"]["threshold"]


def test_autoscale_asks_for_metrics_that_deployments_have():
    """The metrics have Azure Monitor's names; more load scales out, less scales in."""
    known = {"CpuUtilizationPercentage", "RequestLatency_P95"}
    assert {
        rule["metricTrigger"]["metricName"] for rule in rules("Increase") + rules("Decrease")
    } == known
    assert {rule["metricTrigger"]["operator"] for rule in rules("Increase")} == {"GreaterThan"}
    assert {rule["metricTrigger"]["operator"] for rule in rules("Decrease")} == {"LessThan"}


def test_the_commands_of_the_page_name_files_that_are_there():
    """The commands of docs/deploy.md can be pasted."""
    text = (REPOSITORY / "docs" / "deploy.md").read_text()
    named = re.findall(
        r"(?:endpoints|environment|infrastructure)/[\w./-]+\.(?:ya?ml|json|txt)", text
    )
    assert len(named) > 5
    assert [name for name in named if not (REPOSITORY / name).is_file()] == []
    targets = set(re.findall(r"^make (\w+)", text, re.MULTILINE))
    assert targets <= set(
        re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    )
