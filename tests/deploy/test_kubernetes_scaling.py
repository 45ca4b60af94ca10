"""What scales the pods of ``kubernetes/``, and how many there should be."""

import re

from deploy.manifests import RENDERED, container, each_rendering, pod, scaler, the_only
from mlops.hpa.manifest import read


@each_rendering
def test_exactly_one_thing_scales_the_deployment(name: str):
    """Either an HPA or KEDA scales, and no manifest sets a number of replicas that an apply would
    restore."""
    assert scaler(name)["kind"] == ("ScaledObject" if name == "keda" else "HorizontalPodAutoscaler")
    assert (
        scaler(name)["spec"]["scaleTargetRef"]["name"]
        == the_only(name, "Deployment")["metadata"]["name"]
    )
    assert "replicas" not in the_only(name, "Deployment")["spec"]


def test_the_hpa_is_the_guides():
    """2 to 10; CPU 70 %, memory 80 %; up at once by 100 % or 4 a minute; down after 5 minutes,
    gently."""
    spec = the_only("prod", "HorizontalPodAutoscaler")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 10)
    targets = {
        each["resource"]["name"]: each["resource"]["target"]["averageUtilization"]
        for each in spec["metrics"]
    }
    assert targets == {"cpu": 70, "memory": 80}
    up, down = spec["behavior"]["scaleUp"], spec["behavior"]["scaleDown"]
    assert (up["stabilizationWindowSeconds"], up["selectPolicy"]) == (0, "Max")
    pace = {(policy["type"], policy["value"], policy["periodSeconds"]) for policy in up["policies"]}
    assert pace == {("Percent", 100, 60), ("Pods", 4, 60)}
    assert down["stabilizationWindowSeconds"] == 300
    assert all(policy["value"] < 100 for policy in down["policies"])


@each_rendering
def test_what_utilisation_is_a_share_of_is_there(name: str):
    """An HPA can't compute utilisation without a request; the simulation can read the scaler."""
    (found,) = read([RENDERED / f"{name}.yaml"])
    assert (
        found.setup().autoscaler.utilisations.keys()
        <= container(name)["resources"]["requests"].keys()
    )


def test_keda_scales_within_the_hpas_bounds_at_its_pace():
    """The component changes what is measured, and nothing else."""
    hpa, keda = scaler("prod")["spec"], scaler("keda")["spec"]
    assert (keda["minReplicaCount"], keda["maxReplicaCount"]) == (
        hpa["minReplicas"],
        hpa["maxReplicas"],
    )
    assert keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == hpa["behavior"]
    assert hpa["minReplicas"] <= keda["fallback"]["replicas"] <= hpa["maxReplicas"]
    (trigger,) = keda["triggers"]
    assert trigger["metricType"] == "AverageValue"  # fallback knows no other
    assert (
        trigger["authenticationRef"]["name"]
        == the_only("keda", "TriggerAuthentication")["metadata"]["name"]
    )


def test_keda_takes_over_the_hpa_that_is_there():
    """An apply removes nothing from the cluster, so the HPA of an earlier apply would scale beside
    KEDA's; by this name and annotation KEDA makes it its own."""
    keda = scaler("keda")
    name = scaler("prod")["metadata"]["name"]
    assert keda["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["name"] == name
    annotation = "scaledobject.keda.sh/transfer-hpa-ownership"
    assert keda["metadata"]["annotations"] == {annotation: "true"}


def test_keda_asks_for_a_metric_that_there_is():
    """The query names our /metrics in our namespace, and its range holds enough scrapes;
    tests/operations/test_prometheus.py runs it."""
    (trigger,) = scaler("keda")["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    found = re.fullmatch(
        r'sum\(rate\((\w+)\{namespace="([\w-]+)"\}\[(\d+)m\]\)\)'
        r' / avg\((\w+)\{namespace="([\w-]+)"\}\)',
        query,
    )
    assert found
    work, namespace, minutes, slots, same = found.groups()
    assert namespace == same == scaler("keda")["metadata"]["namespace"]
    assert (work, slots) == ("scoring_offered_work_seconds_total", "scoring_slots")
    (endpoint,) = the_only("keda", "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
    assert 2 * int(endpoint["interval"].removesuffix("s")) <= 60 * int(minutes)


@each_rendering
def test_a_node_can_always_be_drained_and_one_replica_stays(name: str):
    """The budget lets one pod go even at the fewest replicas; two remain and serve in turn."""
    spec = the_only(name, "PodDisruptionBudget")["spec"]
    least = scaler(name)["spec"].get("minReplicas", scaler(name)["spec"].get("minReplicaCount"))
    assert spec["maxUnavailable"] == 1
    assert "minAvailable" not in spec
    assert least - spec["maxUnavailable"] >= (0 if name == "dev" else 1)
    update = the_only(name, "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert (update["maxSurge"], update["maxUnavailable"]) == (1, 0)


@each_rendering
def test_pods_are_spread_over_zones_and_nodes(name: str):
    """Pods are spread if possible: if a zone is down, they start in the others."""
    constraints = pod(name)["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in constraints] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert {each["whenUnsatisfiable"] for each in constraints} == {"ScheduleAnyway"}
