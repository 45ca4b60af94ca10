"""Each mistake in endpoints/ that `mlops check` knows, and what to write instead."""

import re

import pytest

from deploy.checkout import (
    AKS,
    AKS_ENDPOINT,
    BATCH,
    BATCH_ENDPOINT,
    BLUE,
    ENDPOINT,
    GONE,
    NAMES,
    Checkout,
    command,
)
from mlops.check import run
from mlops.check.document import read
from mlops.check.kind import kind

LONG = "a" * 33
MONITOR = "monitor.yml"
TARGET = "create_monitor.monitoring_target.endpoint_deployment_id"
MISTAKES: list[tuple[str, str, object, str]] = [
    (ENDPOINT, "name", "my", "3 to 32 letters"),
    (ENDPOINT, "name", LONG, "3 to 32 letters"),
    (ENDPOINT, "name", "1st-endpoint", "a letter first"),
    (ENDPOINT, "name", "two--dashes", "single dashes"),
    (ENDPOINT, "name", "end-", "single dashes"),
    (ENDPOINT, "name", GONE, "add it"),
    (ENDPOINT, "traffic", {"blue": 60, "green": 30}, "adds up to 90 %; make it 100, or 0"),
    (ENDPOINT, "traffic", {"blue": 60, "green": 60}, "adds up to 120 %; make it 100, or 0"),
    (ENDPOINT, "traffic.green", -10, "write 0 to 100"),
    (ENDPOINT, "mirror_traffic.green", 51, "is 51 %; write 0 to 50"),
    (ENDPOINT, "mirror_traffic", {"green": 5, "red": 5}, "keep one"),
    (ENDPOINT, "auth_mode", "password", "'aad_token'"),
    (ENDPOINT, "colour", "red", "remove it or correct its spelling"),
    (ENDPOINT, "compute", "azureml:aks", "remove it or write kubernetesOnlineEndpoint"),
    (AKS_ENDPOINT, "mirror_traffic", {"green": 10}, "does not exist on Kubernetes; remove it"),
    (AKS_ENDPOINT, "compute", GONE, "write azureml:NAME"),
    (AKS_ENDPOINT, "auth_mode", "aad_token", "write aml_token"),
    (BLUE, "name", "a.b", "letters, digits and single dashes"),
    (BLUE, "endpoint_name", "another", f"write {NAMES.endpoint}"),
    (BLUE, "type", "kubernetes", "write `type: managed`"),
    (BLUE, "instance_type", GONE, "add it"),
    (BLUE, "instance_count", "3", "write the number without quotes"),
    (BLUE, "instance_count", 0, "write 1 to 50"),
    (BLUE, "model", GONE, "azureml:NAME:VERSION"),
    (BLUE, "model", "file:nowhere.yml", "write file:PATH"),
    (BLUE, "model", "churn", "azureml:NAME:VERSION"),
    (BLUE, "model.path", "nowhere", "run `make artifact`"),
    (BLUE, "environment", GONE, "file:environment.yml"),
    (BLUE, "environment", "file:nowhere.yml", "write file:PATH"),
    (
        BLUE,
        "environment",
        {
            "image": "mine",
            "conda_file": {"dependencies": ["python=3.12", {"pip": ["scikit-learn"]}]},
        },
        "without azureml-inference-server-http, which runs the script; add it below pip",
    ),
    (BLUE, "environment", {"name": "mine"}, "name an image, or a folder to build one from"),
    (BLUE, "code_configuration", GONE, "name the folder as code"),
    (BLUE, "code_configuration.code", "../nowhere", "write its path from this file"),
    (BLUE, "code_configuration.scoring_script", GONE, "is missing; write the name of the file"),
    (BLUE, "code_configuration.code", GONE, "is missing; write the folder's path"),
    (BLUE, "code_configuration", {}, "is missing; write the folder's path"),
    (BLUE, "code_configuration.scoring_script", "main.py", "write the name of a file there"),
    (BLUE, "code_configuration.scoring_script", "cache.py", "define init() in cache.py"),
    (BLUE, "request_settings.request_timeout_ms", 200_000, "write 1 to 180000"),
    (
        BLUE,
        "request_settings.request_timeout_ms",
        25_000,
        "write 30000 or lower SCORING_DEADLINE_MS (25000)",
    ),
    (BLUE, "request_settings.request_timeout_ms", GONE, "is 5000, as it is missing"),
    (BLUE, "request_settings.max_concurrent_requests_per_instance", -1, "write 1 or more"),
    (BLUE, "request_settings.max_concurrent_requests_per_instance", 4, "write 192"),
    (BLUE, "request_settings.max_concurrent_requests_per_instance", GONE, "write 192"),
    (BLUE, "scale_settings.type", "target_utilization", "remove it and use autoscale.json"),
    (BLUE, "resources", {"requests": {"cpu": "1"}}, "remove it"),
    (BLUE, "liveness_probe.path", "/liveness", "remove it"),
    (BLUE, "liveness_probe.period", "often", "write a whole number"),
    (BLUE, "liveness_probe.timeout", 11, "write 10 at most"),
    (
        BLUE,
        "readiness_probe",
        {"timeout": 300, "period": 400},
        "is 300 s, more than Azure accepts; write 299 at most",
    ),
    (BLUE, "liveness_probe.success_threshold", 2, "write 1 or remove it"),
    (BLUE, "liveness_probe.initial_delay", 5, "35 s to load before it is killed; write 120"),
    (BLUE, "readiness_probe.failure_threshold", 0, "write 1 or more"),
    (BLUE, "environment_variables.PLAIN", 1, "put the value in quotes"),
    (BLUE, "environment_variables.PLAIN", True, "put the value in quotes"),
    (BLUE, "environment_variables.SCORING_MAX_BYTE", "5", "did you mean SCORING_MAX_BYTES?"),
    (BLUE, "environment_variables.SCORING_CACHE", "disk", "see docs/settings.md"),
    (BLUE, "environment_variables.DEPLOYMENT_NAME", "green", "write blue"),
    (BLUE, "environment_variables.REDIS_PASSWORD", "hunter2", "${{keyvault:https://"),
    (
        BLUE,
        "environment_variables.REDIS_URL",
        "rediss://u:hunter2@host:6380/0",
        "REDIS_AUTH: entra",
    ),
    (
        BLUE,
        "environment_variables.REDIS_URL",
        "rediss://:hun/ter2+hunter2=@host:6380/0",
        "REDIS_AUTH: entra",
    ),
    (BLUE, "environment_variables.REDIS_URL", "redis://:12/hunter2@host:6379", "REDIS_AUTH: entra"),
    (BLUE, "environment_variables.REDIS_URL", "redis://user:hunter2/@host", "REDIS_AUTH: entra"),
    (
        BLUE,
        "environment_variables.REDIS_URL",
        "redis://host:6379/0?password=hunter2",
        "REDIS_AUTH: entra",
    ),
    (BLUE, "environment_variables.BROKER", "amqps://user:hunter2/x@host:5671", "managed identity"),
    (BLUE, "environment_variables.STORAGE", "AccountName=a;AccountKey=hunter2", "managed identity"),
    (BLUE, "environment_variables.MY_API_KEY", "hunter2", "managed identity"),
    (BLUE, "environment_variables.SCORING_LATENCY_OBJECTIVE_MS", "25000", "write less than 25000"),
    (BLUE, "environment_variables.SCORING_STUCK_AFTER_MS", "20000", "write more than 25000"),
    (
        BLUE,
        "environment_variables.GUNICORN_CMD_ARGS",
        "--threads 64 --graceful-timeout 20",
        "--graceful-timeout 60",
    ),
    (
        BLUE,
        "environment_variables.GUNICORN_CMD_ARGS",
        "--graceful-timeout 60",
        "write --threads 64",
    ),
    (AKS, "type", GONE, "write `type: kubernetes`"),
    (AKS, "endpoint_name", "another", f"write {NAMES.kubernetes_endpoint}"),
    (AKS, "request_settings.request_timeout_ms", 300_001, "write 1 to 300000"),
    (AKS, "request_settings.max_concurrent_requests_per_instance", 49, "write 48"),
    (AKS, "scale_settings.min_instances", 20, "write 10 at most"),
    (BATCH_ENDPOINT, "name", "my", "3 to 32 letters"),
    (BATCH_ENDPOINT, "auth_mode", "key", "is key, which batch endpoints lack; write aad_token"),
    (BATCH, "endpoint_name", "another", f"write {NAMES.batch_endpoint}"),
    (BATCH, "type", GONE, "write `type: model`"),
    (BATCH, "compute", GONE, "write azureml:NAME of a cluster"),
    (BATCH, "settings.error_threshold", GONE, "every file failed; write how many files may fail"),
    (BATCH, "settings.error_threshold", -1, "every file failed; write how many files may fail"),
    (BATCH, "settings.retry_settings.timeout", GONE, "is 30 s for all files of a mini-batch"),
    (BATCH, "settings.output_action", "append_row", "writes files of its own; write summary_only"),
    (BATCH, "settings.retries", 3, "remove it or correct its spelling"),
    (BATCH, "settings.environment_variables.SCORING_BACH_METHOD", "x", "SCORING_BATCH_METHOD"),
    (BATCH, "settings.environment_variables.REDIS_PASSWORD", "x", "is a secret in plain text"),
    (BATCH, "code_configuration.scoring_script", "cache.py", "define init() in cache.py"),
    (BATCH, "model", "churn", "azureml:NAME:VERSION"),
    (
        BATCH,
        "environment",
        "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
        "is a curated one, which batch refuses",
    ),
    (BATCH, "environment", "file:environment.yml", "without azureml-core and azureml-dataset-"),
    ("environment.yml", "build", {"path": "../environment"}, "keep one of them"),
    ("environment.yml", "image", GONE, "name an image"),
    ("environment.yml", "conda_file", "nowhere.yml", "write the path of a conda file"),
    ("environment.yml", "conda_file", "model.yml", "has no dependencies; list them there"),
    ("image-environment.yml", "build.path", "../nowhere", "write its path from this file"),
    ("image-environment.yml", "build.dockerfile_path", "Dockerfile", "write its path there"),
    ("image-environment.yml", "inference_config.scoring_route.path", "score", "start it with /"),
    ("image-environment.yml", "inference_config.scoring_route", GONE, "add it"),
    ("model.yml", "path", "../nowhere", "run `make artifact`"),
    ("model.yml", "path", GONE, "`mlops package`"),
    ("model.yml", "type", "mlflow_model", "write custom_model"),
    (MONITOR, TARGET, "blue", "write azureml:ENDPOINT:DEPLOYMENT"),
    (MONITOR, TARGET, f"azureml:{NAMES.endpoint}:red", f"write azureml:{NAMES.endpoint}:blue"),
    (MONITOR, "create_monitor.colour", "red", "remove it or correct its spelling"),
    ("model.yml", "$schema", GONE, "NAME one of managedOnlineEndpoint"),
]


