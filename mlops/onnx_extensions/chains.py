"""Chains: each model also gets the answers of those before it."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxConcat, OnnxGather
from skl2onnx.common.data_types import guess_tensor_type
from sklearn.multioutput import ClassifierChain, RegressorChain

from mlops.conversion_failure import NoConverter
from mlops.onnx_extensions.sub_models import as_column, classified, number


def register() -> None:
    """Register the converter of both classes."""
    for kind in (ClassifierChain, RegressorChain):
        update_registered_converter(
            kind,
            f"Linked{kind.__name__}",
            _shapes,
            _convert,
            parser=_parse,
            options={"zipmap": [True, False]},
        )


def _parse(scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None) -> list[Any]:
    operator = scope.declare_local_operator(f"Linked{type(model).__name__}", model)
    operator.inputs = inputs
    kind = guess_tensor_type(inputs[0].type)
    operator.outputs.append(scope.declare_local_variable("variable", kind))
    return list(operator.outputs)


def _shapes(operator: Any) -> None:
    count = len(operator.raw_operator.estimators_)
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), count]


def _convert(scope: Any, operator: Any, container: Any) -> None:
    chain, opset, X = operator.raw_operator, container.target_opset, operator.inputs[0]
    answers: list[Any] = []
    features: list[Any] = []
    for model in chain.estimators_:
        table = _table(scope, container, X, features)
        answer, feature = _link(scope, chain, model, table, opset)
        answers.append(answer)
        features.append(feature)
    inverse = np.argsort(chain.order_)
    columns = [answers[place] for place in inverse]
    OnnxConcat(*columns, axis=1, op_version=opset, output_names=operator.outputs).add_to(
        scope, container
    )


def _table(scope: Any, container: Any, X: Any, features: list[Any]) -> Any:
    """Return a variable of the rows with the answers so far beside them."""
    if not features:
        return X
    rows, width = X.type.shape
    table = scope.declare_local_variable("table", type(X.type)([rows, width + len(features)]))
    OnnxConcat(
        X, *features, axis=1, op_version=container.target_opset, output_names=[table]
    ).add_to(scope, container)
    return table


def _link(scope: Any, chain: Any, model: Any, table: Any, opset: int) -> tuple[Any, Any]:
    """Return a model's answer, and what the next models of the chain get of it."""
    if not hasattr(model, "classes_"):
        answer = as_column(number(scope, model, table), table, opset)
        return answer, answer
    label, probabilities = classified(scope, model, table)
    answer = as_column(label, table, opset)
    match getattr(chain, "chain_method_", "predict"):
        case "predict":
            return answer, answer
        case "predict_proba":
            second = np.array([1], dtype=np.int64)
            return answer, OnnxGather(probabilities, second, axis=1, op_version=opset)
        case method:
            raise NoConverter(f"a chain of {method}")
