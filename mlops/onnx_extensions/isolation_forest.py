"""IsolationForest as one ensemble of trees: the depth of a row's leaf is the leaf's value.

skl2onnx has a converter, which adds dozens of nodes for each tree and takes float32 only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import (
    OnnxCast,
    OnnxNeg,
    OnnxPow,
    OnnxSub,
    OnnxTreeEnsembleRegressor_1,
)
from skl2onnx.common.data_types import guess_numpy_type, guess_proto_type
from skl2onnx.common.tree_ensemble import get_default_tree_regressor_attribute_pairs
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length

from mlops.onnx_extensions.outliers import label_of, shapes
from mlops.onnx_extensions.tree_branches import write_tree

OPTIONS = {"score_samples": [True, False]}
"""Of skl2onnx's own converter, which its parser looks for."""


def register() -> None:
    """Register the converter."""
    update_registered_converter(
        IsolationForest, "DepthIsolationForest", shapes, _convert, options=OPTIONS
    )


def _convert(scope: Any, operator: Any, container: Any) -> None:
    (X,), model, opset = operator.inputs, operator.raw_operator, container.target_opset
    dtype = guess_numpy_type(X.type)
    trees = OnnxTreeEnsembleRegressor_1(X, op_version=1, **_attributes(model, dtype))
    depth = OnnxCast(trees, to=guess_proto_type(X.type), op_version=opset)
    score = OnnxSub(
        OnnxNeg(
            OnnxPow(np.array([2], dtype=dtype), OnnxNeg(depth, op_version=opset), op_version=opset),
            op_version=opset,
        ),
        np.array([model.offset_], dtype=dtype),
        op_version=opset,
        output_names=[operator.outputs[1]],
    )
    score.add_to(scope, container)
    label_of(score, np.zeros(1, dtype=dtype), opset, operator.outputs[0]).add_to(scope, container)


def _attributes(model: Any, dtype: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = get_default_tree_regressor_attribute_pairs()
    attributes["n_targets"] = 1
    scale = len(model.estimators_) * _average_path_length([model._max_samples])[0]
    for number, (member, columns) in enumerate(
        zip(model.estimators_, model.estimators_features_, strict=True)
    ):
        tree = member.tree_
        depths = (
            model._decision_path_lengths[number] + model._average_path_length_per_tree[number] - 1.0
        )
        begin = len(attributes["nodes_nodeids"])
        write_tree(attributes, False, tree, number, 1.0, 0, False, True, dtype=dtype)
        inner = tree.children_left >= 0
        attributes["nodes_featureids"][begin:] = np.where(inner, columns[tree.feature], 0).tolist()
        attributes["target_weights"][-int((~inner).sum()) :] = (depths[~inner] / scale).tolist()
    return attributes
