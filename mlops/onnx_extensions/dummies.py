"""DummyClassifier and DummyRegressor, as linear models whose coefficients are zero."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from mlops.conversion_failure import NoConverter
from mlops.onnx_extensions.nodes import nodes
from mlops.onnx_extensions.sub_models import classified, number

LEAST_PROBABILITY = 1e-300
"""In place of zero, whose logarithm is no number."""

OPTIONS = {"zipmap": [True, False], "nocl": [True, False], "output_class_labels": [False, True]}


def register() -> None:
    """Register the converters of both classes."""
    update_registered_converter(
        DummyClassifier,
        "ConstantClassifier",
        calculate_linear_classifier_output_shapes,
        _convert_classifier,
        options=OPTIONS,
    )
    update_registered_converter(DummyRegressor, "ConstantRegressor", _shapes, _convert_regressor)


def _shapes(operator: Any) -> None:
    count = operator.raw_operator.n_outputs_
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), count]


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    (X,), dummy, node = operator.inputs, operator.raw_operator, nodes(container.target_opset)
    if dummy.n_outputs_ > 1 or len(dummy.classes_) < 2:
        raise NoConverter("a DummyClassifier of several targets, or of one class")
    width = X.type.shape[1]
    (probabilities,) = dummy.predict_proba(np.zeros((1, width)))
    scores = np.log(np.maximum(probabilities, LEAST_PROBABILITY))
    if len(scores) == 2:  # scikit-learn has one line of coefficients for two classes
        scores = scores[1:] - scores[:1]
    simple = LogisticRegression()
    simple.coef_, simple.intercept_ = np.zeros((len(scores), width)), scores
    simple.classes_, simple.n_features_in_ = dummy.classes_, width
    for output, own in zip(operator.outputs, classified(scope, simple, X), strict=True):
        node("Identity", own, output_names=[output]).add_to(scope, container)


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    (X,), node = operator.inputs, nodes(container.target_opset)
    (answer,) = np.reshape(operator.raw_operator.constant_, (1, -1))
    simple = LinearRegression()
    simple.coef_, simple.intercept_ = np.zeros((len(answer), X.type.shape[1])), answer
    simple.n_features_in_ = X.type.shape[1]
    node("Identity", number(scope, simple, X), output_names=operator.outputs).add_to(
        scope, container
    )
