"""Classifiers that compare a probability, or a score, with a threshold of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxGather, OnnxGreaterOrEqual, OnnxIdentity
from skl2onnx.common.data_types import BooleanTensorType, guess_numpy_type
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from mlops.conversion_failure import NoConverter
from mlops.onnx_extensions.sub_models import classified, looked_up

OPTIONS = {"zipmap": [True, False], "nocl": [True, False], "output_class_labels": [False, True]}


def register() -> None:
    """Register the converter of both classes."""
    for kind in (FixedThresholdClassifier, TunedThresholdClassifierCV):
        update_registered_converter(
            kind,
            f"Threshold{kind.__name__}",
            _shapes,
            _convert,
            options=OPTIONS,
        )


def _shapes(operator: Any) -> None:
    calculate_linear_classifier_output_shapes(operator)
    if operator.raw_operator.classes_.dtype == bool:
        operator.outputs[0].set_type(BooleanTensorType(operator.outputs[0].type.shape))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    model, opset = operator.raw_operator, container.target_opset
    (X,), (label, probabilities) = operator.inputs, operator.outputs
    if hasattr(model, "predict_proba") and model.response_method == "decision_function":
        raise NoConverter("a threshold of the decision function")
    scores = classified(scope, model.estimator_, X).probabilities
    positive = _positive(model)
    score = OnnxGather(scores, np.array([positive], dtype=np.int64), axis=1, op_version=opset)
    threshold = np.array([_threshold(model)], dtype=guess_numpy_type(X.type))
    above = OnnxGreaterOrEqual(score, threshold, op_version=opset)
    classes = model.classes_[[1 - positive, positive]]
    looked_up(classes, above, opset, label).add_to(scope, container)
    OnnxIdentity(scores, op_version=opset, output_names=[probabilities]).add_to(scope, container)


def _threshold(model: Any) -> float:
    if hasattr(model, "best_threshold_"):
        return float(model.best_threshold_)
    if model.threshold != "auto":
        return float(model.threshold)
    return 0.5 if hasattr(model, "predict_proba") else 0.0


def _positive(model: Any) -> int:
    scorer = getattr(model, "_curve_scorer", None)
    label = scorer._get_pos_label() if scorer else model.pos_label
    return 1 if label is None else [*model.classes_].index(label)
