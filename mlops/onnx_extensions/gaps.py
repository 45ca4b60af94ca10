"""MissingIndicator: ones where values are missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxCast, OnnxGather, OnnxIsNaN
from skl2onnx.common.data_types import guess_proto_type
from sklearn.impute import MissingIndicator

from mlops.conversion_failure import NoConverter


def register() -> None:
    """Register the converter."""
    update_registered_converter(MissingIndicator, "NumberOfGaps", _shapes, _convert)


def _shapes(operator: Any) -> None:
    count = len(operator.raw_operator.features_)
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), count]


def _convert(scope: Any, operator: Any, container: Any) -> None:
    (X,), model, opset = operator.inputs, operator.raw_operator, container.target_opset
    if not len(model.features_):
        raise NoConverter("a MissingIndicator of no column")
    if not np.isnan(model.missing_values):
        raise NoConverter("a MissingIndicator of another missing value than NaN")
    columns = OnnxGather(X, model.features_.astype(np.int64), axis=1, op_version=opset)
    OnnxCast(
        OnnxIsNaN(columns, op_version=opset),
        to=guess_proto_type(X.type),
        op_version=opset,
        output_names=operator.outputs,
    ).add_to(scope, container)
