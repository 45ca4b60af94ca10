"""Teaches skl2onnx to write boosted trees as ONNX's TreeEnsemble, in the floats of their library.

skl2onnx and onnxmltools write all trees in float32: a value between a threshold and the nearest
float32 then goes to the other side than in LightGBM and histogram gradient boosting, which compare
float64.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.base import is_classifier

from azureml_scoring.models import boosters
from mlops.parity import NotProven
from mlops.trees import catboost_trees, histogram_trees, lightgbm_trees, xgboost_trees
from mlops.trees.ensemble import Ensemble, Tree

DOMAIN = "ai.onnx.ml"
OPSET = 5
"""The first with a TreeEnsemble that adds and answers in float64."""

DOMAIN_WHILE_CONVERTING = "boosted"
"""skl2onnx knows ``DOMAIN`` up to opset 3 only."""

OLDER_TREES = {"TreeEnsembleClassifier", "TreeEnsembleRegressor"}
"""Operators of skl2onnx's own converters, which are gone from ``OPSET``."""

MODES = {"at most": 0, "below": 1}
MEMBER = 6
"""The mode of a split by a set of numbers: whole ones only in ONNX Runtime."""
TYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}

Read = Callable[[Any], Ensemble]


def register() -> None:
    """Register the boosters of the libraries that are imported. Call it once the model is
    loaded."""
    for number, (kind, read) in enumerate(_kinds()):
        update_registered_converter(
            kind,
            f"Boosted{number}{kind.__name__}",
            _shapes,
            _converter(read),
            parser=_parser,
            options={"zipmap": [False]},
        )


def finish(graph: Any) -> None:
    """Give a graph's boosted trees their real domain. Raises NotProven."""
    boosted = [node for node in graph.graph.node if node.domain == DOMAIN_WHILE_CONVERTING]
    if not boosted:
        return
    if any(node.op_type in OLDER_TREES for node in graph.graph.node):
        raise NotProven("it joins boosted trees with other trees, which ONNX has no one version of")
    for node in boosted:
        node.domain = DOMAIN
    known = {entry.domain: entry for entry in graph.opset_import}
    graph.opset_import.remove(known[DOMAIN_WHILE_CONVERTING])
    (known.get(DOMAIN) or graph.opset_import.add(domain=DOMAIN)).version = OPSET


def _kinds() -> Iterator[tuple[type, Read]]:
    from sklearn import ensemble

    yield ensemble.HistGradientBoostingClassifier, histogram_trees.ensemble
    yield ensemble.HistGradientBoostingRegressor, histogram_trees.ensemble
    if library := sys.modules.get(f"{boosters.__name__}.booster_estimator"):
        yield library.BoosterClassifier, _of_file
        yield library.BoosterRegressor, _of_file
    if library := sys.modules.get("lightgbm"):
        for name in ("LGBMClassifier", "LGBMRegressor"):
            yield getattr(library, name), lambda model: lightgbm_trees.ensemble(model.booster_)
    if library := sys.modules.get("xgboost"):
        for name in ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor"):
            yield getattr(library, name), _xgboost
    if library := sys.modules.get("catboost"):
        for name in ("CatBoostClassifier", "CatBoostRegressor"):
            yield getattr(library, name), catboost_trees.ensemble


def _of_file(model: Any) -> Ensemble:
    booster = model.booster
    match type(booster).__name__:
        case "XgboostBooster":
            return xgboost_trees.ensemble(booster.native, booster.best_iterations)
        case "LightgbmBooster":
            return lightgbm_trees.ensemble(booster.native)
    return catboost_trees.ensemble(booster.native)


def _xgboost(model: Any) -> Ensemble:
    _, iterations = model._get_iteration_range(None)
    missing = np.nan if model.missing is None else model.missing
    return xgboost_trees.ensemble(model.get_booster(), iterations or None, missing)


