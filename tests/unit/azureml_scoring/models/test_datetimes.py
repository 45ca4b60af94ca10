"""Datetimes come as ISO 8601 text, and the model gets them as in its fit."""

from pathlib import Path

import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import support
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models import golden_check
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlflow_folder import mlflow
from mlops import sample_file
from mlops.package import package


def from_(path: Path) -> Model:
    return load(Settings(scoring_model_path=path))


def dates() -> tuple[object, pd.DataFrame]:
    frame = pd.DataFrame(
        {"day": pd.to_datetime(["2020-01-05", "2021-06-01", "2022-12-31"] * 5), "n": range(15)}
    )
    years = FunctionTransformer(year)
    columns = make_column_transformer((years, ["day"]), remainder="passthrough")
    return make_pipeline(columns, LinearRegression()).fit(frame, frame["day"].dt.year), frame


def year(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.apply(lambda column: column.dt.year)


def test_a_datetime_of_a_signature_is_taken_as_iso_text(tmp_path: Path):
    """The model gets it in the type of its fit."""
    estimator, _ = dates()
    support.dump(estimator, tmp_path)
    folder = mlflow(
        tmp_path, [{"type": "datetime", "name": "day"}, {"type": "double", "name": "n"}]
    )
    loaded = from_(folder)
    rows = [["2020-03-04", 1.0], ["2021-03-04T23:59:59.999999999", 2.0], ["2022-03-04 10:00", 3.0]]
    assert loaded.predict(golden_check.batch_of(rows, loaded.contract)) == pytest.approx(
        [2020, 2021, 2022]
    )


def test_a_datetime_of_a_sample_is_packaged(tmp_path: Path):
    """A Parquet sample may hold datetimes."""
    estimator, frame = dates()
    loaded = from_(support.packaged(estimator, frame, tmp_path))
    assert [feature.dtype for feature in loaded.contract.features] == ["datetime", "float64"]
    assert loaded.predict(
        golden_check.batch_of([["1999-12-31", 1.0]], loaded.contract)
    ) == pytest.approx([1999])


def test_a_datetime_of_a_csv_is_packaged(tmp_path: Path):
    """--dtype or a signature says so, since a CSV has no types."""
    estimator, frame = dates()
    frame.to_csv(tmp_path / "sample.csv", index=False)
    file = support.dump(estimator, tmp_path / "raw")
    for name, path, told in (
        ("told", file, {"day": Feature("day", "datetime")}),
        ("signed", file.parent, None),
    ):
        if not told:
            mlflow(path, [{"type": "datetime", "name": "day"}, {"type": "long", "name": "n"}])
        package(path, sample_file.load(tmp_path / "sample.csv"), tmp_path / name, user_types=told)
        loaded = from_(tmp_path / name)
        assert [feature.dtype for feature in loaded.contract.features] == ["datetime", "float64"]
        assert loaded.predict(
            golden_check.batch_of([["1999-12-31", 1.0]], loaded.contract)
        ) == pytest.approx([1999])
