"""The pods of ``kubernetes/``: size, settings, secrets, probes, shutdown, rights."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from azureml_scoring import settings
from azureml_scoring.settings import load
from deploy.checkout import REPOSITORY
from deploy.manifests import (
    ALL,
    KUBERNETES,
    NAMESPACE,
    container,
    each_rendering,
    kinds,
    pod,
    the_only,
    variables,
)
from mlops import deployment
from mlops.check.variables import SECRET_NAME, SECRET_VALUE
from mlops.hpa.quantity import parse
from mlops.serve import LOAD_LIMIT_S


@each_rendering
def test_quantities_are_ones_and_requests_fit_limits(name: str):
    """The schema would accept 1GB, and a request above its limit."""
    resources = container(name)["resources"]
    for what in ("cpu", "memory"):
        assert 0 < parse(resources["requests"][what]) <= parse(resources["limits"][what])
    for volume in pod(name)["volumes"]:
        if "emptyDir" in volume:
            assert parse(volume["emptyDir"]["sizeLimit"]) > 0


@each_rendering
def test_requests_and_limits_are_the_guides_and_those_of_the_endpoints(name: str):
    """A pod has the same size on AKS and behind a managed endpoint."""
    described = yaml.safe_load(
        (REPOSITORY / "endpoints" / "kubernetes" / "blue-deployment.yml").read_text()
    )
    assert container(name)["resources"] == described["resources"]


@each_rendering
def test_settings_are_those_of_the_table(name: str):
    """All come from mlops/deployment.py, as in endpoints/; the service would start with them."""
    given = variables(name)
    table = deployment.environment_variables(given["DEPLOYMENT_NAME"], managed=False)
    assert {key: given.get(key) for key in table} == table
    beside = given.keys() - table.keys()
    assert {key for key in beside if key.startswith("SCORING_")} <= {"SCORING_EXPOSE_TRACEBACK"}
    assert beside <= settings.ATTRIBUTE_OF.keys()
    load(given)


def test_tracebacks_are_for_development():
    """Production never shows them."""
    assert load(variables("dev")).scoring_expose_traceback
    assert not any(load(variables(name)).scoring_expose_traceback for name in ALL if name != "dev")


@each_rendering
def test_an_image_is_one_version_of_the_model(name: str):
    """Its tag names the version and is never :latest. Its manifest names the model, so no variable
    does."""
    image, _, tag = container(name)["image"].rpartition(":")
    assert re.fullmatch(r"v?\d+(\.\d+)*", tag)
    assert not {"MODEL_NAME", "MODEL_VERSION"} & variables(name).keys()
    assert "/" in image  # of a registry


def test_redis_is_asked_by_identity_or_by_a_secrets_key():
    """Azure Managed Redis needs no password; the guide's cache has its key in Key Vault."""
    managed = load(variables("prod"))
    assert (managed.redis_auth, managed.redis_port, managed.redis_ssl) == ("entra", 10000, True)
    classic = load(variables("redis-key"))
    assert (classic.redis_auth, classic.redis_port, classic.redis_ssl) == ("password", 6380, True)
    (password,) = [
        each for each in container("redis-key")["env"] if each["name"] == "REDIS_PASSWORD"
    ]
    reference = password["valueFrom"]["secretKeyRef"]
    made = the_only("redis-key", "SecretProviderClass")["spec"]
    (secret,) = made["secretObjects"]
    (entry,) = secret["data"]
    assert (reference["name"], reference["key"]) == (secret["secretName"], entry["key"])
    (fetched,) = yaml.safe_load(made["parameters"]["objects"])["array"]
    assert yaml.safe_load(fetched)["objectName"] == entry["objectName"]


def test_the_secret_is_mounted_for_it_to_be_made():
    """The driver makes the Secret only while a pod mounts the class."""
    volumes = {volume["name"]: volume for volume in pod("redis-key")["volumes"]}
    mounted = {mount["name"] for mount in container("redis-key")["volumeMounts"]}
    assert volumes.keys() == mounted
    attributes = volumes["redis-secret"]["csi"]["volumeAttributes"]
    assert (
        attributes["secretProviderClass"]
        == the_only("redis-key", "SecretProviderClass")["metadata"]["name"]
    )


def texts(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(inner, value["name"] if key == "value" and "name" in value else key)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, name)
    else:
        yield name, str(value)


@each_rendering
def test_no_secret_stands_in_a_manifest(name: str):
    """There is no Secret object either: the driver makes it."""
    assert not kinds(name, "Secret")
    found = list(texts(ALL[name]))
    assert len(found) > 100
    assert [key for key, value in found if SECRET_VALUE.search(value)] == []
    assert [
        each["name"]
        for each in container(name)["env"]
        if SECRET_NAME.search(each["name"]) and "value" in each
    ] == []


def test_a_secret_would_be_seen():
    """The check above can fail."""
    env = [{"name": "REDIS_URL", "value": "rediss://:password@name.redis.cache.windows.net:6380/0"}]
    assert [key for key, value in texts({"env": env}) if SECRET_VALUE.search(value)] == [
        "REDIS_URL"
    ]


