from pathlib import Path

import orjson
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import support
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.baseline import Baseline
from azureml_scoring.models.files.manifest import Manifest
from mlops import drift_picture
from mlops.cli import main
from mlops.drift import FeatureDrift
from mlops.exit_status import ExitStatus


def sample() -> pd.DataFrame:
    """Return enough rows to be judged."""
    X, _ = support.diabetes()
    return pd.concat([X] * 3, ignore_index=True)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drift")
    sample().to_csv(folder / "train.csv", index=False)
    file = support.dump(support.demo_estimator(), folder, "churn.joblib")
    made = run("package", file, "--sample", folder / "train.csv", "--out", folder / "out")
    assert made.exit_code == 0, made.output
    return folder / "out"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_training_data_has_not_moved(artifact: Path):
    """Each feature is stable, in whichever form the data comes."""
    result = run("drift", artifact, artifact.parent / "train.csv")
    assert result.exit_code == 0
    assert result.output.count("    0.000        1  stable") == 10


def test_what_has_moved_stands_first(artifact: Path, tmp_path: Path):
    """It says by what. Azure ML's form works too, with a picture, and an exit status for
    pipelines."""
    rows = sample()
    moved = rows.assign(bmi=rows["bmi"] + 10).to_dict("records")
    lines = [
        orjson.dumps({"specversion": "1.0", "data": moved[start : start + 20]})
        for start in range(0, len(moved), 20)
    ]
    (tmp_path / "inputs.jsonl").write_bytes(b"\n".join(lines))
    plot = tmp_path / "drift.svg"
    result = run("drift", artifact, tmp_path / "inputs.jsonl", "--plot", plot, "--limit", 0.25)
    first = result.output.splitlines()[1]
    assert first.startswith("bmi ")
    assert "drifted: " in first
    assert "of the rows and is" in first
    assert result.output.count("stable") == 9
    assert "bmi has drifted by more than 0.25" in result.output
    assert result.exit_code == ExitStatus.NO
    assert plot.read_text().startswith("<?xml")


def test_too_few_rows_are_not_judged(artifact: Path, tmp_path: Path):
    """A pipeline that asks for a verdict fails, whatever the rows say."""
    rows = sample().head(400)
    rows.assign(bmi=rows["bmi"] + 10).to_csv(tmp_path / "few.csv", index=False)
    result = run("drift", artifact, tmp_path / "few.csv")
    assert result.exit_code == 0
    assert "drifted" not in result.output
    assert result.output.count("too few rows") == 10
    assert "400 rows are too few to judge by; give 500 or more" in result.output
    assert run("drift", artifact, tmp_path / "few.csv", "--limit", 0.25).exit_code == (
        ExitStatus.UNDECIDED
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.jsonl", '{"a": 1}\n\n[1', "is not JSON lines: line 3 is not JSON"),
        ("d.jsonl", "[1]", "is not JSON lines"),
        ("d.jsonl", "", "has no rows"),
        ("d.jsonl", '{"a": 1}\n[]\n', "is not JSON lines: line 2 is not an object"),
        ("d.csv", "age\n1\n", "d.csv lacks the columns sex, bmi"),
        ("d.txt", "age\n1\n", "is not a sample that can be read"),
    ],
)
def test_mistakes_are_one_sentence(
    artifact: Path, tmp_path: Path, name: str, content: str, message: str
):
    """The sentence says what to give instead."""
    (tmp_path / name).write_text(content)
    result = run("drift", artifact, tmp_path / name)
    assert result.exit_code == ExitStatus.UNUSABLE
    assert message in result.output
    assert "Traceback" not in result.output


def test_numbers_that_may_be_missing_are_numbers(artifact: Path, tmp_path: Path):
    """This holds for pandas' Int64 and boolean too, which say so themselves."""
    X = sample()
    X["sex"] = X["sex"].astype("Int64").mask(X.index == 0)
    X.to_parquet(tmp_path / "d.parquet")
    result = run("drift", artifact, tmp_path / "d.parquet")
    assert (result.exit_code, result.output.count("stable")) == (0, 10), result.output


def test_a_folder_that_is_no_artifact_is_told(artifact: Path, tmp_path: Path):
    """A manifest that is not there is not damaged."""
    for place in (tmp_path, artifact.parent / "churn.joblib"):
        result = run("drift", place, artifact.parent / "train.csv")
        assert result.exit_code == ExitStatus.UNUSABLE
        assert f"There is no {place / 'manifest.json'}; name a folder" in result.output


OTHERS = {
    "text": "old",
    "a text that is a number": "12",
    "a date": pd.Timestamp("2025-01-01"),
    "a list": [[1.0]],
}
"""What no feature of the demo model is."""


