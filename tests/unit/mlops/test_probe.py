"""How packaging finds out in which form a model wants its rows, and where it takes missing
values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops.csv_file import CsvFile
from mlops.package import package
from mlops.score_rows import batches
from validation import validate


def served(folder: Path) -> Model:
    return load(Settings(scoring_model_path=folder))


def answers(model: Model, frame: pd.DataFrame) -> list[object]:
    """Predict the rows in the form of a request, as mlops score sends them."""
    plain = frame.astype(object)
    rows = plain.where(plain.notna(), None).to_numpy().tolist()
    return model.predict(
        validate(orjson.dumps({"data": rows}), model.contract, Limits(max_rows=10_000))
    )


FLAG = np.array([True, False, np.nan, True] * 10, dtype=object)
TARGET = [0, 1, 1, 0] * 10


@pytest.mark.parametrize("dtype", ["object", "boolean"])
@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(OrdinalEncoder(encoded_missing_value=-1), LogisticRegression()),
        make_pipeline(OneHotEncoder(), LogisticRegression()),
        HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=2),
    ],
    ids=["ordinal", "onehot", "boosting"],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_booleans_with_gaps_are_answered_as_by_the_estimator(
    tmp_path: Path, estimator: BaseEstimator, dtype: str, kind: str
):
    """pandas may hold them as objects or as its own booleans; a request may hold null."""
    flag = pd.Series(FLAG, dtype=object) if dtype == "object" else pd.Series(FLAG).astype("boolean")
    frame = pd.DataFrame({"flag": flag, "age": range(40)})
    estimator.fit(frame, TARGET)
    if kind == "csv":
        frame.to_csv(tmp_path / "t.csv", index=False)
        sample = CsvFile.read(tmp_path / "t.csv")
    else:
        frame.to_parquet(tmp_path / "t.parquet")
        sample = pd.read_parquet(tmp_path / "t.parquet")
    package(support.dump(estimator, tmp_path), sample, tmp_path / "artifact")
    model = served(tmp_path / "artifact")
    assert next((f.dtype, f.missing) for f in model.contract.features) == ("bool", True)
    assert answers(model, frame) == estimator.predict(frame).tolist()
    assert answers(model, frame.iloc[2:3]) == estimator.predict(frame.iloc[2:3]).tolist()


def test_pandas_own_types_with_gaps_are_packaged_and_sent(tmp_path: Path):
    """Int64, Float64, boolean and string, as Parquet brings them back."""
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3, 4] * 10, dtype="Int64"),
            "x": pd.array([0.5, 1.5, None, 2.5] * 10, dtype="Float64"),
            "flag": pd.Series(FLAG).astype("boolean"),
            "text": pd.array(
                ["a", "b", "b", "c"] * 10, dtype="string"
            ),  # scikit-learn refuses gaps in these
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    encoder = OrdinalEncoder(encoded_missing_value=-1)
    estimator = make_pipeline(encoder, LogisticRegression()).fit(frame, TARGET)
    package(
        support.dump(estimator, tmp_path),
        pd.read_parquet(tmp_path / "t.parquet"),
        tmp_path / "artifact",
    )
    model = served(tmp_path / "artifact")
    (sent,) = batches(tmp_path / "t.parquet")
    assert (
        model.predict(validate(sent.body, model.contract, Limits()))
        == estimator.predict(frame).tolist()
    )
    assert [f.missing for f in model.contract.features] == [True, True, True, False]


class ByName(TransformerMixin, BaseEstimator):
    """A step of one's own, which asks for its columns and notes nothing of the fit."""

    def fit(self, X: pd.DataFrame, y: object = None) -> ByName:
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        return X[["bmi", "age"]].to_numpy() * [2.0, 1.0]


def by_name() -> tuple[BaseEstimator, pd.DataFrame]:
    X, y = support.diabetes()
    return make_pipeline(ByName(), LinearRegression()).fit(X, y), X


def test_a_model_that_asks_for_columns_by_name_gets_a_dataframe(tmp_path: Path):
    """The sample's names are used if the model holds none."""
    estimator, X = by_name()
    model = served(support.packaged(estimator, X, tmp_path))
    assert model.contract.container == "frame"
    assert answers(model, X.head(5)) == pytest.approx(list(estimator.predict(X.head(5))))


def test_so_it_does_in_an_mlflow_folder_that_is_not_packaged(tmp_path: Path):
    """The signature has the names, and MLflow itself hands over a DataFrame."""
    estimator, X = by_name()
    support.dump(estimator, tmp_path, "model.pkl")
    inputs = orjson.dumps(
        [{"type": "double", "name": name, "required": True} for name in X.columns]
    ).decode()
    (tmp_path / "MLmodel").write_text(
        f"flavors: {{sklearn: {{pickled_model: model.pkl}}}}\nsignature:\n  inputs: '{inputs}'\n"
    )
    assert answers(served(tmp_path), X.head(5)) == pytest.approx(list(estimator.predict(X.head(5))))


class ByPlace(BaseEstimator):
    """Takes an array and nothing else."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X[:, 0] + X[:, 1]


def test_a_model_that_fails_on_a_dataframe_gets_an_array(tmp_path: Path):
    """It gets one even if the sample has names."""
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    model = served(support.packaged(ByPlace(), frame, tmp_path))
    assert (model.contract.container, answers(model, frame)) == ("array", [4.0, 6.0])


def test_an_array_is_kept_for_what_was_fitted_on_one(tmp_path: Path):
    """It is the quicker way, and the answers are the same."""
    X, y = support.diabetes()
    model = served(support.packaged(LinearRegression().fit(X.to_numpy(), y), X, tmp_path))
    assert (model.contract.container, model.contract.names) == ("array", tuple(support.NAMES))


def test_rows_that_the_model_does_not_take_are_left_out_with_its_own_words(tmp_path: Path):
    """Gaps in a sample don't stop packaging, and the note on them is right."""
    X, y = support.diabetes()
    X = X.mask(np.eye(*X.shape, dtype=bool))  # the first ten rows have a gap each
    fitted = make_pipeline(StandardScaler(), LinearRegression()).fit(X.iloc[10:], y.iloc[10:])
    said: list[str] = []
    made = package(support.dump(fitted, tmp_path), X, tmp_path / "artifact", say=said.append)
    assert not any(feature.missing for feature in made.contract.features)
    (told,) = (line for line in said if "leaving out" in line)
    assert told == (
        "  note: leaving out 10 rows without a value in age, sex, bmi, bp, s1, s2, s3, s4 and 2 "
        "more, which the model "
        "does not take (ValueError: Input X contains NaN)"
    )
    with pytest.raises(StartupError, match=r"The model fails on the sample .*Input X contains NaN"):
        package(support.dump(fitted, tmp_path), X.head(1), tmp_path / "other")
    gaps = pd.DataFrame({"a": [np.nan], "b": [1.0]})
    with pytest.raises(
        StartupError, match=r"only 1 rows without a value in a, which .* \(it answers NaN\)"
    ):
        package(support.dump(ByPlace(), tmp_path), gaps, tmp_path / "other")


def test_columns_that_are_imputed_keep_their_gaps(tmp_path: Path):
    """A request may have null there."""
    X, y = support.diabetes()
    X = X.mask(np.eye(*X.shape, dtype=bool))
    estimator = make_pipeline(SimpleImputer(), LinearRegression()).fit(X, y)
    model = served(support.packaged(estimator, X, tmp_path))
    assert answers(model, X.head(20)) == pytest.approx(
        list(estimator.predict(X.head(20))), abs=1e-5
    )
