"""Chains: each model also gets the answers of those before it."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxConcat, OnnxGather
from skl2onnx.common.data_types import guess_tensor_type
from sklearn.multioutput import ClassifierChain, RegressorChain

from mlops.onnx_extensions.sub_models import as_numbers, column, labels, numbers, probabilities


def register() -> None:
    for kind in (ClassifierChain, RegressorChain):
        update_registered_converter(
            kind, f"Linked{kind.__name__}", _shapes, _convert, parser=_parse
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
        # The names of the links are unknown to a model that selects by place.
        table = OnnxConcat(X, *features, axis=1, op_version=opset) if features else X
        answers.append(_answer(model, table, X, opset))
        features.append(_feature(chain, model, table, X, opset, answers[-1]))
    order = np.argsort(chain.order_)
    OnnxConcat(
        *(answers[place] for place in order),
        axis=1,
        op_version=opset,
        output_names=operator.outputs,
    ).add_to(scope, container)


def _answer(model: Any, table: Any, X: Any, opset: int) -> Any:
    if not hasattr(model, "classes_"):
        return numbers(model, table, opset)
    return as_numbers(column(labels(model, table, opset), opset), X, opset)


def _feature(chain: Any, model: Any, table: Any, X: Any, opset: int, answer: Any) -> Any:
    """Return what the next models of the chain get of this one."""
    match getattr(chain, "chain_method_", "predict"):
        case "predict":
            return answer
        case "predict_proba":
            place = np.array([1], dtype=np.int64)
            return OnnxGather(probabilities(model, table, opset), place, axis=1, op_version=opset)
        case method:
            raise NotImplementedError(method)
