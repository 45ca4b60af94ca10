"""mlops simulate: manifests and a load -> replicas, shed requests, latency."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from azureml_scoring.errors import StartupError
from mlops.cli import main
from mlops.hpa import loads, manifest, results
from mlops.hpa.pod import PodModel
from mlops.hpa.quantity import parse
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
        "queue_timeout": 0.5,
    }
    return PodModel(**(usual | changes))


def simulated(load: np.ndarray, changes: str = "", **model: Any) -> Timeline:
    (found,) = manifest.read([BASE])
    return simulate((found.but(changes) if changes else found).setup(), pod_model(**model), load)


def run(*arguments: object, text: str | None = None) -> Result:
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)], input=text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        ("1.5", "1.5"),
        ("1Gi", 2**30),
        ("128Mi", 2**27),
        ("1M", 10**6),
        ("1e3", 1000),
    ],
)
def test_quantities(text: str, value: object):
    """They are read as Kubernetes reads them."""
    assert float(parse(text)) == float(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["1GB", "", "1 Gi", "Gi", "0x1", "1gi"])
def test_what_is_no_quantity_is_told(text: str):
    """1GB above all, which a schema lets pass."""
    with pytest.raises(StartupError, match="is not a valid quantity"):
        parse(text)


def test_a_pod_with_one_slot_and_no_queue_sheds_by_erlangs_formula():
    """At an offered load of 1 it sheds half of the requests."""
    model = pod_model(cores=1.0, held=1)
    (likely,) = model.held_by(np.array([model.capacity]))
    assert likely == pytest.approx([0.5, 0.5])


def test_waits_in_a_long_queue_are_those_of_the_textbook():
    """M/M/1 at half load: half of the requests wait, and the mean wait is the service time."""
    model = pod_model(cores=1.0, held=60, queue_timeout=9.0)
    likely = model.held_by(np.array([model.capacity / 2]))
    (later,) = model.later(likely)
    assert later[0] == pytest.approx(0.5, abs=1e-6)
    assert np.trapezoid(later, model.latencies) == pytest.approx(model.service, rel=0.02)


@given(st.floats(0, 2000), st.floats(0.1, 8), st.floats(0.001, 0.5), st.integers(1, 200))
def test_a_pod_never_does_more_than_it_can(rate: float, cores: float, service: float, held: int):
    """What it does not shed, it has the cores for; shares are shares."""
    model = pod_model(cores=cores, service=service, held=held)
    likely = model.held_by(np.array([rate]))
    assert rate * (1 - likely[0, -1]) <= model.capacity * (1 + 1e-6)
    assert 0 <= model.used(np.array([rate]), likely)[0] <= cores
    assert 0 <= model.waiting_mean(likely)[0] <= model.held_mean(likely)[0] <= model.places + 1e-9
    (later,) = model.later(likely)
    assert np.all(np.diff(later) <= 1e-9)
    assert -1e-9 <= later[-1] <= later[0] <= 1 + 1e-9


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
    assert four["shed %"] < two["shed %"] / 10
    assert four["pod hours"] > two["pod hours"]


def test_memory_that_no_load_explains_holds_all_replicas():
    """950 MiB of 1 GiB is above 80 % and its tolerance, however many share the load."""
    seen = simulated(loads.named("step", base=1, peak=1), memory=950.0 * 2**20)
    assert (seen.replicas == 10).all()


@settings(deadline=None, max_examples=15)
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


def test_keda_scales_by_requests_in_flight():
    """Its ScaledObject is simulated as the HPA that KEDA makes of it; the Deployment is found in
    what else is given."""
    hpa, keda = manifest.read([BASE, KUBERNETES / "components" / "keda"])
    assert keda.setup().autoscaler.in_flight == 1
    assert keda.setup().autoscaler.behaviour == hpa.setup().autoscaler.behaviour
    seen = simulate(keda.setup(), pod_model(), np.full(600, 150.0))
    assert seen.replicas[-1] == 4  # 150/s of 20 ms are three, and some wait


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


def test_it_prints_a_table_and_writes_picture_and_tables(tmp_path: Path):
    """One row for each setting, all seconds in a CSV file."""
    done = run(
        BASE, "--minutes", 10, "--compare", "maxReplicas=20", "--out", tmp_path, "--picture", "png"
    )
    assert done.exit_code == 0, done.output
    assert "maxReplicas=20" in done.output
    assert (tmp_path / "simulation.png").read_bytes().startswith(b"\x89PNG")
    summary = pd.read_csv(tmp_path / "summary.csv")
    assert list(summary["setting"]) == [str(BASE), "maxReplicas=20"]
    assert len(pd.read_csv(tmp_path / "seconds.csv")) == 2 * 600


def test_the_picture_is_svg_and_the_same_each_time(tmp_path: Path):
    """A picture in the docs changes only if the behaviour does."""
    pictures = [tmp_path / name / "simulation.svg" for name in ("one", "two")]
    for picture in pictures:
        assert run(BASE, "--minutes", 6, "--out", picture.parent).exit_code == 0
    assert pictures[0].read_text() == pictures[1].read_text()


def test_a_trace_and_what_kustomize_renders_are_read(tmp_path: Path):
    """A load of one's own; manifests from standard input."""
    (tmp_path / "load.csv").write_text("seconds,requests_per_second\n0,10\n60,70\n120,70\n")
    rendered = "---\n".join(
        (BASE / name).read_text() for name in ("deployment.yaml", "ml-inference-hpa.yaml")
    )
    done = run("-", "--load", tmp_path / "load.csv", "--out", tmp_path / "out", text=rendered)
    assert done.exit_code == 0, done.output
    rates = pd.read_csv(tmp_path / "out" / "seconds.csv")["requests_per_second"]
    assert list(rates[[0, 30, 60, 120]]) == [10, 40, 70, 70]


