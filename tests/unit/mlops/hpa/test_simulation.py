"""mlops simulate: manifests and a load -> replicas, shed requests, latency."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import at_most
from mlops.hpa import loads, manifest, results
from mlops.hpa.pod import PodModel
from mlops.hpa.simulation import Timeline, simulate
from mlops.slo import Slo
from places import REPOSITORY

KUBERNETES = REPOSITORY / "kubernetes"
BASE = KUBERNETES / "base"


def pod_model(**changes: Any) -> PodModel:
    usual = {
        "cores": 2.0,
        "service": 0.02,
        "start": 40.0,
        "memory": 300 * 2**20,
        "held": 48,
        "objective": 0.2,
    }
    return PodModel(**(usual | changes))


def simulated(load: np.ndarray, changes: str = "", **model: Any) -> Timeline:
    (found,) = manifest.read([BASE])
    return simulate((found.but(changes) if changes else found).setup(), pod_model(**model), load)


def test_the_guides_hpa_on_a_spike():
    """2 replicas, 6 at the first look after it, 10 within two minutes; held for five minutes, then
    given back."""
    seen = simulated(loads.named("spike", base=20, peak=400))
    assert (seen.replicas[:300] == 2).all()
    assert seen.replicas[316] == 6
    assert seen.replicas[420] == 10
    assert (seen.replicas[420:900] == 10).all()
    assert seen.replicas[-1] == 2
    assert seen.shed[310] > 0.4  # before there are more: what two pods can't compute
    assert seen.shed[:300].max() < 1e-9
    assert seen.shed[430:].max() < 0.001


def test_a_starting_pod_takes_no_requests():
    """Ready comes ``start`` seconds after asked for."""
    seen = simulated(loads.named("step", base=20, peak=400), start=60.0)
    first = int(np.argmax(seen.replicas > 2))
    assert int(np.argmax(seen.ready > 2)) == first + 60


def test_more_replicas_before_the_spike_shed_less():
    """No autoscaler makes up for the time that a pod takes to start."""
    load = loads.named("spike", base=20, peak=400)
    two, four = (results.row(simulated(load, changes), Slo()) for changes in ("", "minReplicas=4"))
    assert four["shed %"] < two["shed %"] / 4
    assert four["pod hours"] > two["pod hours"]


def test_memory_that_no_load_explains_holds_all_replicas():
    """950 MiB of 1 GiB is above 80 % and its tolerance, however many share the load."""
    seen = simulated(loads.named("step", base=1, peak=1), memory=950.0 * 2**20)
    assert (seen.replicas == 10).all()


@settings(deadline=None, max_examples=at_most(15))
@given(
    st.lists(st.floats(0, 500), min_size=60, max_size=300).map(np.array),
    st.integers(1, 5),
    st.integers(0, 8),
    st.floats(0, 120),
)
def test_whatever_arrives_replicas_stay_within_bounds(
    load: np.ndarray, low: int, more: int, start: float
):
    """Never fewer than minReplicas, never more than maxReplicas; ready ones are among them."""
    seen = simulated(load, f"minReplicas={low},maxReplicas={low + more}", start=start)
    assert ((low <= seen.replicas) & (seen.replicas <= low + more)).all()
    assert (seen.ready <= seen.replicas).all()
    assert ((seen.shed >= 0) & (seen.shed <= 1)).all()


def test_percentiles_and_slo_count_what_was_answered():
    """All at once is no wait; what is shed breaks the SLO by its errors."""
    calm = simulated(np.full(120, 1.0))
    assert results.quantile(calm, 0.95) == pytest.approx(20, abs=1)
    assert results.within(calm, Slo()).all()
    assert not results.within(calm, Slo(p95_ms=10)).any()
    crowded = simulated(np.full(120, 5000.0))
    assert not results.within(crowded, Slo(p95_ms=1e6, p99_ms=1e6)).any()


def test_shapes_go_from_base_to_peak():
    """Each for the minutes it is given."""
    for name in loads.SHAPES:
        load = loads.named(name, base=10, peak=90, minutes=20)
        assert len(load) == 1200
        assert load.min() == pytest.approx(10)
        assert load.max() == pytest.approx(90, rel=0.01)


def test_keda_scales_by_the_load_that_is_offered():
    """Its ScaledObject is simulated as the HPA that KEDA makes of it; the Deployment is found in
    what else is given."""
    hpa, keda = manifest.read([BASE, KUBERNETES / "components" / "keda"])
    assert keda.setup().autoscaler.offered_load == 0.5
    assert keda.setup().autoscaler.behaviour == hpa.setup().autoscaler.behaviour
    seen = simulate(keda.setup(), pod_model(), np.full(600, 150.0))
    assert seen.replicas[-1] == 3  # 150/s of 20 ms keep three slots busy, half of six


def test_changes_are_made_to_a_copy():
    """The autoscaler and the Deployment that were read stay as they are."""
    (found,) = manifest.read([BASE / "ml-inference-hpa.yaml"])
    changed = found.but(
        "maxReplicas=20,cpu=50,requests.cpu=1,behavior.scaleDown.stabilizationWindowSeconds=60"
    ).setup()
    assert (
        changed.autoscaler.high,
        changed.autoscaler.utilisations["cpu"],
        float(changed.cpu),
    ) == (20, 50, 1.0)
    assert changed.autoscaler.behaviour is not None
    assert changed.autoscaler.behaviour.down.window == 60
    assert found.setup().autoscaler.high == 10


def test_a_limit_that_is_not_there_can_be_tried(tmp_path: Path):
    """--compare adds it."""
    text = (BASE / "deployment.yaml").read_text().replace("limits:", "others:")
    (tmp_path / "all.yaml").write_text(f"{text}---\n{(BASE / 'ml-inference-hpa.yaml').read_text()}")
    (found,) = manifest.read([tmp_path])
    assert found.but("limits.cpu=2").setup().cores == 2
