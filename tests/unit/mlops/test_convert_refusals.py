"""What scikit-learn refuses, a compiled model does not answer."""

from typing import Any

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    RandomForestRegressor,
)
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import CategoricalNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import support
from azureml_scoring.errors import ScoringError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.engines.onnx_model import MAX_MAGNITUDE
from azureml_scoring.models.engines.onnx_predictor import OnnxPredictor
from azureml_scoring.models.engines.onnx_session import open_session
from azureml_scoring.models.estimators.estimator_contract import contract_of, methods_of
from azureml_scoring.models.estimators.predictor import Predictor
from mlops.convert import convert
from mlops.graphs import onnx_graphs
from mlops.parity import NotProven

FRAME, _ = support.diabetes()
X = FRAME.to_numpy()
CODES = np.tile([[3.0, 1.0], [5.0, 2.0], [9.0, 3.0], [5.0, 4.0]], (60, 1))

REFUSING = {
    "ordinal codes": make_pipeline(OrdinalEncoder(), Ridge()),
    "one-hot codes": make_pipeline(OneHotEncoder(), Ridge()),
    "codes of a column": make_pipeline(
        make_column_transformer((OrdinalEncoder(), [0]), ("passthrough", [1])), Ridge()
    ),
    "categories": CategoricalNB(),
}


@pytest.mark.parametrize("name", REFUSING)
def test_what_scikit_learn_refuses_a_compiled_model_does_not_answer(name: str):
    """If the graph answers unknown codes, or values between codes, there is no ONNX."""
    estimator = REFUSING[name].fit(CODES, CODES[:, 0])
    contract = Contract((Feature(None), Feature(None)), methods_of(estimator))
    with pytest.raises(NotProven, match=r"answers what scikit-learn refuses|ONNX Runtime fails"):
        convert(estimator, contract, CODES, onnx_graphs(estimator, 2))


def test_codes_that_are_taken_though_unknown_are_compared():
    """Values between codes are compared too."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    estimator = make_pipeline(encoder, Ridge()).fit(CODES, CODES[:, 0])
    contract = Contract((Feature(None), Feature(None)), methods_of(estimator))
    try:
        model, graph = convert(estimator, contract, CODES, onnx_graphs(estimator, 2))
    except NotProven:
        return
    assert model.parity["left_to_the_estimator"] == 0
    direct = Predictor(estimator, contract)
    rows = Batch(np.array([[4.0, 1.0], [3.7, 1.0], [3.0, 99.0], [-3.0, 2.0]]), "predict")
    assert OnnxPredictor(model, open_session(graph), direct)(rows) == pytest.approx(direct(rows))


@pytest.mark.parametrize(
    ("estimator", "largest"),
    [
        (Ridge(), 1e100),
        (RandomForestRegressor(5, random_state=0), MAX_MAGNITUDE["float32"]),
        (make_pipeline(StandardScaler(), RandomForestRegressor(5, random_state=0)), 1e30),
    ],
    ids=["linear", "trees", "trees behind a scaler"],
)
def test_numbers_too_large_for_the_estimator_are_left_to_it(estimator: Any, largest: float):
    """scikit-learn's trees refuse what is beyond float32, behind a scaler before it."""
    estimator.fit(X / 1e3, X[:, 3])
    contract = contract_of(estimator)
    model, graph = convert(estimator, contract, X / 1e3, onnx_graphs(estimator, X.shape[1]))
    assert model.largest == largest
    direct = Predictor(estimator, contract)
    compiled = OnnxPredictor(model, open_session(graph), direct)
    for size in 10.0 ** np.arange(0, 300, 7):
        batch = Batch(X[:1] * size, "predict")
        assert outcome(compiled, batch) == pytest.approx(outcome(direct, batch))


def outcome(predict: Any, batch: Batch) -> Any:
    try:
        return predict(batch)
    except ScoringError as error:
        return error.code
