"""A value that the fit did not have is answered or refused as the estimator does it."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

import mixed_models
import support
from azureml_scoring.errors import ClientError
from azureml_scoring.models.golden_check import NO_LIMITS
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from validation import validate

FRAME, TARGET = mixed_models.passengers(150)
FRAME = FRAME[["age", "siblings", "city", "member"]].fillna({"age": 30.0})
GAPPY = FRAME.assign(city=FRAME["city"].mask(FRAME["siblings"] == 1))
FILLED = SimpleImputer(strategy="most_frequent")

ANSWERING = {
    "ignored": OneHotEncoder(handle_unknown="ignore"),
    "rare": OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=30),
    "a code": OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    ),
    "the mean": TargetEncoder(cv=2),
    "filled, ignored": make_pipeline(FILLED, OneHotEncoder(handle_unknown="ignore")),
}
REFUSING = {
    "one-hot": OneHotEncoder(),
    "ordinal": OrdinalEncoder(),
    "filled": make_pipeline(FILLED, OneHotEncoder()),
}


def model(encoder: Any, frame: pd.DataFrame, columns: list[str]) -> Any:
    front = make_column_transformer((encoder, columns), remainder="drop")
    return make_pipeline(front, LogisticRegression(max_iter=1000)).fit(frame, TARGET)


def served(estimator: Any, frame: pd.DataFrame, folder: Path, **options: Any) -> Model:
    return load(Settings(scoring_model_path=support.packaged(estimator, frame, folder, **options)))


def answers(loaded: Model, frame: pd.DataFrame, method: str = "predict") -> list[Any]:
    rows = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    body = orjson.dumps({"data": rows, "method": method})
    return loaded.predict(validate(body, loaded.contract, NO_LIMITS))


@pytest.mark.parametrize("dtype", ["object", "str", "category"])
@pytest.mark.parametrize("name", ANSWERING)
def test_an_encoder_that_answers_unseen_values_does_so(name: str, dtype: str, tmp_path: Path):
    """Texts or pandas' categories, missing ones too: all methods, and known values beside them."""
    frame = GAPPY.astype({"city": dtype})
    estimator = model(ANSWERING[name], frame, ["city"])
    loaded = served(estimator, frame, tmp_path)
    odd = GAPPY["city"].astype(object).where(FRAME["siblings"] != 2, "Atlantis")
    rows = GAPPY.assign(city=odd)
    for method in loaded.contract.methods:
        expected = getattr(estimator, method)(rows.astype({"city": dtype}))
        np.testing.assert_allclose(answers(loaded, rows, method), expected, rtol=1e-5, atol=1e-5)
    assert loaded.backend == "onnx"


@pytest.mark.parametrize("dtype", ["object", "str", "category"])
@pytest.mark.parametrize("name", REFUSING)
def test_a_refused_value_is_named_by_its_column_and_place(name: str, dtype: str, tmp_path: Path):
    """Not by itself; a missing one is refused where the encoder refuses it."""
    frame = FRAME.astype({"city": dtype})
    loaded = served(model(REFUSING[name], frame, ["city"]), frame, tmp_path)
    rows = FRAME.head(3).assign(city=["Rome", "Atlantis", "Oslo"])
    with pytest.raises(ClientError) as caught:
        answers(loaded, rows)
    assert caught.value.message == (
        "Feature city must be one of the 4 values of the fit: the model takes no others there."
    )
    assert (caught.value.location, caught.value.code) == ("/data/1/2", "wrong_type")
    missing = FRAME.head(1).assign(city=None)
    if name == "filled":
        assert answers(loaded, missing)
    else:
        with pytest.raises(ClientError, match="Feature city must not be null"):
            answers(loaded, missing)


@pytest.mark.parametrize("columns", [["siblings"], ["siblings", "age"], ["siblings", "city"]])
def test_a_number_that_an_encoder_refuses_is_named_too(columns: list[str], tmp_path: Path):
    """Also in a table of nothing but numbers; known ones are the compiled model's."""
    frame = FRAME[["age", "siblings", *(["city"] if "city" in columns else [])]]
    frame = frame.assign(age=frame["age"].round(-1))
    estimator = model(OneHotEncoder(), frame, columns)
    said: list[str] = []
    loaded = served(estimator, frame, tmp_path, say=said.append)
    assert answers(loaded, frame) == estimator.predict(frame).tolist()
    assert loaded.backend == "onnx", said
    for odd in (99, 2.5):
        with pytest.raises(ClientError, match="Feature siblings must be one of the 6 values of"):
            answers(loaded, frame.head(1).assign(siblings=odd))


class Lowered(TransformerMixin, BaseEstimator):
    """Reads a text in its own way before the encoder does."""

    def fit(self, X: pd.DataFrame, y: object = None) -> "Lowered":
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        return X.apply(lambda column: column.str.strip().str.lower())


def test_a_value_that_another_step_makes_known_is_answered(tmp_path: Path):
    """The encoder's categories are not those of the column then."""
    estimator = model(make_pipeline(Lowered(), OneHotEncoder()), FRAME, ["city"])
    loaded = served(estimator, FRAME, tmp_path)
    rows = FRAME.head(2).assign(city=["ROME", " oslo "])
    assert answers(loaded, rows) == estimator.predict(rows).tolist()
    with pytest.raises(ClientError, match="refused the values"):
        answers(loaded, rows.assign(city="Atlantis"))


def test_rows_of_the_sample_that_the_model_refuses_are_left_out(tmp_path: Path):
    """Their number is printed."""
    estimator = model(OneHotEncoder(), FRAME, ["city"])
    said: list[str] = []
    sample = FRAME.assign(city=FRAME["city"].where(FRAME.index < 140, "Atlantis"))
    loaded = served(estimator, sample, tmp_path, say=said.append)
    assert any("leaving out 10 rows with values in city that the model refuses" in s for s in said)
    assert loaded.contract.features[2].categories == ("Oslo", "Paris", "Rome", "Zürich")


def test_a_sample_whose_values_the_model_does_not_know_is_told(tmp_path: Path):
    """The file may have another type than the fit."""
    estimator = model(OneHotEncoder(handle_unknown="ignore"), FRAME, ["city"])
    said: list[str] = []
    served(estimator, FRAME.assign(city=FRAME["city"].str.upper()), tmp_path, say=said.append)
    assert any("the model knows no value of the sample in city" in line for line in said)
