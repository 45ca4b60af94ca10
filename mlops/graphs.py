"""Converts an estimator to ONNX graphs with skl2onnx."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any, Literal

from azureml_scoring.models.engines.onnx_model import INPUT_NAME
from mlops import conversion_failure
from mlops.parity import NotProven

Dtype = Literal["float64", "float32"]
DTYPES: tuple[Dtype, ...] = ("float64", "float32")

FLOAT32_TREES = {"TreeEnsembleClassifier", "TreeEnsembleRegressor"}

Converted = tuple[Dtype, bytes | NotProven]
"""A graph, or why there is none."""


def onnx_graphs(estimator: Any, width: int) -> Iterator[Converted]:
    """Yield a graph of each dtype, or why there is none. ``converter`` calls this safely."""
    for dtype in DTYPES:
        try:
            yield dtype, _graph(estimator, width, dtype)
        except NotProven as error:
            yield dtype, error


def _graph(estimator: Any, width: int, dtype: Dtype) -> bytes:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
    from skl2onnx.proto import get_latest_tested_opset_version
    from sklearn.base import is_classifier

    from mlops import onnx_extensions
    from mlops.trees import onnx_trees

    kind = DoubleTensorType if dtype == "float64" else FloatTensorType
    options = {"zipmap": False} if is_classifier(estimator) else None
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            onnx_extensions.register()
            onnx_trees.register()
            graph = to_onnx(
                estimator,
                initial_types=[(INPUT_NAME, kind([None, width]))],
                options=options,
                target_opset={
                    "": get_latest_tested_opset_version(),
                    onnx_trees.DOMAIN: 3,
                    onnx_trees.DOMAIN_WHILE_CONVERTING: 1,
                },
            )
        except NotProven:
            raise
        except Exception as error:  # its converters have many authors, and raise anything
            raise NotProven(conversion_failure.why(error)) from error
    onnx_trees.finish(graph)
    if dtype == "float64":
        _cast_around_trees(graph)
    data: bytes = graph.SerializeToString()
    return data


def _cast_around_trees(graph: Any) -> None:
    """Cast float64 to float32 before each tree, and its result back: ONNX's trees compare float32,
    like scikit-learn's."""
    from onnx import TensorProto, helper

    answers = {output.name for output in graph.graph.output}
    nodes = []
    for node in graph.graph.node:
        if node.op_type not in FLOAT32_TREES:
            nodes.append(node)
            continue
        source, node.input[0] = node.input[0], f"{node.name}_float"
        nodes += [helper.make_node("Cast", [source], [node.input[0]], to=TensorProto.FLOAT), node]
        place = 0 if node.op_type == "TreeEnsembleRegressor" else 1
        result = node.output[place]
        if place == 0 or result not in answers:
            node.output[place] = f"{node.name}_result"
            nodes.append(
                helper.make_node("Cast", [node.output[place]], [result], to=TensorProto.DOUBLE)
            )
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
