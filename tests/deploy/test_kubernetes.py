"""What ``kubernetes/`` comes to: valid for the API server, and right in what its schema does not say."""

import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

import settings
from deploy.checkout import REPOSITORY
from deploy.kustomize import Manifest, render
from fast_server import GRACE
from measures import STAGES
from mlops import deployment
from mlops.check.variables import SECRET_NAME, SECRET_VALUE
from mlops.hpa.manifest import read
from mlops.hpa.quantity import parse
from mlops.serve import PATIENCE
from settings import load

KUBERNETES = REPOSITORY / "kubernetes"
RENDERED = REPOSITORY / "tests" / "data" / "kubernetes"
FOLDERS = {
    "dev": KUBERNETES / "overlays" / "dev",
    "prod": KUBERNETES / "overlays" / "prod",
    "keda": RENDERED / "keda",
    "redis-key": RENDERED / "redis-key",
}
ALL = {name: render(folder) for name, folder in FOLDERS.items()}
"""Both overlays, and prod with each of the components."""

VERSIONS = ("1.33", "1.36")
"""Of Kubernetes: the oldest and the newest that AKS is expected to run."""

CUSTOM = {
    ("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass"),
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("keda.sh/v1alpha1", "TriggerAuthentication"),
    ("azmonitoring.coreos.com/v1", "PodMonitor"),
}
"""Kinds of add-ons of AKS, for which there is no schema here."""

each_rendering = pytest.mark.parametrize("name", ALL)


def kinds(name: str, kind: str) -> list[Manifest]:
    return [manifest for manifest in ALL[name] if manifest["kind"] == kind]


def the_only(name: str, kind: str) -> Any:
    (found,) = kinds(name, kind)
    return found


def pod(name: str) -> Any:
    return the_only(name, "Deployment")["spec"]["template"]["spec"]


def container(name: str) -> Any:
    (only,) = pod(name)["containers"]
    return only


def variables(name: str) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(name)["env"] if "value" in each}


def scaler(name: str) -> Any:
    (found,) = [each for each in ALL[name] if each["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")]
    return found


def in_order(manifests: list[Manifest]) -> list[Manifest]:
    return sorted(manifests, key=lambda each: (each["kind"], each["metadata"]["name"]))


@each_rendering
def test_the_renderer_here_does_what_kubectl_does(name: str):
    """What kubectl rendered is committed, so that a reader sees what is deployed; `make manifests` writes it anew."""
    kubectls = list(yaml.safe_load_all((RENDERED / f"{name}.yaml").read_text()))
    assert in_order(ALL[name]) == in_order(kubectls), "run `make manifests`, which needs kubectl, and commit"


def test_what_the_renderer_does_not_know_it_refuses(tmp_path: Path):
    """Rather than leave it out."""
    (tmp_path / "kustomization.yaml").write_text("kind: Kustomization\nnamePrefix: mine-\n")
    with pytest.raises(AssertionError, match="namePrefix"):
        render(tmp_path)


