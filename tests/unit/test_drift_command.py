from pathlib import Path

import orjson
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import support
from contract import Contract, Feature
from manifest import Manifest
from mlops import drift_picture
from mlops.cli import main
from mlops.drift import Drift
from stability import Baseline


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drift")
    X, _ = support.diabetes()
    X.to_csv(folder / "train.csv", index=False)
    file = support.dump(support.demo_estimator(), folder, "churn.joblib")
    made = run("package", file, "--sample", folder / "train.csv", "--out", folder / "out")
    assert made.exit_code == 0, made.output
    return folder / "out"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_training_data_has_not_moved(artifact: Path):
    """Each feature is told, whatever form the data has."""
    result = run("drift", artifact, artifact.parent / "train.csv")
    assert result.exit_code == 0
    assert result.output.count("stable") == 10
    assert "  0.000  stable" in result.output


def test_what_has_moved_stands_first(artifact: Path, tmp_path: Path):
    """In the form of Azure ML's data collector too; with a picture, and an exit status for pipelines."""
    X, _ = support.diabetes()
    moved = X.assign(bmi=X["bmi"] + 10).to_dict("records")
    lines = [orjson.dumps({"specversion": "1.0", "data": moved[start : start + 20]}) for start in range(0, 440, 20)]
    (tmp_path / "inputs.jsonl").write_bytes(b"\n".join(lines))
    plot = tmp_path / "drift.svg"
    result = run("drift", artifact, tmp_path / "inputs.jsonl", "--plot", plot, "--limit", 0.25)
    assert result.output.splitlines()[1].split()[::2] == ["bmi", "drifted"]
    assert "bmi is above 0.25" in result.output
    assert "chance alone" in result.output
    assert result.exit_code == 1
    assert plot.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.jsonl", "[1", "is not JSON lines"),
        ("d.jsonl", "[1]", "is not JSON lines"),
        ("d.jsonl", "", "has no rows"),
        ("d.csv", "age\n1\n", "lacks the columns sex, bmi"),
        ("d.txt", "age\n1\n", "is not a sample that can be read"),
    ],
)
def test_mistakes_are_one_sentence(artifact: Path, tmp_path: Path, name: str, content: str, message: str):
    """With what to give instead."""
    (tmp_path / name).write_text(content)
    result = run("drift", artifact, tmp_path / name)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


def test_numbers_that_may_be_missing_are_numbers(artifact: Path, tmp_path: Path):
    """Also where the file says so itself, as pandas' Int64 and boolean do."""
    X, _ = support.diabetes()
    X["sex"] = X["sex"].astype("Int64").mask(X.index == 0)
    X.to_parquet(tmp_path / "d.parquet")
    result = run("drift", artifact, tmp_path / "d.parquet")
    assert (result.exit_code, result.output.count("stable")) == (0, 10), result.output


def test_a_folder_that_is_no_artifact_is_told(artifact: Path, tmp_path: Path):
    """A manifest that is not there is not damaged."""
    for place in (tmp_path, artifact.parent / "churn.joblib"):
        result = run("drift", place, artifact.parent / "train.csv")
        assert result.exit_code == 1
        assert f"There is no {place / 'manifest.json'}; name a folder" in result.output


def test_a_column_without_numbers_is_named(artifact: Path, tmp_path: Path):
    """Not told as drift."""
    X, _ = support.diabetes()
    X.assign(age="old").to_csv(tmp_path / "d.csv", index=False)
    X.assign(age="old").to_parquet(tmp_path / "d.parquet")
    assert "Line 2 of" in run("drift", artifact, tmp_path / "d.csv").output
    assert "The column age holds what is no number" in run("drift", artifact, tmp_path / "d.parquet").output


def test_values_are_those_of_the_data_also_where_some_are_missing(tmp_path: Path):
    """A column of whole numbers, as categories or as pandas' own, does not turn into others by a null."""
    baselines = (
        Baseline.of("grade", [1, 2, None] * 300, numeric=False),
        Baseline.of("age", [1, 2, None] * 300, numeric=True),
    )
    contract = Contract((Feature("grade", "any"), Feature("age")), ("predict",))
    Manifest("m", "1", "m.joblib", {}, {}, contract, [], {}, baselines=baselines).write(tmp_path)
    rows = [{"grade": value, "age": value} for value in [1, 2, None] * 300]
    (tmp_path / "collected.jsonl").write_bytes(orjson.dumps({"data": rows}))
    pd.DataFrame(rows, dtype="Int64").to_parquet(tmp_path / "sample.parquet")
    for name in ("collected.jsonl", "sample.parquet"):
        result = run("drift", tmp_path, tmp_path / name)
        assert result.output.count("  0.000  stable") == 2, result.output


def test_a_picture_takes_any_name_and_value(tmp_path: Path):
    """Amounts of dollars are not formulas."""
    baseline = Baseline.of("income, $_$", ["$_$ < 5"] * 500, numeric=False)
    drift_picture.write(tmp_path / "drift.svg", [Drift(baseline, baseline.count(["$10^ - $20"] * 500))])
    assert "$_$ &lt; 5" in (tmp_path / "drift.svg").read_text()


def test_a_sample_that_is_too_small_gives_no_baseline(tmp_path: Path):
    """Chance would look like drift; packaging says how many rows it takes."""
    X, _ = support.diabetes()
    X.head(150).to_csv(tmp_path / "train.csv", index=False)
    file = support.dump(support.demo_estimator(), tmp_path, "churn.joblib")
    made = run("package", file, "--sample", tmp_path / "train.csv", "--out", tmp_path / "out")
    assert "150 rows are too few to measure drift against; give 200 or more" in made.output
    said = run("drift", tmp_path / "out", tmp_path / "train.csv").output
    assert "tells nothing of the data it was trained on" in said
    assert "with a sample of at least 200 rows" in said
