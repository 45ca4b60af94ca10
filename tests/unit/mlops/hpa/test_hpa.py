"""mlops/hpa/replicas.py and behaviour.py against the answers of Kubernetes' own code, and what must
always hold."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.hpa.behaviour import (
    DOWN,
    UP,
    Behaviour,
    History,
    Policy,
    ScalingRules,
    changed,
    normalise,
)
from mlops.hpa.controller import SYNC_S, Autoscaler, look
from mlops.hpa.replicas import NoMetrics, Pod, PodPhase, Tolerance, by_average_value, by_utilisation
from mlops.hpa.scaler import autoscaler
from places import DATA

GOLDEN = json.loads((DATA / "hpa_golden.json").read_text())
GUIDE = Behaviour(
    ScalingRules((Policy("Percent", 100, 60), Policy("Pods", 4, 60)), window=0),
    ScalingRules((Policy("Percent", 50, 60), Policy("Pods", 1, 60)), window=300),
)


def pod(usage: int | None, *, age: float = 3600, **others: Any) -> Pod:
    return Pod(
        age=age,
        transition_age=others.pop("transition_age", age),
        usage=usage,
        request=500,
        **others,
    )


def golden_pod(data: dict[str, Any]) -> Pod:
    return Pod(
        phase=PodPhase(data["phase"]),
        ready=data["ready"],
        age=data["age_s"],
        transition_age=data["trans_s"],
        metric_age=data["metric_age_s"],
        usage=data["usage_m"] if data["has_metric"] else None,
        request=data["request_m"],
    )


def test_proposals_are_those_of_kubernetes():
    """200 cases of its replica calculator, with pods that start, fail, stop and lack metrics."""
    assert len(GOLDEN["calc"]) == 200
    for case in GOLDEN["calc"]:
        tolerance = Tolerance(case["tolerance_down"], case["tolerance_up"])
        pods = [golden_pod(data) for data in case["pods"]]

        def ask(case=case, pods=pods, tolerance=tolerance):
            return by_utilisation(
                pods, case["current"], case["target_utilization"], of_cpu=True, tolerance=tolerance
            )

        if "error" in case:
            with pytest.raises(NoMetrics):
                ask()
        else:
            assert (ask().replicas, ask().utilisation) == (case["desired"], case["utilization"]), (
                case
            )


@pytest.mark.parametrize("case", GOLDEN["normalize"], ids=lambda case: case["name"])
def test_replicas_over_time_are_those_of_kubernetes(case: dict[str, Any]):
    """160 looks each: windows, policies, selectPolicy, minimum and maximum."""
    spec = {"minReplicas": case["min"], "maxReplicas": case["max"], "behavior": case["behavior"]}
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
    }
    scaler = autoscaler({"kind": "HorizontalPodAutoscaler", "spec": spec | {"metrics": [metric]}})
    current, history = case["start"], History()
    for number, step in enumerate(case["steps"]):
        now = number * case["sync_s"]
        wanted, history = normalise(
            step["raw"],
            current,
            history,
            now,
            low=scaler.low,
            high=scaler.high,
            behaviour=scaler.behaviour,
        )
        history = changed(history, now, wanted - current, scaler.behaviour)
        current = wanted
        assert current == step["replicas"], number


def test_a_pod_that_starts_is_no_reason_to_scale_further():
    """Its use of the processor is left out, and on the way up it counts as one that will help."""
    busy, starting = pod(700), pod(2000, age=20, ready=False, transition_age=20)
    assert by_utilisation([busy], 1, 70, of_cpu=True).replicas == 2
    assert by_utilisation([busy, starting], 2, 70, of_cpu=True).replicas == 2


def test_a_pod_without_metrics_never_takes_replicas_away():
    """For scaling down it counts as fully used."""
    idle, unknown = pod(0), pod(None)
    assert by_utilisation([idle, idle], 2, 70, of_cpu=True).replicas == 0
    assert by_utilisation([idle, unknown], 2, 70, of_cpu=True).replicas == 2


def test_within_the_tolerance_nothing_changes():
    """A tenth either way, borders included."""
    assert by_utilisation([pod(385)] * 2, 2, 70, of_cpu=True).replicas == 2
    assert by_utilisation([pod(390)] * 2, 2, 70, of_cpu=True).replicas == 3
    assert by_average_value(2.2, 2, 1) == 2
    assert by_average_value(2.3, 2, 1) == 3


def looked(autoscaler: Autoscaler, current: int, cpu: list[Pod], memory: list[Pod]) -> int:
    return look(autoscaler, current, {"cpu": cpu, "memory": memory}, 0, History(), 0)[0]


def test_the_metric_that_asks_for_most_counts():
    """Memory may hold replicas that the processor would give up."""
    scaler = Autoscaler(
        low=1,
        high=10,
        utilisations={"cpu": 70, "memory": 80},
        behaviour=Behaviour(UP, ScalingRules(DOWN.policies, 0)),
    )
    assert looked(scaler, 2, [pod(350)] * 2, [pod(500)] * 2) == 3
    assert looked(scaler, 2, [pod(10)] * 2, [pod(10)] * 2) == 1


def test_a_silent_metric_forbids_scaling_down_and_only_that():
    """Who knows what it would have asked for."""
    scaler = Autoscaler(
        low=1,
        high=10,
        utilisations={"cpu": 70, "memory": 80},
        behaviour=Behaviour(UP, ScalingRules(DOWN.policies, 0)),
    )
    assert looked(scaler, 2, [pod(10)] * 2, [pod(None)] * 2) == 2
    assert looked(scaler, 2, [pod(1000)] * 2, [pod(None)] * 2) == 6
    assert looked(scaler, 2, [pod(None)] * 2, [pod(None)] * 2) == 2


def test_replicas_outside_the_bounds_come_back_at_once():
    """Neither metrics nor rates delay it after somebody scaled by hand."""
    scaler = Autoscaler(low=2, high=10, utilisations={"cpu": 70}, behaviour=GUIDE)
    assert looked(scaler, 30, [], []) == 10
    assert looked(scaler, 1, [], []) == 2


def run(
    raws: list[int], current: int, low: int, high: int, behaviour: Behaviour | None
) -> list[int]:
    """The replicas after each look, the first ones first."""
    history, replicas = History(), [current]
    for number, raw in enumerate(raws):
        now = number * SYNC_S
        wanted, history = normalise(
            raw, replicas[-1], history, now, low=low, high=high, behaviour=behaviour
        )
        history = changed(history, now, wanted - replicas[-1], behaviour)
        replicas.append(wanted)
    return replicas


def test_without_behaviour_it_doubles_at_most():
    """It may also add four, and looks back five minutes before it scales down."""
    assert run([40] * 4, 1, 1, 40, None) == [1, 4, 8, 16, 32]
    assert run([1] * 22, 9, 1, 40, None) == [9] * 21 + [1, 1]


def test_the_guides_pace():
    """Up at once, by 100 % or four pods a minute; down after five minutes, by half a minute."""
    assert run([10] * 9, 2, 2, 10, GUIDE) == [2, 6, 6, 6, 6, 10, 10, 10, 10, 10]
    down = run([2] * 30, 10, 2, 10, GUIDE)
    assert down[:21] == [10] * 21
    assert down[21:] == [5] * 4 + [2] * 6


policies = st.builds(
    Policy, st.sampled_from(["Percent", "Pods"]), st.integers(1, 200), st.integers(1, 180)
)
rules = st.builds(
    ScalingRules,
    st.lists(policies, min_size=1, max_size=3).map(tuple),
    st.integers(0, 400),
    st.sampled_from(["Max", "Min", "Disabled"]),
)
behaviours = st.none() | st.builds(Behaviour, rules, rules)
bounds = st.tuples(st.integers(1, 20), st.integers(0, 40)).map(lambda pair: (pair[0], sum(pair)))
asked = st.lists(st.integers(0, 80), min_size=1, max_size=60)


@given(asked, bounds, behaviours, st.data())
def test_replicas_never_leave_their_bounds(
    raws: list[int], between: tuple[int, int], behaviour: Behaviour | None, data: st.DataObject
):
    """The bounds hold whatever the metrics say."""
    low, high = between
    replicas = run(raws, data.draw(st.integers(low, high)), low, high, behaviour)
    assert all(low <= count <= high for count in replicas)


@given(asked, bounds, behaviours, st.data())
def test_no_look_goes_where_nobody_asked(
    raws: list[int], between: tuple[int, int], behaviour: Behaviour | None, data: st.DataObject
):
    """Up only if this look's metrics ask for more, down only if they ask for less."""
    low, high = between
    replicas = run(raws, data.draw(st.integers(low, high)), low, high, behaviour)
    for raw, before, after in zip(raws, replicas, replicas[1:], strict=False):
        assert after <= max(before, raw)
        assert after >= min(before, raw)