def problem(manifest: Manifest, version: str) -> str | None:
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{manifest['kind']} {'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        known = (manifest["apiVersion"], manifest["kind"]) in CUSTOM
        return None if known else f"{manifest['kind']} has no schema"
    return None


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid(version: str):
    """For the oldest and the newest Kubernetes; strictly, so that a misspelt key is seen."""
    different = {json.dumps(manifest, sort_keys=True) for manifests in ALL.values() for manifest in manifests}
    assert [wrong for text in sorted(different) if (wrong := problem(json.loads(text), version))] == []


def test_a_misspelt_key_is_seen():
    """The check above can fail."""
    wrong = copy.deepcopy(the_only("prod", "HorizontalPodAutoscaler"))
    wrong["spec"]["maxReplica"] = 10
    assert "maxReplica" in str(problem(wrong, VERSIONS[0]))
    assert problem({"apiVersion": "keda.sh/v1", "kind": "ScaledObjekt"}, VERSIONS[0])


@each_rendering
def test_quantities_are_ones_and_requests_fit_limits(name: str):
    """1GB passes the schema; so does a request above its limit."""
    resources = container(name)["resources"]
    for what in ("cpu", "memory"):
        assert 0 < parse(resources["requests"][what]) <= parse(resources["limits"][what])
    for volume in pod(name)["volumes"]:
        if "emptyDir" in volume:
            assert parse(volume["emptyDir"]["sizeLimit"]) > 0


@each_rendering
def test_requests_and_limits_are_the_guides_and_those_of_the_endpoints(name: str):
    """A pod is the same size, whoever starts it."""
    described = yaml.safe_load((REPOSITORY / "endpoints" / "kubernetes" / "blue-deployment.yml").read_text())
    assert container(name)["resources"] == described["resources"]


@each_rendering
def test_settings_are_those_of_the_table(name: str):
    """mlops/deployment.py is the one place to change them, for endpoints/ too; the service would start with all."""
    given = variables(name)
    table = deployment.environment_variables(given["DEPLOYMENT_NAME"], managed=False)
    assert {key: given.get(key) for key in table} == table
    beside = given.keys() - table.keys()
    assert {key for key in beside if key.startswith("SCORING_")} <= {"SCORING_EXPOSE_TRACEBACK"}
    assert beside <= settings.FIELDS.keys()
    load(given)


def test_tracebacks_are_for_development():
    """Never in prod."""
    assert load(variables("dev")).scoring_expose_traceback
    assert not any(load(variables(name)).scoring_expose_traceback for name in ALL if name != "dev")


@each_rendering
def test_an_image_is_one_version_of_the_model(name: str):
    """Its tag says which; never :latest, which could be two."""
    image, _, tag = container(name)["image"].rpartition(":")
    assert tag == variables(name)["MODEL_VERSION"]
    assert "/" in image  # of a registry


def test_redis_is_asked_by_identity_or_by_a_secrets_key():
    """Azure Managed Redis without a password; the guide's cache by Key Vault's."""
    managed = load(variables("prod"))
    assert (managed.redis_auth, managed.redis_port, managed.redis_ssl) == ("entra", 10000, True)
    classic = load(variables("redis-key"))
    assert (classic.redis_auth, classic.redis_port, classic.redis_ssl) == ("password", 6380, True)
    (password,) = [each for each in container("redis-key")["env"] if each["name"] == "REDIS_PASSWORD"]
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
    assert attributes["secretProviderClass"] == the_only("redis-key", "SecretProviderClass")["metadata"]["name"]


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
    """Nor a Secret: the driver makes it."""
    assert not kinds(name, "Secret")
    found = list(texts(ALL[name]))
    assert len(found) > 100
    assert [key for key, value in found if SECRET_VALUE.search(value)] == []
    assert [
        each["name"] for each in container(name)["env"] if SECRET_NAME.search(each["name"]) and "value" in each
    ] == []


def test_a_secret_would_be_seen():
    """The check above can fail."""
    env = [{"name": "REDIS_URL", "value": "rediss://:password@name.redis.cache.windows.net:6380/0"}]
    assert [key for key, value in texts({"env": env}) if SECRET_VALUE.search(value)] == ["REDIS_URL"]


def seconds(probe: dict[str, Any]) -> dict[str, int]:
    assert probe["timeoutSeconds"] <= probe["periodSeconds"]
    names = {"period": "periodSeconds", "timeout": "timeoutSeconds", "failure_threshold": "failureThreshold"}
    return {ours: probe[theirs] for ours, theirs in names.items()}


@each_rendering
def test_probes_are_as_patient_as_those_of_the_endpoints(name: str):
    """The startup probe stands in for their initial delays, and gives a model the same time to load."""
    one = container(name)
    for probe, table in (("livenessProbe", deployment.LIVENESS), ("readinessProbe", deployment.READINESS)):
        assert "initialDelaySeconds" not in one[probe]
        assert seconds(one[probe]) == {key: table[key] for key in ("period", "timeout", "failure_threshold")}
    startup = seconds(one["startupProbe"])
    assert startup == deployment.STARTUP
    assert startup["period"] * startup["failure_threshold"] >= PATIENCE == deployment.LIVENESS["initial_delay"]


@each_rendering
def test_probes_ask_what_the_service_answers(name: str):
    """On the image's port, by the routes that Azure ML is told too."""
    config = yaml.safe_load((REPOSITORY / "endpoints" / "image-environment.yml").read_text())["inference_config"]
    one = container(name)
    assert [(port["name"], port["containerPort"]) for port in one["ports"]] == [
        ("http", config["scoring_route"]["port"])
    ]
    routes = {"startupProbe": "liveness_route", "livenessProbe": "liveness_route", "readinessProbe": "readiness_route"}
    for probe, route in routes.items():
        assert one[probe]["httpGet"] == {"path": config[route]["path"], "port": "http"}


@each_rendering
def test_liveness_is_slower_than_a_slow_score(name: str):
    """A pod is not killed for a request that may still be answered in time."""
    liveness, ours = container(name)["livenessProbe"], load(variables(name))
    assert liveness["periodSeconds"] * liveness["failureThreshold"] * 1000 > ours.scoring_deadline_ms
    assert ours.scoring_stuck_after_ms > ours.scoring_deadline_ms


@each_rendering
def test_a_pod_that_stops_has_time_to_answer_everybody(name: str):
    """preStop, the drain, the longest answer: within the server's grace, and that within Kubernetes'."""
    ours, given = load(variables(name)), pod(name)["terminationGracePeriodSeconds"]
    pre_stop = container(name)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pre_stop == deployment.PRE_STOP
    assert (ours.scoring_drain_ms + ours.scoring_deadline_ms) / 1000 < GRACE
    assert pre_stop + GRACE < given


@each_rendering
def test_pods_have_no_rights(name: str):
    """What the namespace's Pod Security Standard, restricted, demands; and the image's own user."""
    of_pod, of_container = pod(name)["securityContext"], container(name)["securityContext"]
    users = re.search(r"^USER (\d+):(\d+)$", (REPOSITORY / "environment" / "Dockerfile").read_text(), re.MULTILINE)
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
    labels = the_only(name, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@each_rendering
def test_only_tmp_can_be_written(name: str):
    """Where the image writes; bounded, so that it can't fill the node."""
    writable = [mount for mount in container(name)["volumeMounts"] if not mount.get("readOnly")]
    assert [mount["mountPath"] for mount in writable] == ["/tmp"]


@each_rendering
def test_pods_act_by_workload_identity_and_not_on_the_cluster(name: str):
    """The service account that Terraform federates, and no token for the API server."""
    account = the_only(name, "ServiceAccount")
    assert (account["metadata"]["namespace"], account["metadata"]["name"]) == ("ml-inference", "ml-inference")
    assert pod(name)["serviceAccountName"] == account["metadata"]["name"]
    assert (account["automountServiceAccountToken"], pod(name)["automountServiceAccountToken"]) == (False, False)
    assert "azure.workload.identity/client-id" in account["metadata"]["annotations"]
    labels = the_only(name, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert labels["azure.workload.identity/use"] == "true"


def selectors(manifest: Manifest) -> Iterator[dict[str, str]]:
    """Each that is to find our pods."""
    spec = manifest["spec"]
    match manifest["kind"]:
        case "Service":
            yield spec["selector"]
        case "Deployment":
            yield spec["selector"]["matchLabels"]
            for constraint in spec["template"]["spec"]["topologySpreadConstraints"]:
                yield constraint["labelSelector"]["matchLabels"]
        case "PodDisruptionBudget" | "PodMonitor":
            yield spec["selector"]["matchLabels"]
        case "NetworkPolicy":
            yield spec["podSelector"]["matchLabels"]


@each_rendering
def test_selectors_find_the_pods(name: str):
    """The guide's label, app=ml-inference; one that finds nothing would be no error anywhere."""
    labels = the_only(name, "Deployment")["spec"]["template"]["metadata"]["labels"]
    found = [each for manifest in ALL[name] if "spec" in manifest for each in selectors(manifest)]
    assert len(found) >= 6
    assert all(selector.items() <= labels.items() for selector in found)
    assert all(selector == {"app": "ml-inference"} for selector in found)


@each_rendering
def test_ports_are_called_by_names_that_there_are(name: str):
    """Of the Service and of each NetworkPolicy."""
    names = {port["name"] for port in container(name)["ports"]}
    used = {port["targetPort"] for port in the_only(name, "Service")["spec"]["ports"]}
    for policy in kinds(name, "NetworkPolicy"):
        used |= {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert used == names
    assert [port["port"] for port in the_only(name, "Service")["spec"]["ports"]] == [5001]


@each_rendering
def test_everything_is_in_one_namespace(name: str):
    """But for the namespace itself."""
    inside = [manifest for manifest in ALL[name] if manifest["kind"] != "Namespace"]
    assert {manifest["metadata"].get("namespace") for manifest in inside} == {
        the_only(name, "Namespace")["metadata"]["name"]
    }
    named = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in ALL[name]]
    assert len(named) == len(set(named))


@each_rendering
def test_exactly_one_thing_scales_the_deployment(name: str):
    """An HPA or KEDA, never both, and no number of replicas that an apply would set back."""
    assert scaler(name)["kind"] == ("ScaledObject" if name == "keda" else "HorizontalPodAutoscaler")
    assert scaler(name)["spec"]["scaleTargetRef"]["name"] == the_only(name, "Deployment")["metadata"]["name"]
    assert "replicas" not in the_only(name, "Deployment")["spec"]


def test_the_hpa_is_the_guides():
    """2 to 10; CPU 70 %, memory 80 %; up at once by 100 % or 4 a minute; down after 5 minutes, gently."""
    spec = the_only("prod", "HorizontalPodAutoscaler")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 10)
    targets = {each["resource"]["name"]: each["resource"]["target"]["averageUtilization"] for each in spec["metrics"]}
    assert targets == {"cpu": 70, "memory": 80}
    up, down = spec["behavior"]["scaleUp"], spec["behavior"]["scaleDown"]
    assert (up["stabilizationWindowSeconds"], up["selectPolicy"]) == (0, "Max")
    pace = {(policy["type"], policy["value"], policy["periodSeconds"]) for policy in up["policies"]}
    assert pace == {("Percent", 100, 60), ("Pods", 4, 60)}
    assert down["stabilizationWindowSeconds"] == 300
    assert all(policy["value"] < 100 for policy in down["policies"])


@each_rendering
def test_what_utilisation_is_a_share_of_is_there(name: str):
    """Without a request for it an HPA knows no utilisation; and the scaler is one that the simulation can read."""
    (found,) = read([RENDERED / f"{name}.yaml"])
    assert found.setup().autoscaler.utilisations.keys() <= container(name)["resources"]["requests"].keys()


def test_keda_scales_within_the_hpas_bounds_at_its_pace():
    """The component changes what is measured, and nothing else."""
    hpa, keda = scaler("prod")["spec"], scaler("keda")["spec"]
    assert (keda["minReplicaCount"], keda["maxReplicaCount"]) == (hpa["minReplicas"], hpa["maxReplicas"])
    assert keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == hpa["behavior"]
    assert hpa["minReplicas"] <= keda["fallback"]["replicas"] <= hpa["maxReplicas"]
    (trigger,) = keda["triggers"]
    assert trigger["metricType"] == "AverageValue"  # fallback knows no other
    assert trigger["authenticationRef"]["name"] == the_only("keda", "TriggerAuthentication")["metadata"]["name"]


def test_keda_asks_for_a_metric_that_there_is():
    """By the names of our /metrics, in our namespace, often enough scraped for its range."""
    (trigger,) = scaler("keda")["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    found = re.fullmatch(r'sum\(rate\((\w+)\{namespace="([\w-]+)",stage="(\w+)"\}\[(\d+)m\]\)\)', query)
    assert found
    metric, namespace, stage, minutes = found.groups()
    assert namespace == scaler("keda")["metadata"]["namespace"]
    assert (metric, stage) == ("scoring_duration_seconds_sum", STAGES[0])
    (endpoint,) = the_only("keda", "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
    assert 2 * int(endpoint["interval"].removesuffix("s")) <= 60 * int(minutes)


@each_rendering
def test_a_node_can_always_be_drained_and_one_replica_stays(name: str):
    """The budget lets one pod go, with as few replicas as the scaler may leave; two stay up to serve in turn."""
    spec = the_only(name, "PodDisruptionBudget")["spec"]
    least = scaler(name)["spec"].get("minReplicas", scaler(name)["spec"].get("minReplicaCount"))
    assert spec["maxUnavailable"] == 1
    assert "minAvailable" not in spec
    assert least - spec["maxUnavailable"] >= (0 if name == "dev" else 1)
    update = the_only(name, "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert (update["maxSurge"], update["maxUnavailable"]) == (1, 0)


@each_rendering
def test_pods_are_spread_over_zones_and_nodes(name: str):
    """As well as can be: where a zone is down, they start in the others."""
    constraints = pod(name)["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in constraints] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert {each["whenUnsatisfiable"] for each in constraints} == {"ScheduleAnyway"}


@each_rendering
def test_the_service_is_never_public(name: str):
    """The server asks nobody who he is."""
    service = the_only(name, "Service")
    if service["spec"]["type"] == "LoadBalancer":
        annotations = service["metadata"]["annotations"]
        assert annotations["service.beta.kubernetes.io/azure-load-balancer-internal"] == "true"
        assert service["spec"]["externalTrafficPolicy"] == "Local"
    else:
        assert service["spec"]["type"] == "ClusterIP"
    assert not kinds(name, "Ingress")


@each_rendering
def test_the_network_lets_through_what_is_named_only(name: str):
    """Both ways; Redis and Entra ID on their ports, never the node's metadata, and nothing from anywhere."""
    policies = kinds(name, "NetworkPolicy")
    assert all(set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"} for policy in policies)
    sources = [peer for policy in policies for rule in policy["spec"]["ingress"] for peer in rule["from"]]
    assert {} not in sources
    assert "0.0.0.0/0" not in [peer["ipBlock"]["cidr"] for peer in sources if "ipBlock" in peer]
    rules = [rule for policy in policies for rule in policy["spec"]["egress"]]
    assert all(rule["to"] and rule["ports"] for rule in rules)
    wide = [rule for rule in rules if any("ipBlock" in peer for peer in rule["to"])]
    for rule in wide:
        assert all("169.254.169.254/32" in peer["ipBlock"]["except"] for peer in rule["to"])
    ports = {port["port"] for rule in wide for port in rule["ports"]}
    redis = variables(name).get("REDIS_PORT")
    assert ports == (set() if redis is None else {443, 6380, 10000})
    assert redis is None or int(redis) in ports


def test_the_image_with_a_model_is_built_from_ours():
    """kubernetes/Dockerfile adds the artifact where the image looks for it, and nothing else."""
    text = (KUBERNETES / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines == ["ARG IMAGE", "FROM ${IMAGE}", "COPY . /model"]
    assert "AZUREML_MODEL_DIR=/model" in (REPOSITORY / "environment" / "Dockerfile").read_text()
    hadolint = Path(sys.executable).with_name("hadolint")
    assert subprocess.run([hadolint, KUBERNETES / "Dockerfile"], check=False).returncode == 0
