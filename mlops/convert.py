"""Compiles an estimator to ONNX, where that is proven to answer alike; or says why not.

The float32 trap: linear models compute in float64, trees compare float32. So graphs in float64 are tried first, with a
cast in front of each tree, and graphs in float32 after them; the first that is proven is kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import is_classifier

from contract import Contract
from errors import StartupError
from estimator import Predictor
from mlops.parity import TOLERANCE, NotProven, Parity, rows_of_all_kinds, with_gaps
from numpy_graph import NumpyGraph
from onnx_model import INPUT, OnnxModel, OnnxPredictor, open_session
from validation import Batch

if TYPE_CHECKING:
    from onnx_model import Session

FILE_NAME = "model.onnx"
DTYPES: tuple[Literal["float64", "float32"], ...] = ("float64", "float32")


def convert(estimator: Any, contract: Contract, sample: np.ndarray) -> tuple[OnnxModel, bytes]:
    """``sample``: (rows, features), floats. Raises NotProven."""
    if contract.dtype == object:
        raise NotProven("it takes texts, categories or booleans")
    try:
        is_classifier(estimator)
    except Exception as error:  # it has no tags
        raise NotProven("it is not made for scikit-learn") from error
    reasons = {}
    for dtype in DTYPES:
        try:
            graph = _graph(estimator, contract, dtype)
        except NotProven as error:
            reasons[dtype] = str(error)
            continue
        for candidate in _readings(estimator, contract, dtype, [output.name for output in graph.graph.output]):
            try:
                return _proven(candidate, graph, estimator, contract, sample), graph.SerializeToString()
            except NotProven as error:
                reasons[dtype] = str(error)
    raise NotProven("; ".join(f"{dtype}: {reason}" for dtype, reason in reasons.items()))


def _graph(estimator: Any, contract: Contract, dtype: str) -> Any:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    kind = DoubleTensorType if dtype == "float64" else FloatTensorType
    shape = [None, len(contract.features)]
    options = {"zipmap": False} if is_classifier(estimator) else None
    with _quiet():
        try:
            graph = to_onnx(estimator, initial_types=[(INPUT, kind(shape))], options=options)
        except Exception as error:  # converters of many authors fail in many ways
            raise NotProven(f"skl2onnx can't convert it ({type(error).__name__})") from error
    if dtype == "float64":
        _cast_around_trees(graph)
    return graph


def _cast_around_trees(graph: Any) -> None:
    """ONNX's trees compare float32, as scikit-learn's do: what reaches them in float64 is cast, and back."""
    from onnx import TensorProto, helper

    nodes = []
    for node in graph.graph.node:
        if not node.op_type.startswith("TreeEnsemble"):
            nodes.append(node)
            continue
        source, node.input[0] = node.input[0], f"{node.name}_float"
        nodes += [helper.make_node("Cast", [source], [node.input[0]], to=TensorProto.FLOAT), node]
        if node.op_type == "TreeEnsembleRegressor":
            result, node.output[0] = node.output[0], f"{node.name}_result"
            nodes.append(helper.make_node("Cast", [node.output[0]], [result], to=TensorProto.DOUBLE))
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Converters warn and print of what only their authors can mend."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _readings(estimator: Any, contract: Contract, dtype: Any, names: list[str]) -> Iterator[OnnxModel]:
    """How the outputs may be read: a classifier's label off its probabilities, or as the graph gives it."""
    plain = OnnxModel(FILE_NAME, dtype, {}, labels=None, flat=False, missing=False, parity={})
    if not is_classifier(estimator):
        method = "predict" if "predict" in contract.methods else "transform"
        yield dataclasses.replace(plain, outputs={method: names[0]})
    elif hasattr(estimator, "predict_proba") and not isinstance(estimator.classes_, list):
        label, probabilities = names
        both = {"predict": probabilities, "predict_proba": probabilities}
        off_probabilities = dataclasses.replace(plain, outputs=both, labels=estimator.classes_.tolist())
        off_label = dataclasses.replace(plain, outputs=both | {"predict": label})
        # In float32 only the former breaks ties as scikit-learn does; in float64 the label is nearer to it, and cheap.
        yield from (off_probabilities, off_label) if dtype == "float32" else (off_label, off_probabilities)
    else:
        yield dataclasses.replace(plain, outputs={"predict": names[0]})


def _proven(model: OnnxModel, graph: Any, estimator: Any, contract: Contract, sample: np.ndarray) -> OnnxModel:
    """The model with what was proven of it. Raises NotProven."""
    data = graph.SerializeToString()
    try:
        session = open_session(data)
    except StartupError as error:
        raise NotProven(f"ONNX Runtime can't run it ({type(error.__cause__).__name__})") from error
    direct = Predictor(estimator, contract)
    method = next(iter(model.outputs))
    first = direct(Batch(np.ascontiguousarray(sample[:1], dtype=contract.dtype), method))
    model = dataclasses.replace(model, flat=not isinstance(first[0], list))

    def prove(model: OnnxModel, session: Session, kinds: Iterable[tuple[str, np.ndarray]]) -> dict[str, Any]:
        parity = Parity(OnnxPredictor(model, session, direct), direct, contract, model.outputs)
        for kind, rows in kinds:
            parity.check(kind, rows)
        return {"rows": parity.rows, "largest_difference": parity.apart, "tolerance": TOLERANCE}

    kinds = list(rows_of_all_kinds(sample, _splits(graph)))
    model = dataclasses.replace(model, parity=prove(model, session, kinds))
    missing = [j for j, feature in enumerate(contract.features) if feature.missing]
    if missing:
        gaps = ("with missing values", with_gaps(sample, missing))
        with contextlib.suppress(NotProven):  # then such rows are the estimator's
            lenient = dataclasses.replace(model, missing=True)
            prove(lenient, session, [gaps])
            model = lenient
            kinds.append(gaps)
    if dense := NumpyGraph.of(data):
        with contextlib.suppress(NotProven, ValueError):  # then it is ONNX Runtime's
            prove(model, dense, kinds)
            model = dataclasses.replace(model, numpy=True)
    return model


def _splits(graph: Any) -> Iterator[tuple[int, float]]:
    """Feature and threshold of each split of a graph's trees."""
    for node in graph.graph.node:
        found = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type.startswith("TreeEnsemble") and "nodes_values" in found:
            yield from zip(found["nodes_featureids"].ints, found["nodes_values"].floats, strict=True)
