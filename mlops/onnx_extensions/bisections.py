"""BisectingKMeans: at each split of a tree the nearer of two centers, down to a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import Int64TensorType, guess_numpy_type, guess_proto_type
from sklearn.cluster import BisectingKMeans

from mlops.onnx_extensions.nodes import nodes

Turns = list[tuple[int, bool]]
"""The splits above a cluster, each with whether the cluster is on its right."""


def register() -> None:
    """Register the converter."""
    update_registered_converter(BisectingKMeans, "TreeOfCenters", _shapes, _convert)


def _shapes(operator: Any) -> None:
    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].set_type(Int64TensorType([rows]))
    operator.outputs[1].type.shape = [rows, operator.raw_operator.n_clusters]


def _convert(scope: Any, operator: Any, container: Any) -> None:
    (X,), (label, score) = operator.inputs, operator.outputs
    dtype, node = guess_numpy_type(X.type), nodes(container.target_opset)
    directions, offsets, turned, needed = _splits(operator.raw_operator)
    nearer = node("MatMul", X, directions.astype(dtype))
    right = node(
        "Cast", node("Greater", nearer, offsets.astype(dtype)[None]), to=guess_proto_type(X.type)
    )
    # Zero for the one cluster to which all splits above it lead, less for the others.
    met = node("MatMul", right, turned.astype(dtype))
    scores = node("Sub", met, needed.astype(dtype)[None], output_names=[score])
    scores.add_to(scope, container)
    node("ArgMax", scores, axis=1, keepdims=0, output_names=[label]).add_to(scope, container)


def _splits(model: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return what each split compares: a direction, (features, splits), and where its right begins;
    and for each cluster the splits that lead to it, 1 by the right and -1 by the left, (splits,
    clusters), and how many of them by the right."""
    mean = getattr(model, "_X_mean", 0.0)
    directions, offsets = list[np.ndarray](), list[float]()

    def leaves(tree: Any, above: Turns) -> Iterator[tuple[int, Turns]]:
        if tree.left is None:
            yield tree.label, above
            return
        left, right = tree.left.center + mean, tree.right.center + mean
        own = len(offsets)
        directions.append(right - left)
        offsets.append(float((right @ right - left @ left) / 2))
        yield from leaves(tree.left, [*above, (own, False)])
        yield from leaves(tree.right, [*above, (own, True)])

    clusters = dict(leaves(model._bisecting_tree, []))
    turned = np.zeros((len(offsets), len(clusters)))
    for label, above in clusters.items():
        for split, right in above:
            turned[split, label] = 1.0 if right else -1.0
    return np.array(directions).T, np.array(offsets), turned, (turned > 0).sum(axis=0)
