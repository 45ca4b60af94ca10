"""Columns of numbers alone: an encoder among the steps makes tables of them."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import support
from azureml_scoring.errors import ScoringError
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.golden_check import NO_LIMITS
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from mlops.column_split import column_split
from mlops.parity import TOLERANCE
from validation import validate

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "branch": RNG.choice([3, 5, 9], 200),
        "rooms": RNG.choice([1.0, 2.0, 3.5], 200),
        "size": RNG.normal(50, 9, 200),
    }
)
CLASSES = FRAME["size"] + FRAME["branch"] > 55


def encoded(encoder: Any, model: Any) -> Any:
    columns = make_column_transformer((encoder, ["branch", "rooms"]), (StandardScaler(), ["size"]))
    return make_pipeline(columns, model)


def answers(model: Model, rows: list[list[float]]) -> list[Any]:
    body = orjson.dumps({"data": rows, "method": "predict"})
    return model.predict(validate(body, model.contract, NO_LIMITS))


def test_codes_are_compiled_and_unknown_ones_refused(tmp_path: Path):
    """An encoder that refuses what it does not know still does."""
    estimator = encoded(OneHotEncoder(), LogisticRegression()).fit(FRAME, CLASSES)
    model = load(Settings(scoring_model_path=support.packaged(estimator, FRAME, tmp_path)))
    rows = FRAME.head(50).to_numpy().tolist()
    assert model.backend == "onnx"
    assert answers(model, rows) == estimator.predict(FRAME.head(50)).tolist()
    for branch in (4, 3.0000000000000004, 1e300):
        with pytest.raises(ScoringError):
            answers(model, [[branch, 2.0, 50.0]])


def test_codes_next_to_a_known_one_are_unknown(tmp_path: Path):
    """No cast to another float makes them known."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    estimator = encoded(encoder, Ridge()).fit(FRAME, FRAME["size"] + FRAME["branch"])
    model = load(Settings(scoring_model_path=support.packaged(estimator, FRAME, tmp_path)))
    rows = [[5.0, 3.5, 40.0], [5.000000001, 3.5, 40.0], [5.0, float(np.nextafter(3.5, 4)), 40.0]]
    expected = estimator.predict(pd.DataFrame(rows, columns=FRAME.columns))
    assert model.backend == "onnx"
    np.testing.assert_allclose(answers(model, rows), expected, rtol=TOLERANCE)
    assert len({*expected.round(3)}) == 3


def test_numbers_without_an_encoder_need_no_tables():
    """They go into the graph as a request has them."""
    estimator = make_pipeline(StandardScaler(), Ridge()).fit(FRAME.to_numpy(), FRAME["size"])
    contract = Contract((Feature(None),) * 3, ("predict",))
    said: list[str] = []
    assert column_split(estimator, contract, FRAME.to_numpy(), said.append) is None
    assert said == []


class Expired(TransformerMixin, BaseEstimator):
    """Fails in a way that no estimator refuses values."""

    def transform(self, X: Any) -> Any:
        raise RuntimeError("the licence has expired")


def test_a_failure_in_making_tables_is_shown():
    """Without tables the graph is tried on the numbers; nothing is hidden."""
    union = FeatureUnion([("own", Expired())], transformer_weights={"own": 2.0})
    contract = Contract((Feature(None),) * 3, ("predict",))
    said: list[str] = []
    estimator = make_pipeline(union, Ridge())
    assert column_split(estimator, contract, FRAME.to_numpy(), said.append) is None
    (note,) = said
    assert "no tables" in note
    assert "the licence has expired" in note
