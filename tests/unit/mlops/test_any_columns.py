"""A column of several types is served as its model takes it."""

from pathlib import Path
from typing import Any

import boosted
import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

import support
from azureml_scoring.errors import ClientError
from azureml_scoring.models.golden_check import NO_LIMITS
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from validation import validate

FRAME = pd.DataFrame(
    {"code": pd.Series([7, "7b", "x", 12, True] * 40, dtype=object), "size": range(200)}
)
TARGET = np.arange(200) % 5


def texts(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(str)


def encoded() -> Any:
    encoder = make_pipeline(FunctionTransformer(texts), OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer((encoder, ["code"]), remainder="passthrough")
    return make_pipeline(columns, LinearRegression())


def answers(model: Model, rows: list[list[Any]]) -> list[Any]:
    return model.predict(validate(orjson.dumps({"data": rows}), model.contract, NO_LIMITS))


def served(estimator: Any, folder: Path, **options: Any) -> Model:
    return load(Settings(scoring_model_path=support.packaged(estimator, FRAME, folder, **options)))


def test_each_value_is_what_it_is_alone_and_among_others(tmp_path: Path):
    """Numbers, texts, booleans, and values that the fit did not have; the reason is shown."""
    estimator = encoded().fit(FRAME, TARGET)
    said: list[str] = []
    model = served(estimator, tmp_path, say=said.append)
    assert model.contract.features[0].dtype == "any"
    rows = FRAME.to_numpy().tolist()
    np.testing.assert_allclose(answers(model, rows), estimator.predict(FRAME), rtol=1e-9)
    rows = [[value, 1] for value in (7, "7", True, "True", "new", 99, 12.5, "x")]
    together = answers(model, rows)
    np.testing.assert_allclose(together, [answers(model, [row])[0] for row in rows])
    assert together[0] == together[1]
    assert together[2] == together[3]
    assert any("can't be a table of code" in line for line in said)


def test_catboost_takes_numbers_and_texts_as_categories(tmp_path: Path):
    """And refuses a missing one: the contract says so."""
    frame = FRAME[~FRAME["code"].map(lambda value: isinstance(value, bool))].reset_index(drop=True)
    estimator = boosted.catboost(cat_features=["code"]).fit(frame, frame["size"] % 5)
    model = load(Settings(scoring_model_path=support.packaged(estimator, frame, tmp_path)))
    rows = frame.to_numpy().tolist()
    np.testing.assert_allclose(answers(model, rows), estimator.predict(frame), rtol=1e-9)
    strange = pd.DataFrame({"code": ["new", 99], "size": [1, 2]})
    np.testing.assert_allclose(
        answers(model, strange.to_numpy().tolist()), estimator.predict(strange), rtol=1e-9
    )
    with pytest.raises(ClientError, match="Feature code must not be null"):
        answers(model, [[None, 1]])
