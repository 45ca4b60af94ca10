"""The sample that a model is packaged with."""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.files.manifest import Manifest
from mlops.package import package
from mlops.sample_file import load as read_sample


def test_infinity_is_left_out_of_the_golden_rows(tmp_path: Path):
    """No request can hold it."""
    X = pd.DataFrame({"a": [1.0, np.inf, 3.0, 4.0] * 10})
    estimator = HistGradientBoostingRegressor(max_iter=3).fit(X, range(40))
    kept = Manifest.read(support.packaged(estimator, X, tmp_path, golden_rows="sample")).golden_rows
    assert len(kept) == 10
    with pytest.raises(StartupError, match="Each row of the sample holds infinity"):
        support.packaged(estimator, X.iloc[1:2], tmp_path / "other")


def test_columns_beyond_the_models_are_left_out(tmp_path: Path):
    """A sample with the target and an id still in it works for a model that knows its columns."""
    X, y = support.diabetes()
    said: list[str] = []
    file = support.dump(support.demo_estimator(), tmp_path)
    made = package(file, X.assign(target=y), tmp_path / "out", say=said.append)
    assert made.contract.names == tuple(support.NAMES)
    assert any("left out: target" in line for line in said)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (pd.DataFrame({"age": [1.0]}), "lacks columns that the model was fitted on: sex, bmi"),
        (pd.DataFrame({name: ["x"] for name in support.NAMES}), "column age must be a number"),
        (
            pd.DataFrame({name: [pd.Timedelta(0)] for name in support.NAMES}),
            "Column age of the sample holds timedelta64",
        ),
    ],
)
def test_a_sample_that_does_not_fit_says_why(sample: pd.DataFrame, message: str, tmp_path: Path):
    """One sentence with the names of the columns; and nothing is written."""
    file = support.dump(support.demo_estimator(), tmp_path)
    with pytest.raises(StartupError, match=message):
        package(file, sample, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_without_names_needs_the_right_number_of_columns(tmp_path: Path):
    """The message says how to drop the target."""
    estimator, frame = support.plain_regression()
    with pytest.raises(StartupError, match=r"has 3 columns .* the model takes 2; .*--drop"):
        package(support.dump(estimator, tmp_path), frame.assign(target=1.0), tmp_path / "out")


def test_one_row_is_sample_enough(tmp_path: Path):
    """Golden rows lie around it."""
    estimator = LinearRegression().fit([[1.0, 2.0], [2.0, 1.0]], [0.0, 1.0])
    rows = Manifest.read(
        support.packaged(estimator, pd.DataFrame([[1.0, 2.0]]), tmp_path)
    ).golden_rows
    assert rows
    assert [1.0, 2.0] not in rows


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_dates_that_the_model_was_fitted_on_are_dates_in_each_sample(form: str, tmp_path: Path):
    """An encoder that ignores what it does not know would answer texts, and wrongly."""
    days = pd.DataFrame(
        {"day": pd.date_range("2024-01-01", periods=7).repeat(40), "size": np.arange(280) % 3}
    )
    weekend = days["day"].dt.day_of_week >= 5
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["day"]), ("passthrough", ["size"])
    )
    joblib.dump(
        make_pipeline(columns, LogisticRegression()).fit(days, weekend), tmp_path / "model.joblib"
    )
    sample = tmp_path / f"sample.{form}"
    texts = days.assign(day=days["day"].dt.strftime("%Y-%m-%d"))
    {"csv": lambda: texts.to_csv(sample, index=False), "parquet": lambda: days.to_parquet(sample),
     "json": lambda: texts.to_json(sample, orient="records")}[form]()  # fmt: skip
    told = package(tmp_path / "model.joblib", read_sample(sample), tmp_path / "out")
    assert told.contract.features[0].dtype == "datetime"
    assert len(set(told.golden_answers["predict"])) == 2
