"""mlops simulate: what it prints, writes and refuses."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result

from azureml_scoring.errors import StartupError
from mlops.cli import main
from mlops.exit_status import ExitStatus
from mlops.hpa import loads
from places import REPOSITORY

KUBERNETES = REPOSITORY / "kubernetes"
BASE = KUBERNETES / "base"


def run(*arguments: object, text: str | None = None) -> Result:
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)], input=text)


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
    assert done.exit_code == ExitStatus.UNUSABLE
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
    assert done.exit_code == ExitStatus.UNUSABLE
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
    assert (done.exit_code, "choose another --out" in done.output) == (ExitStatus.UNUSABLE, True)


def test_manifests_that_are_no_text_are_told(tmp_path: Path):
    """This includes a picture."""
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff")
    done = run(tmp_path / "picture.yaml")
    assert (done.exit_code, "can't be read as text" in done.output) == (ExitStatus.UNUSABLE, True)


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
    assert (done.exit_code, "Only Resource metrics" in done.output) == (ExitStatus.UNUSABLE, True)


def test_half_a_manifest_is_told(tmp_path: Path):
    """Whatever is missing, with or without changes."""
    deployment = yaml.safe_load((BASE / "deployment.yaml").read_text())
    del deployment["spec"]["template"]["spec"]["containers"][0]["resources"]
    hpa = yaml.safe_load((BASE / "ml-inference-hpa.yaml").read_text())
    (tmp_path / "all.yaml").write_text(
        yaml.safe_dump_all([hpa, {"kind": "Deployment", "metadata": None}, deployment])
    )
    done = run(tmp_path / "all.yaml", "--compare", "requests.cpu=1")
    assert (done.exit_code, "has no resources.requests.cpu" in done.output) == (
        ExitStatus.UNUSABLE,
        True,
    ), done.output
    (tmp_path / "all.yaml").write_text("kind: HorizontalPodAutoscaler\nspec:\n")
    done = run(tmp_path / "all.yaml")
    assert (done.exit_code, "names nothing to scale" in done.output) == (
        ExitStatus.UNUSABLE,
        True,
    ), done.output


@pytest.mark.parametrize("threshold", ["0", "-1", "nan", "many"])
def test_a_threshold_of_keda_is_above_0(tmp_path: Path, threshold: str):
    """Nothing scales to a target of none."""
    keda = (KUBERNETES / "components" / "keda" / "scaled-object.yaml").read_text()
    (tmp_path / "keda.yaml").write_text(
        keda.replace('threshold: "0.5"', f'threshold: "{threshold}"')
    )
    done = run(tmp_path / "keda.yaml", BASE / "deployment.yaml")
    assert (done.exit_code, "threshold, above 0" in done.output) == (ExitStatus.UNUSABLE, True), (
        done.output
    )


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