def seconds(probe: dict[str, Any]) -> dict[str, int]:
    assert probe["timeoutSeconds"] <= probe["periodSeconds"]
    names = {
        "period": "periodSeconds",
        "timeout": "timeoutSeconds",
        "failure_threshold": "failureThreshold",
    }
    return {ours: probe[theirs] for ours, theirs in names.items()}


@each_rendering
def test_probes_are_as_patient_as_those_of_the_endpoints(name: str):
    """The startup probe replaces their initial delays, and gives a model the same time to load."""
    one = container(name)
    for probe, table in (
        ("livenessProbe", deployment.LIVENESS),
        ("readinessProbe", deployment.READINESS),
    ):
        assert "initialDelaySeconds" not in one[probe]
        assert seconds(one[probe]) == {
            key: table[key] for key in ("period", "timeout", "failure_threshold")
        }
    startup = seconds(one["startupProbe"])
    assert startup == deployment.STARTUP
    assert (
        startup["period"] * startup["failure_threshold"]
        >= LOAD_LIMIT_S
        == deployment.LIVENESS["initial_delay"]
    )


@each_rendering
def test_probes_ask_what_the_service_answers(name: str):
    """Probes use the image's port and the routes that Azure ML uses too."""
    config = yaml.safe_load((REPOSITORY / "endpoints" / "image-environment.yml").read_text())[
        "inference_config"
    ]
    one = container(name)
    assert [(port["name"], port["containerPort"]) for port in one["ports"]] == [
        ("http", config["scoring_route"]["port"])
    ]
    routes = {
        "startupProbe": "liveness_route",
        "livenessProbe": "liveness_route",
        "readinessProbe": "readiness_route",
    }
    for probe, route in routes.items():
        assert one[probe]["httpGet"] == {"path": config[route]["path"], "port": "http"}


@each_rendering
def test_liveness_is_slower_than_a_slow_score(name: str):
    """A pod is not killed for a request that may still be answered in time."""
    liveness, ours = container(name)["livenessProbe"], load(variables(name))
    assert (
        liveness["periodSeconds"] * liveness["failureThreshold"] * 1000 > ours.scoring_deadline_ms
    )
    assert ours.scoring_stuck_after_ms > ours.scoring_deadline_ms


@each_rendering
def test_a_pod_that_stops_has_time_to_answer_everybody(name: str):
    """preStop, the drain and the longest answer fit into the server's grace period, and that into
    Kubernetes'."""
    ours, given = load(variables(name)), pod(name)["terminationGracePeriodSeconds"]
    pre_stop = container(name)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pre_stop == deployment.PRE_STOP_S
    grace = re.search(
        r"--graceful-timeout (\d+)", (REPOSITORY / "environment" / "Dockerfile").read_text()
    )
    assert grace
    assert (ours.scoring_drain_ms + ours.scoring_deadline_ms) / 1000 < int(grace[1])
    assert pre_stop + int(grace[1]) < given


@each_rendering
def test_pods_have_no_rights(name: str):
    """Pods meet the namespace's Pod Security Standard, restricted, and run as the image's own
    user."""
    of_pod, of_container = pod(name)["securityContext"], container(name)["securityContext"]
    users = re.search(
        r"^USER (\d+):(\d+)$", (REPOSITORY / "environment" / "Dockerfile").read_text(), re.MULTILINE
    )
    assert users
    assert (of_pod["runAsUser"], of_pod["runAsGroup"]) == (int(users[1]), int(users[2]))
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert of_container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod(name).keys()
    labels = NAMESPACE[0]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@each_rendering
def test_only_tmp_can_be_written(name: str):
    """The image writes only there; the volume is bounded, so it can't fill the node."""
    writable = [mount for mount in container(name)["volumeMounts"] if not mount.get("readOnly")]
    assert [mount["mountPath"] for mount in writable] == ["/tmp"]


@each_rendering
def test_pods_act_by_workload_identity_and_not_on_the_cluster(name: str):
    """Pods have the service account that Terraform federates, and no token for the API server."""
    account = the_only(name, "ServiceAccount")
    assert (account["metadata"]["namespace"], account["metadata"]["name"]) == (
        "ml-inference",
        "ml-inference",
    )
    assert pod(name)["serviceAccountName"] == account["metadata"]["name"]
    assert (account["automountServiceAccountToken"], pod(name)["automountServiceAccountToken"]) == (
        False,
        False,
    )
    assert "azure.workload.identity/client-id" in account["metadata"]["annotations"]
    labels = the_only(name, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert labels["azure.workload.identity/use"] == "true"


def test_the_image_with_a_model_is_built_from_ours():
    """kubernetes/Dockerfile adds the artifact where the image looks for it, and nothing else."""
    text = (KUBERNETES / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines == ["ARG IMAGE", "FROM ${IMAGE}", "COPY . /model"]
    assert "AZUREML_MODEL_DIR=/model" in (REPOSITORY / "environment" / "Dockerfile").read_text()
    hadolint = Path(sys.executable).with_name("hadolint")
    assert subprocess.run([hadolint, KUBERNETES / "Dockerfile"], check=False).returncode == 0
