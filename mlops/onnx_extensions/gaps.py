"""MissingIndicator: ones where values are missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxGather, OnnxIsNaN
from sklearn.impute import MissingIndicator

from mlops.onnx_extensions.sub_models import as_numbers


def register() -> None:
    update_registered_converter(MissingIndicator, "NumberOfGaps", _shapes, _convert)


def _shapes(operator: Any) -> None:
    count = len(operator.raw_operator.features_)
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), count]


def _convert(scope: Any, operator: Any, container: Any) -> None:
    (X,), model, opset = operator.inputs, operator.raw_operator, container.target_opset
    if not np.isnan(model.missing_values):
        raise NotImplementedError("another missing value than NaN")
    columns = OnnxGather(X, model.features_.astype(np.int64), axis=1, op_version=opset)
    gaps = as_numbers(OnnxIsNaN(columns, op_version=opset), X, opset)
    gaps.output_names = operator.outputs
    gaps.add_to(scope, container)
