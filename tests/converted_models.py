"""Models converted as packaging does it, and compared with themselves on other rows."""

from __future__ import annotations

import dataclasses
import io
import pickle
from typing import Any

import numpy as np

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.engines.onnx_model import OnnxModel
from azureml_scoring.models.engines.onnx_predictor import OnnxPredictor
from azureml_scoring.models.engines.onnx_session import open_session
from azureml_scoring.models.estimators.estimator_contract import contract_of
from azureml_scoring.models.estimators.predictor import Predictor
from mlops.convert import convert
from mlops.converter import hand_over
from mlops.graphs import onnx_graphs
from mlops.parity import TOLERANCE


def converted(estimator: Any, width: int) -> Any:
    """Return the graphs as packaging makes them."""
    file = io.BytesIO()
    hand_over(estimator, file)
    return onnx_graphs(pickle.load(file), width)


def compared(estimator: Any, rows: np.ndarray) -> OnnxModel:
    """Convert a model that was fitted on ``rows``, and compare its answers to others like them.

    Return the proven model. Raises NotProven, AssertionError.
    """
    known = contract_of(estimator)
    numbers = (Feature(None, missing=known.features[0].missing),) * rows.shape[1]
    contract = dataclasses.replace(known, features=numbers)
    model, graph = convert(estimator, contract, rows, converted(estimator, rows.shape[1]))
    direct = Predictor(estimator, contract)
    rng = np.random.default_rng(7)
    asked = rng.normal(np.nanmean(rows, axis=0), np.nanstd(rows, axis=0), (300, rows.shape[1]))
    if np.isnan(rows).any():
        asked[rng.random(asked.shape) < 0.2] = np.nan
    compiled = OnnxPredictor(model, open_session(graph), direct)
    for method in model.outputs:
        own, answers = compiled.own_answers(Batch(asked, method))
        assert own.mean() > 0.9
        expected = direct(Batch(asked[own], method))
        if np.asarray(expected).dtype.kind == "f":
            np.testing.assert_allclose(answers, expected, rtol=TOLERANCE, atol=TOLERANCE)
        else:
            assert answers == expected
            assert type(answers[0]) is type(expected[0])
    return model