def test_a_limit_that_is_not_there_can_be_tried(tmp_path: Path):
    """--compare adds it."""
    text = (BASE / "deployment.yaml").read_text().replace("limits:", "others:")
    (tmp_path / "all.yaml").write_text(f"{text}---\n{(BASE / 'ml-inference-hpa.yaml').read_text()}")
    (found,) = manifest.read([tmp_path])
    assert found.but("limits.cpu=2").setup().cores == 2


MISTAKES = {
    "load": (
        ["--load", "burst"],
        "There is no load burst; name step, spike, ramp, daily or a CSV file.",
    ),
    "key": (["--compare", "maxReplica=20"], "maxReplica is not in the manifest"),
    "yaml": (["--compare", "maxReplicas=["], "maxReplicas=[ is not a valid KEY=VALUE"),
    "form": (["--compare", "maxReplicas"], "is not a valid KEY=VALUE"),
    "peak": (["--peak", "5"], "--peak, 5, is below --base, 20"),
    "count": (
        ["--compare", "maxReplicas=many"],
        "The most replicas is many; write a whole number from 1.",
    ),
    "bounds": (
        ["--compare", "minReplicas=11"],
        "The least replicas, 11, are more than the most, 10",
    ),
    "period": (
        ["--compare", "behavior.scaleUp.policies.0.periodSeconds=3600"],
        "write a whole number from 1 to 1800",
    ),
    "window": (
        ["--compare", "behavior.scaleDown.stabilizationWindowSeconds=7200"],
        "write 0 to 3600",
    ),
    "select": (
        ["--compare", "behavior.scaleUp.selectPolicy=max"],
        "selectPolicy is max; write Max, Min, Disabled.",
    ),
    "nothing": (["--compare", "requests.cpu=0"], "resources.requests.cpu is 0; write more than 0."),
    "boolean": (
        ["--compare", "maxReplicas=true"],
        "The most replicas is True; write a whole number from 1.",
    ),
    "quantity": (["--compare", "requests.cpu=1GB"], "1GB is not a valid quantity"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_sentence(name: str, tmp_path: Path):
    """It says what to do, and there is never a traceback."""
    arguments, message = MISTAKES[name]
    done = run(BASE, *arguments, "--out", tmp_path)
    assert done.exit_code == 1
    assert message in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("manifests", "message"),
    [
        ("components/redis-key", "There is no HorizontalPodAutoscaler"),
        ("overlays/dev", "give what `kubectl kustomize` renders"),
        ("components/keda", "its Deployment ml-inference is not in these manifests"),
        ("Dockerfile", "There is no HorizontalPodAutoscaler"),
        ("../docs/benchmarks.svg", "There is no HorizontalPodAutoscaler"),
    ],
)
def test_what_is_no_autoscaler_is_told(manifests: str, message: str):
    """A patch, too: it is half of one."""
    done = run(KUBERNETES / manifests)
    assert done.exit_code == 1
    assert message in done.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,rate\n1,2\n", "lacks the column requests_per_second"),
        ("seconds,requests_per_second\n0,1\n0,2\n", "seconds that rise"),
        ("seconds,requests_per_second\n0,1\n1,many\n", "rows of numbers"),
        ("seconds,requests_per_second\n0,1\n1,-2\n", "from 0"),
        ("seconds,requests_per_second\n0,1\n9e9,1\n", "more than 31 days"),
        ("", "is not a readable CSV file"),
    ],
)
def test_a_trace_that_is_none_is_told(text: str, message: str, tmp_path: Path):
    """The error names the file and what it needs."""
    file = tmp_path / "load.csv"
    file.write_text(text)
    with pytest.raises(StartupError, match=message):
        loads.trace(file)


