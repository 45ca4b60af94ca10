"""A sample gives the same contract as CSV, Parquet, JSON and JSON lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boosted
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

import support
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.golden_check import batch_of
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings
from mlops import sample_file
from mlops.package import package

FORMATS = ("csv", "parquet", "json", "jsonl")
FRAME = pd.DataFrame(
    {
        "text": ["red", "blue", "green", "blue"] * 10,
        "code": ["01", "2", "3", "2"] * 10,
        "digits": ["1", "2", "3", "2"] * 10,
        "branch": [3, 5, 9, 3] * 10,
        "flag": [True, False, True, False] * 10,
        "visits": [1, 2, 3, 4] * 10,
        "income": [1.5, 2.25, 3.0, 4.0] * 10,
    }
)
GAPS = {"text": 5, "visits": 3, "flag": 7, "income": 2}
"""Column -> each how many rows it has a gap."""

CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "objects": {"text": object, "code": object, "digits": object},
    "nullable texts": {"text": "string", "code": "string", "digits": "string"},
    "categories": dict.fromkeys(["text", "code", "digits", "branch", "flag"], "category"),
    "nullable numbers": {"visits": "Int64", "flag": "boolean", "income": "Float64"},
    "small numbers": {"visits": "int8", "branch": "int16"},
}

CASES = [
    (change, gaps)
    for change in CHANGES
    for gaps in (False, True)
    # numpy's whole numbers have no gaps, and scikit-learn refuses pandas' NA among texts at the fit
    if not (gaps and change in ("small numbers", "nullable texts"))
]


def written(frame: pd.DataFrame, file: Path) -> Path:
    match file.suffix:
        case ".csv":
            frame.to_csv(file, index=False)
        case ".parquet":
            frame.to_parquet(file)
        case suffix:
            frame.to_json(file, orient="records", lines=suffix == ".jsonl")
    return file


def contracts(model: Any, frame: pd.DataFrame, folder: Path) -> dict[str, Contract]:
    file, result = support.dump(model, folder), {}
    for suffix in FORMATS:
        sample = sample_file.load(written(frame, folder / f"sample.{suffix}"))
        package(file, sample, folder / suffix)
        result[suffix] = Manifest.read(folder / suffix).contract
    return result


def estimator(frame: pd.DataFrame, encoder: Any) -> Any:
    columns = make_column_transformer(
        (encoder, ["text", "code", "digits", "branch", "flag"]),
        (SimpleImputer(), ["visits", "income"]),
    )
    return make_pipeline(columns, LinearRegression()).fit(frame, np.arange(len(frame)))


def encoders() -> Iterator[Any]:
    """Cases, each with an encoder that answers for unknown values, and one that refuses them."""
    for change, gaps in CASES:
        case = f"{change}{', gaps' * gaps}"
        yield pytest.param(
            change, gaps, OneHotEncoder(handle_unknown="ignore"), id=f"{case}-answering"
        )
        deep = () if (change, gaps) == ("categories", True) else pytest.mark.deep
        yield pytest.param(change, gaps, OneHotEncoder(), id=f"{case}-refusing", marks=deep)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.slow
@pytest.mark.parametrize(("change", "gaps", "encoder"), [*encoders()])
def test_encoders_know_what_a_format_does_not_hold(
    change: str,
    gaps: bool,
    encoder: Any,
    tmp_path: Path,
):
    """Texts of digits, codes with leading zeros, pandas' categories, booleans, nullable ints.
    `make deep` tries an encoder that refuses unknown values with all of them."""
    frame = FRAME.copy()
    if gaps:
        for name, each in GAPS.items():
            frame[name] = frame[name].astype(object).where(frame.index % each > 0)
        frame = frame.infer_objects()
    frame = frame.astype(CHANGES[change])
    by_format = contracts(estimator(frame, encoder), frame, tmp_path)
    parquet = by_format["parquet"]
    for contract in by_format.values():
        assert contract == parquet
    assert [feature.dtype for feature in parquet.features] == [
        "str", "str", "str", "float64", "bool", "float64", "float64",
    ]  # fmt: skip


@pytest.mark.usefixtures("uncompiled")
def test_catboosts_categories_are_their_values_in_each_format(tmp_path: Path):
    """It takes texts and whole numbers, whatever the column's dtype."""
    frame = FRAME[["text", "branch", "income"]].astype({"text": "category", "branch": "category"})
    model = boosted.catboost(cat_features=["text", "branch"]).fit(frame, FRAME["visits"])
    for contract in contracts(model, frame, tmp_path).values():
        assert [feature.dtype for feature in contract.features] == ["str", "int64", "float64"]
        assert not any(feature.categories for feature in contract.features)