@given(asked, bounds, behaviours, st.data())
def test_down_stops_at_the_most_asked_for_within_the_window(
    raws: list[int], between: tuple[int, int], behaviour: Behaviour | None, data: st.DataObject
):
    """What scale down stabilisation is for; and up at the least asked for within its own."""
    low, high = between
    replicas = run(raws, data.draw(st.integers(low, high)), low, high, behaviour)
    up, down = (behaviour.up.window, behaviour.down.window) if behaviour else (0, DOWN.window)
    for number, (before, after) in enumerate(itertools.pairwise(replicas)):
        recent = [
            [raw for back, raw in enumerate(raws[number::-1]) if not back or back * SYNC_S < w]
            for w in (up, down)
        ]
        if after < before:
            assert after >= min(max(recent[1]), high)
        if after > before:
            assert after <= max(min(recent[0]), low)


@given(asked, bounds, behaviours, st.data())
def test_disabled_directions_stay(
    raws: list[int], between: tuple[int, int], behaviour: Behaviour | None, data: st.DataObject
):
    """selectPolicy: Disabled forbids a direction altogether."""
    low, high = between
    replicas = run(raws, data.draw(st.integers(low, high)), low, high, behaviour)
    steps = [after - before for before, after in itertools.pairwise(replicas)]
    if behaviour and behaviour.up.select == "Disabled":
        assert max(steps) <= 0
    if behaviour and behaviour.down.select == "Disabled":
        assert min(steps) >= 0


