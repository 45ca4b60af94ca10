"""mlops drift reads rows with the types of the contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import support
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models import golden_check
from azureml_scoring.models.baseline import Baseline
from azureml_scoring.models.files.manifest import Manifest
from mlops import drift_data
from mlops import sample as samples
from package_command import package, run


def test_drift_reads_a_csv_as_the_contract_says(tmp_path: Path):
    """Texts of digits have not moved, nor has NA."""
    estimator, frame = support.codes()
    frame = pd.concat([frame] * 40)
    assert package(tmp_path, estimator, frame).exit_code == 0
    result = run("drift", tmp_path / "out", tmp_path / "train.csv")
    assert result.output.count("    0.000        1  stable") == 6, result.output


def year(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.apply(lambda column: column.dt.year)


def test_dates_have_not_moved(tmp_path: Path):
    """Dates of a CSV, of Parquet and of collected data are counted alike, and named as dates."""
    frame = pd.DataFrame(
        {"day": pd.to_datetime(["2020-01-05", "2021-06-01", None] * 240), "n": [*range(240)] * 3}
    )
    dropped = make_column_transformer((FunctionTransformer(year), ["day"]), ("passthrough", ["n"]))
    estimator = make_pipeline(dropped, HistGradientBoostingRegressor(max_iter=2)).fit(
        frame, frame["n"]
    )
    result = package(tmp_path, estimator, frame, "--dtype", "day=datetime")
    assert "  numbers: n\n  dates or times: day\n" in result.output
    frame.to_parquet(tmp_path / "rows.parquet")
    packaged = Manifest.read(tmp_path / "out")
    X = golden_check.batch_of(samples.rows_of(frame), packaged.contract).X
    collected = [dict(zip(frame.columns, row, strict=True)) for row in X.tolist()]
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join(map(orjson.dumps, collected)))
    for name in ("train.csv", "rows.parquet", "rows.jsonl"):
        told = run("drift", tmp_path / "out", tmp_path / name)
        assert told.output.count("    0.000        1  stable") == 2, told.output
    assert [
        baseline.count(column).tolist()
        for baseline, column in zip(packaged.baselines, X.T, strict=True)
    ] == [list(baseline.counts) for baseline in packaged.baselines]


def test_new_categories_are_drift(tmp_path: Path):
    """They are not a mistake in the file."""
    estimator, frame = support.categories()
    frame = pd.concat([frame] * 40)
    assert package(tmp_path, estimator, frame).exit_code == 0
    assert (
        "    0.000        1  stable"
        in run("drift", tmp_path / "out", tmp_path / "train.csv").output
    )
    frame.assign(colour="pink").to_csv(tmp_path / "new.csv", index=False)
    first = run("drift", tmp_path / "out", tmp_path / "new.csv").output.splitlines()[1]
    assert first.startswith("colour ")
    assert "drifted: new was 0.0% of the rows and is 100.0%" in first


@pytest.mark.parametrize("packaged", ["rows.parquet", "rows.csv", "rows.json"])
def test_the_same_rows_have_not_moved_in_any_form(tmp_path: Path, packaged: str):
    """Whichever form the model was packaged with: short floats, whole numbers with gaps, flags,
    texts of digits, dates."""
    rng = np.random.default_rng(0)
    whole = pd.Series(rng.integers(0, 40, 1000), dtype="Int64")
    frame = pd.DataFrame(
        {
            "short": rng.normal(size=1000).astype("float32"),
            "rounded": rng.choice([0.1, 0.2, 0.3], 1000).astype("float32"),
            "whole": whole.mask(rng.random(1000) < 0.1),
            "flag": rng.random(1000) < 0.3,
            "code": rng.choice(["007", "008", "1e3"], 1000),
            "day": pd.to_datetime(rng.choice(["2020-01-05", "2021-06-01"], 1000)),
        }
    )
    frame.to_parquet(tmp_path / "rows.parquet")
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_json(tmp_path / "rows.json", orient="records", date_format="iso", double_precision=15)
    text = (tmp_path / "rows.json").read_text().replace("T00:00:00.000", "T00:00:00")
    (tmp_path / "rows.json").write_text(text)
    features = tuple(
        Feature(name, dtype, missing=name == "whole")
        for name, dtype in zip(
            frame.columns, ("float32", "float32", "int64", "bool", "str", "datetime"), strict=True
        )
    )
    columns = drift_data.feature_columns(tmp_path / packaged, features, list(frame.columns))
    baselines = tuple(
        Baseline.of(feature.name or "", column, numeric=feature.numeric)
        for feature, column in zip(features, columns, strict=True)
    )
    contract = Contract(features, ("predict",))
    Manifest("m", "1", "m.joblib", {}, {}, contract, [], {}, baselines=baselines).write(tmp_path)
    for form in ("rows.parquet", "rows.csv", "rows.json"):
        result = run("drift", tmp_path, tmp_path / form)
        assert result.output.count("    0.000        1  stable") == 6, result.output
        again = drift_data.feature_columns(tmp_path / form, features, list(frame.columns))
        for baseline, column in zip(baselines, again, strict=True):
            assert baseline.count(column).tolist() == list(baseline.counts)