def test_numbers_that_a_file_made_of_texts_are_texts_again(tmp_path: Path):
    """JSON written from a CSV that pandas read has 3 where the fit had "3"."""
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LinearRegression())
    model.fit(FRAME[["digits"]], FRAME["visits"])
    frame = FRAME[["digits"]].astype(int)
    frame.to_json(tmp_path / "s.json", orient="records")
    package(support.dump(model, tmp_path), sample_file.load(tmp_path / "s.json"), tmp_path / "out")
    loaded = load(Settings(scoring_model_path=tmp_path / "out"))
    expected = model.predict(FRAME[["digits"]].head(3))
    answers = loaded.predict(batch_of([["1"], ["2"], ["3"]], loaded.contract))
    np.testing.assert_allclose(answers, expected, rtol=1e-5)


class Own(ClassifierMixin, BaseEstimator):
    """Says nothing of its columns."""

    def fit(self, X: pd.DataFrame, y: object = None) -> "Own":
        return self

    def predict(self, X: pd.DataFrame) -> list[str]:
        return [type(value).__name__ for value in X["a"].tolist()]


def test_a_type_that_nothing_tells_can_be_given_for_each_format(tmp_path: Path):
    """--text and --dtype, as for a CSV."""
    from package_command import run

    file = support.dump(Own(), tmp_path)
    for suffix in FORMATS:
        sample = written(pd.DataFrame({"a": [1, 2, 3, 4] * 3}), tmp_path / f"sample.{suffix}")
        out = tmp_path / suffix
        result = run("package", file, "--sample", sample, "--out", out, "--text", "a")
        assert result.exit_code == 0, result.output
        assert Manifest.read(out).contract.features[0].dtype == "str"


def parts(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {"month": frame["day"].dt.month, "hour": frame["day"].dt.hour}, index=frame.index
    )


def seconds(frame: pd.DataFrame) -> pd.DataFrame:
    """Counts the unit of the fit, as much code does."""
    return frame.apply(lambda column: column.astype("int64") / 1e6)


DAYS = pd.DataFrame(
    {"day": pd.date_range("2024-01-31", periods=40, freq="25h30min", unit="us"), "n": range(40)}
)


def dated(function: Any) -> Any:
    columns = make_column_transformer(
        (FunctionTransformer(function), ["day"]), remainder="passthrough"
    )
    return make_pipeline(columns, LinearRegression()).fit(DAYS, np.arange(40.0) % 7)


@pytest.mark.slow
def test_dates_as_text_are_datetimes_where_the_model_fails_on_texts(tmp_path: Path):
    """A user sends ISO 8601 whatever the sample's format; the reason for no ONNX is shown."""
    model, file = dated(parts), support.dump(dated(parts), tmp_path)
    rows = [["2024-12-24T23:59:00", 1], ["1999-01-01", 2]]
    days = pd.to_datetime([row[0] for row in rows], format="ISO8601")
    direct = pd.DataFrame({"day": days, "n": [1, 2]})
    for suffix in FORMATS:
        sample = DAYS if suffix == "parquet" else DAYS.assign(day=DAYS["day"].astype(str))
        said: list[str] = []
        loaded_sample = sample_file.load(written(sample, tmp_path / f"sample.{suffix}"))
        package(file, loaded_sample, tmp_path / suffix, say=said.append)
        loaded = load(Settings(scoring_model_path=tmp_path / suffix))
        assert [f.dtype for f in loaded.contract.features] == ["datetime", "float64"]
        answers = loaded.predict(batch_of(rows, loaded.contract))
        np.testing.assert_allclose(answers, model.predict(direct))
        assert any("FunctionTransformer can't be a table of day" in line for line in said)
        if suffix != "parquet":
            assert any("day: read as dates or times, since the model fails" in s for s in said)


def test_a_unit_that_matters_is_that_of_the_sample(tmp_path: Path):
    """A model that counts microseconds gets them; a CSV has no unit, which is told."""
    model = dated(seconds)
    loaded = load(Settings(scoring_model_path=support.packaged(model, DAYS, tmp_path / "typed")))
    rows = [["2024-12-24", 1.0]]
    direct = pd.DataFrame({"day": pd.to_datetime(["2024-12-24"]).as_unit("us"), "n": [1.0]})
    answers = loaded.predict(batch_of(rows, loaded.contract))
    np.testing.assert_allclose(answers, model.predict(direct))
    said: list[str] = []
    sample = sample_file.load(written(DAYS.assign(day=DAYS["day"].astype(str)), tmp_path / "s.csv"))
    package(support.dump(model, tmp_path), sample, tmp_path / "out", say=said.append)
    assert any("answers otherwise for datetime64[us]" in line for line in said)