def test_a_place_that_can_not_be_written_is_told(tmp_path: Path):
    """The table is printed nevertheless."""
    (tmp_path / "file").write_text("")
    done = run(BASE, "--minutes", 1, "--out", tmp_path / "file" / "out")
    assert (done.exit_code, "choose another --out" in done.output) == (1, True)


def test_manifests_that_are_no_text_are_told(tmp_path: Path):
    """This includes a picture."""
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff")
    done = run(tmp_path / "picture.yaml")
    assert (done.exit_code, "can't be read as text" in done.output) == (1, True)


@pytest.mark.parametrize(
    "metric",
    [
        {"type": "Pods", "pods": {}},
        {
            "type": "Resource",
            "resource": {
                "name": "gpu",
                "target": {"type": "Utilization", "averageUtilization": 50},
            },
        },
    ],
)
def test_metrics_that_are_not_simulated_are_told(tmp_path: Path, metric: dict[str, Any]):
    """They are not left out in silence."""
    hpa = yaml.safe_load((BASE / "ml-inference-hpa.yaml").read_text())
    hpa["spec"]["metrics"].append(metric)
    (tmp_path / "hpa.yaml").write_text(yaml.safe_dump(hpa))
    done = run(tmp_path / "hpa.yaml", BASE / "deployment.yaml")
    assert (done.exit_code, "Only Resource metrics" in done.output) == (1, True)


def test_half_a_manifest_is_told(tmp_path: Path):
    """Whatever is missing, with or without changes."""
    deployment = yaml.safe_load((BASE / "deployment.yaml").read_text())
    del deployment["spec"]["template"]["spec"]["containers"][0]["resources"]
    hpa = yaml.safe_load((BASE / "ml-inference-hpa.yaml").read_text())
    (tmp_path / "all.yaml").write_text(
        yaml.safe_dump_all([hpa, {"kind": "Deployment", "metadata": None}, deployment])
    )
    done = run(tmp_path / "all.yaml", "--compare", "requests.cpu=1")
    assert (done.exit_code, "has no resources.requests.cpu" in done.output) == (1, True), (
        done.output
    )
    (tmp_path / "all.yaml").write_text("kind: HorizontalPodAutoscaler\nspec:\n")
    done = run(tmp_path / "all.yaml")
    assert (done.exit_code, "names nothing to scale" in done.output) == (1, True), done.output


@pytest.mark.parametrize("threshold", ["0", "-1", "nan", "many"])
def test_a_threshold_of_keda_is_above_0(tmp_path: Path, threshold: str):
    """Nothing scales to a target of none."""
    keda = (KUBERNETES / "components" / "keda" / "scaled-object.yaml").read_text()
    (tmp_path / "keda.yaml").write_text(keda.replace('threshold: "1"', f'threshold: "{threshold}"'))
    done = run(tmp_path / "keda.yaml", BASE / "deployment.yaml")
    assert (done.exit_code, "threshold, above 0" in done.output) == (1, True), done.output


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--base", "nan"),
        ("--peak", "inf"),
        ("--service-ms", "inf"),
        ("--p95-ms", "nan"),
        ("--minutes", "999999999"),
    ],
)
def test_numbers_that_no_load_has_are_wrong_use(option: str, value: str):
    """Nothing is computed."""
    done = run(BASE, option, value)
    assert (done.exit_code, option in done.output) == (2, True), done.output
