"""SimpleImputer in any float: skl2onnx's takes float32 only, and no indicator."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import (
    OnnxCast,
    OnnxConcat,
    OnnxEqual,
    OnnxGather,
    OnnxIsNaN,
    OnnxWhere,
)
from skl2onnx.common.data_types import guess_numpy_type, guess_proto_type
from sklearn.impute import SimpleImputer

from mlops.conversion_failure import NoConverter


def register() -> None:
    """Register the converter."""
    update_registered_converter(SimpleImputer, "FloatSimpleImputer", _shapes, _convert)


def _shapes(operator: Any) -> None:
    imputer = operator.raw_operator
    count = len(_kept(imputer)) + len(_indicated(imputer))
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), count]


def _kept(imputer: Any) -> np.ndarray:
    """Return the columns that the imputer does not drop for want of a value in the fit."""
    empty = np.isnan(_fills(imputer))
    return np.flatnonzero(~empty | bool(imputer.keep_empty_features))


def _fills(imputer: Any) -> np.ndarray:
    try:
        fills: np.ndarray = np.asarray(imputer.statistics_).astype(np.float64)
    except (TypeError, ValueError):
        raise NoConverter("a SimpleImputer of texts") from None
    return fills


def _indicated(imputer: Any) -> np.ndarray:
    places = imputer.indicator_.features_ if imputer.add_indicator else []
    return np.asarray(places, dtype=np.int64)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    (X,), imputer, opset = operator.inputs, operator.raw_operator, container.target_opset
    dtype, output = guess_numpy_type(X.type), {"output_names": operator.outputs}
    kept, indicated = _kept(imputer), _indicated(imputer)

    def column(places: np.ndarray) -> Any:
        return OnnxGather(X, places.astype(np.int64), axis=1, op_version=opset)

    columns = X if len(kept) == len(imputer.statistics_) else column(kept)
    filled = OnnxWhere(
        _missing(imputer, columns, opset, dtype),
        _fills(imputer)[kept].astype(dtype)[None],
        columns,
        op_version=opset,
        **({} if len(indicated) else output),
    )
    if len(indicated):
        gaps = OnnxCast(
            _missing(imputer, column(indicated), opset, dtype),
            to=guess_proto_type(X.type),
            op_version=opset,
        )
        filled = OnnxConcat(filled, gaps, axis=1, op_version=opset, **output)
    filled.add_to(scope, container)


def _missing(imputer: Any, columns: Any, opset: int, dtype: Any) -> Any:
    marker = imputer.missing_values
    if not isinstance(marker, int | float):
        raise NoConverter("a SimpleImputer of another missing value than a number")
    if np.isnan(marker):
        return OnnxIsNaN(columns, op_version=opset)
    return OnnxEqual(columns, np.array([marker], dtype=dtype), op_version=opset)