@given(
    st.lists(st.integers(0, 80), min_size=1, max_size=60), st.integers(1, 10), st.integers(15, 120)
)
def test_no_period_adds_more_pods_than_its_policy(raws: list[int], value: int, period: int):
    """This holds for any times of the looks."""
    behaviour = Behaviour(ScalingRules((Policy("Pods", value, period),), window=0), DOWN)
    replicas = run(raws, 1, 1, 100, behaviour)
    looks = -(-period // SYNC_S)
    for start in range(len(replicas) - 1):
        window = replicas[start : start + looks + 1]
        assert sum(
            max(0, after - before) for before, after in itertools.pairwise(window)
        ) <= value + sum(max(0, before - after) for before, after in itertools.pairwise(window))


@given(
    st.lists(
        st.builds(
            pod, st.integers(0, 2000) | st.none(), age=st.integers(0, 900), ready=st.booleans()
        ),
        max_size=12,
    ),
    st.integers(10, 150),
)
def test_a_proposal_never_contradicts_the_utilisation(pods: list[Pod], target: int):
    """More is proposed only above the target, and less only below."""
    try:
        proposal = by_utilisation(pods, len(pods), target, of_cpu=False)
    except NoMetrics:
        return
    if proposal.replicas > len(pods):
        assert proposal.utilisation > target
    if proposal.replicas < len(pods):
        assert proposal.utilisation < target