@pytest.mark.parametrize("value", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("place", [0, 1])
def test_a_column_of_another_type_is_named(
    artifact: Path, tmp_path: Path, value: object, place: int
):
    """In any file it is an error, not drift."""
    X, _ = support.diabetes()
    X.to_csv(tmp_path / "good.csv", index=False)
    X.assign(age=value if not isinstance(value, list) else value * len(X)).to_parquet(
        tmp_path / "d.parquet"
    )
    files = [tmp_path / "good.csv", tmp_path / "d.parquet"]
    result = run("drift", artifact, *(files if place else files[::-1]))
    assert result.exit_code == ExitStatus.UNUSABLE, result.output
    assert (
        result.output
        == f"Error: Row 1 of {tmp_path / 'd.parquet'}: age must be a number; correct the file.\n"
    )


def test_a_cell_of_a_csv_that_is_no_number_is_named(artifact: Path, tmp_path: Path):
    """The error names its line."""
    X, _ = support.diabetes()
    X.assign(age="old").to_csv(tmp_path / "d.csv", index=False)
    assert "Line 2 of" in run("drift", artifact, tmp_path / "d.csv").output


@pytest.mark.parametrize("name", ["d.csv", "d.parquet", "d.json", "d.jsonl"])
def test_columns_that_any_of_the_files_lacks_are_named(artifact: Path, tmp_path: Path, name: str):
    """They are not missing values, which would be drift; the error names the file."""
    X, _ = support.diabetes()
    lacking = X[["age", "bmi"]]
    (tmp_path / "d.jsonl").write_bytes(b"\n".join(map(orjson.dumps, lacking.to_dict("records"))))
    lacking.to_csv(tmp_path / "d.csv", index=False)
    lacking.to_parquet(tmp_path / "d.parquet")
    lacking.to_json(tmp_path / "d.json", orient="records")
    for files in (
        [artifact.parent / "train.csv", tmp_path / name],
        [tmp_path / name, artifact.parent / "train.csv"],
    ):
        result = run("drift", artifact, *files)
        assert result.exit_code == ExitStatus.UNUSABLE
        assert (
            f"{tmp_path / name} lacks the columns sex, bp, s1, s2, s3, s4, s5, s6" in result.output
        )


def test_a_row_of_collected_data_that_lacks_a_column_is_named(artifact: Path, tmp_path: Path):
    """It is named even if the rows before have the column."""
    X, _ = support.diabetes()
    rows = X.to_dict("records")
    del rows[300]["bmi"]
    (tmp_path / "d.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    result = run("drift", artifact, tmp_path / "d.jsonl")
    assert f"Row 301 of {tmp_path / 'd.jsonl'} lacks the columns bmi" in result.output


def test_each_type_of_a_column_is_told_from_the_others(tmp_path: Path):
    """Texts, booleans and dates that are none; but a column that takes anything does."""
    features = (
        Feature("t", "str"),
        Feature("b", "bool"),
        Feature("d", "datetime"),
        Feature("a", "any"),
    )
    given = {"t": "x", "b": True, "d": "2025-01-01", "a": 1}
    baselines = tuple(
        Baseline.of(feature.name, [given[feature.name]] * 600, numeric=False)
        for feature in features
    )
    Manifest(
        "m", "1", "m.joblib", {}, {}, Contract(features, ("predict",)), [], {}, baselines=baselines
    ).write(tmp_path)
    (tmp_path / "good.json").write_bytes(orjson.dumps([given] * 500))
    for name, wrong, wanted in (
        ("t", 5, "text"),
        ("b", 1, "true or false"),
        ("d", "soon", "a date or time"),
        ("a", [], ""),
    ):
        (tmp_path / "other.json").write_bytes(orjson.dumps([given, given | {name: wrong}]))
        result = run("drift", tmp_path, tmp_path / "good.json", tmp_path / "other.json")
        said = f"Row 2 of {tmp_path / 'other.json'}: {name} must be {wanted}"
        assert (said in result.output) == (name != "a"), result.output


def test_the_files_are_counted_together(artifact: Path, tmp_path: Path):
    """A missing value in one does not change the whole numbers of another."""
    baseline = (Baseline.of("grade", [1, 2, 3] * 300, numeric=False),)
    contract = Contract((Feature("grade", "any", missing=True),), ("predict",))
    Manifest("m", "1", "m.joblib", {}, {}, contract, [], {}, baselines=baseline).write(tmp_path)
    pd.DataFrame({"grade": [1, 2, 3] * 300}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"grade": [1.0, float("nan")]}).to_parquet(tmp_path / "b.parquet")
    result = run("drift", tmp_path, tmp_path / "a.parquet", tmp_path / "b.parquet")
    assert "of 902 rows" in result.output
    assert "stable" in result.output


def test_values_are_those_of_the_data_also_where_some_are_missing(tmp_path: Path):
    """A column of whole numbers, as categories or as pandas' own, does not turn into others by a
    null."""
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
        assert result.output.count("    0.000        1  stable") == 2, result.output


def test_a_picture_takes_any_name_and_value(tmp_path: Path):
    """Amounts of dollars are not formulas."""
    baseline = Baseline.of("income, $_$", ["$_$ < 5"] * 500, numeric=False)
    drift_picture.write(
        tmp_path / "drift.svg", [FeatureDrift(baseline, baseline.count(["$10^ - $20"] * 500), 1)]
    )
    assert "$_$ &lt; 5" in (tmp_path / "drift.svg").read_text()


@pytest.mark.parametrize(("rows", "shows"), [(150, False), (400, True)])
def test_a_sample_that_is_small_is_told(tmp_path: Path, rows: int, shows: bool):
    """Packaging says how many rows it takes: few show large drift only, fewer none."""
    sample().head(rows).to_csv(tmp_path / "train.csv", index=False)
    file = support.dump(support.demo_estimator(), tmp_path, "churn.joblib")
    made = run("package", file, "--sample", tmp_path / "train.csv", "--out", tmp_path / "out")
    sample().to_csv(tmp_path / "now.csv", index=False)
    output = run("drift", tmp_path / "out", tmp_path / "now.csv").output
    if shows:
        assert "with 400 rows only large drift can be told from chance; give 1,000" in made.output
        assert "packaged with 400 rows, which show large drift only" in output
    else:
        assert "150 rows are too few to measure drift against; give 1,000 or more" in made.output
        assert "says nothing of the data it was trained on" in output
        assert "with a sample of at least 200 rows" in output