def _parser(scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None) -> list[Any]:
    from skl2onnx._supported_operators import _get_sklearn_operator_name

    operator = scope.declare_local_operator(_get_sklearn_operator_name(type(model)), model)
    operator.inputs = inputs
    floats = _floats(inputs[0].type)
    if is_classifier(model):
        operator.outputs.append(scope.declare_local_variable("label", _label_type(model)))
        operator.outputs.append(scope.declare_local_variable("probabilities", floats()))
    else:
        operator.outputs.append(scope.declare_local_variable("variable", floats()))
    return list(operator.outputs)


def _floats(kind: Any) -> Any:
    return DoubleTensorType if isinstance(kind, DoubleTensorType) else FloatTensorType


def _label_type(model: Any) -> Any:
    kind = np.asarray(model.classes_).dtype.kind
    return {"b": BooleanTensorType, "i": Int64TensorType, "u": Int64TensorType}.get(
        kind, StringTensorType
    )()


def _shapes(operator: Any) -> None:
    """skl2onnx asks for a function; the parser has declared all that is needed."""


def _converter(read: Read) -> Callable[[Any, Any, Any], None]:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        trees = read(model)
        graph = _Nodes(scope, container)
        source = operator.inputs[0]
        asked = "float64" if isinstance(source.type, DoubleTensorType) else "float32"
        answers = _answers(graph, trees, source.full_name, asked)
        if not is_classifier(model):
            graph.add("Cast", answers, to=TYPES[asked], output=operator.outputs[0].full_name)
            return
        label, probabilities = (output.full_name for output in operator.outputs)
        # CatBoost answers with a list of one label where there are more than two.
        listed = read is catboost_trees.ensemble and len(trees.base) > 1
        best = graph.add("ArgMax", answers, axis=1, keepdims=int(listed))
        graph.add("Gather", graph.constant(_classes(model)), best, output=label)
        graph.add("Cast", answers, to=TYPES[asked], output=probabilities)

    return convert


def _classes(model: Any) -> np.ndarray:
    classes = np.asarray(model.classes_)
    if classes.dtype.kind in "iu":
        return classes.astype(np.int64)
    return classes if classes.dtype.kind == "b" else classes.astype(object)