@pytest.mark.parametrize(("file", "key", "value", "remedy"), MISTAKES)
def test_a_mistake_is_told_with_file_line_key_and_remedy(
    checkout: Checkout, file: str, key: str, value: object, remedy: str
):
    """One sentence, exit status 1, and no secret in the output."""
    path = checkout.change(file, *key.split("."), value=value)
    result = command(checkout.endpoints)
    assert result.exit_code == 1
    found = re.search(
        rf"^{re.escape(str(path))}:(\d+): {re.escape(key)}\S* (.*); (.*)\.$",
        result.output,
        re.MULTILINE,
    )
    assert found is not None, result.output
    assert remedy in found[0]
    assert "hunter2" not in result.output
    if value is not GONE and not isinstance(value, dict):
        line = path.read_text().splitlines()[int(found[1]) - 1]
        assert line.strip().startswith(key.rsplit(".", maxsplit=1)[-1])


def test_every_rule_tells_some_mistake(checkout: Checkout):
    """Each rule can be broken by some file."""
    silent = {rule for rules in run.RULES.values() for rule in rules}
    for file, key, value, _ in MISTAKES:
        document = read(checkout.change(file, *key.split("."), value=value))
        known = kind(document)
        silent -= {
            rule for rule in silent if known and rule in run.RULES[known] and any(rule(document))
        }
    assert silent == set()