class _Nodes:
    """Adds nodes to skl2onnx's container, and names what they give."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        output = output or self._scope.get_unique_variable_name(kind.lower())
        domain = DOMAIN_WHILE_CONVERTING if kind == "TreeEnsemble" else ""
        self._container.add_node(
            kind,
            list(inputs),
            [output],
            name=self._scope.get_unique_operator_name(kind),
            op_domain=domain,
            **({"op_version": 1} if domain else {}),
            **attributes,
        )
        return output

    def constant(self, values: np.ndarray) -> str:
        """Add numbers, booleans, or texts as objects."""
        name: str = self._scope.get_unique_variable_name("constant")
        tensor = numpy_helper.from_array(values)
        data = tensor.string_data if values.dtype == object else values.ravel()
        self._container.add_initializer(name, tensor.data_type, list(values.shape), list(data))
        return name


def _answers(graph: _Nodes, trees: Ensemble, X: str, dtype: str) -> str:
    """Return the name of the answers: for a classifier the probabilities of all classes."""
    if dtype != trees.compared:
        X = graph.add("Cast", X, to=TYPES[trees.compared])
    if trees.missing is not None:
        number, gap = (
            graph.constant(np.array(value, dtype=trees.compared))
            for value in (trees.missing, np.nan)
        )
        X = graph.add("Where", graph.add("Equal", X, number), gap, X)
    if trees.compared != trees.added:
        X = graph.add("Cast", X, to=TYPES[trees.added])
    if trees.whole:
        X = _whole(graph, trees, X)

    sums = graph.add("TreeEnsemble", X, **_attributes(trees))
    if trees.base.any():
        sums = graph.add("Add", sums, graph.constant(trees.base.astype(trees.added)))
    if trees.factor != 1:
        sums = graph.add("Mul", sums, graph.constant(np.array(trees.factor, dtype=trees.added)))
    match trees.link:
        case "exp":
            return graph.add("Exp", sums)
        case "softmax":
            return graph.add("Softmax", sums, axis=1)
        case "signed square":
            return graph.add("Mul", sums, graph.add("Abs", sums))
        case "sigmoid":
            second = graph.add("Sigmoid", sums)
            if len(trees.base) > 1:
                return second
            first = graph.add("Sub", graph.constant(np.array(1, dtype=trees.added)), second)
            return graph.add("Concat", first, second, axis=1)
    return sums


def _whole(graph: _Nodes, trees: Ensemble, X: str) -> str:
    """Drop the fractions of some features, as a cast to whole numbers would; NaN stays."""
    whole = graph.add("Mul", graph.add("Sign", X), graph.add("Floor", graph.add("Abs", X)))
    places = np.isin(np.arange(trees.width), [*trees.whole])[None]
    return graph.add("Where", graph.constant(places), whole, X)


def _attributes(trees: Ensemble) -> dict[str, Any]:
    """Return TreeEnsemble's attributes.

    A tree without splits gets one, of which both sides are its leaf.
    """
    parts = [tree if len(tree.feature) else _with_split(tree) for tree in trees.trees]
    splits = np.cumsum([0, *(len(tree.feature) for tree in parts)])
    leaves = np.cumsum([0, *(len(tree.values) for tree in parts)])
    left, right = (
        np.concatenate(
            [
                np.where(side < 0, ~side + leaf, side + split)
                for tree, split, leaf in zip(parts, splits[:-1], leaves[:-1], strict=True)
                for side in [getattr(tree, name)]
            ]
        )
        for name in ("left", "right")
    )
    left_leaf, right_leaf = (
        np.concatenate([getattr(tree, name) < 0 for tree in parts]) for name in ("left", "right")
    )
    features = np.concatenate([tree.feature for tree in parts])

    def tensor(name: str, values: np.ndarray) -> Any:
        return numpy_helper.from_array(np.ascontiguousarray(values), name)

    def floats(name: str, values: list[np.ndarray]) -> Any:
        return tensor(name, np.concatenate(values).astype(trees.added))

    modes = np.full(len(features), MODES[trees.comparison], dtype=np.uint8)
    thresholds = np.concatenate([tree.threshold for tree in parts]).astype(np.float64)
    members: list[float] = []
    for tree, split in zip(parts, splits[:-1].tolist(), strict=True):
        for place, numbers in sorted(tree.sets.items()):
            if len(numbers):
                modes[split + place] = MEMBER
                members += [*numbers, np.nan]
            else:
                thresholds[split + place] = -np.inf  # nothing goes to the left

    return (
        {
            "n_targets": len(trees.base),
            "aggregate_function": 1,  # the sum
            "post_transform": 0,
            "tree_roots": splits[:-1].tolist(),
            "nodes_featureids": features.tolist(),
            "nodes_splits": floats("nodes_splits", [thresholds]),
            "nodes_modes": tensor("nodes_modes", modes),
            "nodes_missing_value_tracks_true": np.concatenate([tree.missing_left for tree in parts])
            .astype(int)
            .tolist(),
            "nodes_truenodeids": left.tolist(),
            "nodes_trueleafs": left_leaf.astype(int).tolist(),
            "nodes_falsenodeids": right.tolist(),
            "nodes_falseleafs": right_leaf.astype(int).tolist(),
            "leaf_targetids": np.repeat(
                [tree.output for tree in parts], [len(tree.values) for tree in parts]
            ).tolist(),
            "leaf_weights": floats("leaf_weights", [tree.values for tree in parts]),
        }
        | (
            {"membership_values": floats("membership_values", [np.array(members)])}
            if members
            else {}
        )
    )


def _with_split(tree: Tree) -> Tree:
    zero, leaf = np.zeros(1, dtype=np.int64), np.array([~0])
    return Tree(zero, np.zeros(1), zero > 0, leaf, leaf, tree.values, tree.output)
