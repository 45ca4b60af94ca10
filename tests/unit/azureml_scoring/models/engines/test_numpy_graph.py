"""Graphs of few dense operations, computed by numpy."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from azureml_scoring.models.engines import numpy_graph, numpy_operations, onnx_session
from azureml_scoring.models.engines.numpy_graph import NumpyGraph

WIDTH = 3
RNG = np.random.default_rng(0)
OPSETS = [helper.make_opsetid("", 19), helper.make_opsetid("ai.onnx.ml", 3)]
CLASSES = np.array([7, 8, 9])
ONE_OF_EACH = {
    "Add": RNG.normal(size=WIDTH), "Sub": RNG.normal(size=WIDTH), "Mul": RNG.normal(size=WIDTH),
    "Div": RNG.uniform(1, 2, WIDTH), "MatMul": RNG.normal(size=(WIDTH, WIDTH)),
}  # fmt: skip
OF_ONE = ["Abs", "Cos", "Neg", "Relu", "Sigmoid", "Tanh"]
ENDS: dict[str, dict[str, Any]] = {
    "ArgMax": {"axis": 1, "keepdims": 0},
    "Cast": {"to": TensorProto.FLOAT},
    "ReduceSum": {"keepdims": 1},
    "Softmax": {},
}


def graph_of(nodes: list[tuple[str, dict[str, Any]]], *outputs: int) -> bytes:
    """Build a chain of nodes. ``outputs``: places of the results, by default the last one."""
    constants, made, before = [], [], "X"
    for i, (kind, given_) in enumerate(nodes):
        inputs, attributes = [before], given_
        if kind in ONE_OF_EACH:
            constants.append(numpy_helper.from_array(ONE_OF_EACH[kind], f"c{i}"))
            inputs.append(f"c{i}")
        if kind == "ReduceSum":
            constants.append(numpy_helper.from_array(np.array([1]), f"c{i}"))
            inputs.append(f"c{i}")
        if kind == "Reshape":
            constants.append(numpy_helper.from_array(np.array([-1]), f"c{i}"))
            inputs.append(f"c{i}")
        if kind == "ArrayFeatureExtractor":
            constants.append(numpy_helper.from_array(CLASSES, f"c{i}"))
            inputs.insert(0, f"c{i}")
            attributes = {"domain": "ai.onnx.ml"}
        made.append(helper.make_node(kind, inputs, [before := f"y{i}"], **attributes))
    told = [helper.make_empty_tensor_value_info(f"y{i}") for i in outputs or (len(nodes) - 1,)]
    rows = helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, WIDTH])
    graph = helper.make_graph(made, "test", [rows], told, constants)
    return onnx.helper.make_model(graph, opset_imports=OPSETS, ir_version=9).SerializeToString()


@given(
    st.lists(st.sampled_from([*ONE_OF_EACH, *OF_ONE]), min_size=1, max_size=6),
    st.sampled_from([*ENDS, None]),
    st.lists(st.lists(st.floats(-5, 5), min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=3),
)
def test_it_answers_as_onnx_runtime_does(
    kinds: list[str], end: str | None, rows: list[list[float]]
):
    """Any chain of the operations that it knows, one row or more: shape, type and values."""
    last = len(kinds) - (end is None)
    graph = graph_of(
        [(kind, {}) for kind in kinds] + ([(end, ENDS[end])] if end else []),
        *{len(kinds) - 1, last},
    )
    dense = NumpyGraph.of(graph)
    assert dense
    inputs = {"X": np.array(rows)}
    (answer,), (expected,) = (
        it.run([f"y{last}"], inputs) for it in (dense, onnx_session.open_session(graph))
    )
    assert (answer.shape, answer.dtype) == (expected.shape, expected.dtype)
    if end == "ArgMax":  # a tie to the last bit is anybody's
        (scores,) = dense.run([f"y{last - 1}"], inputs)
        answer, expected = (scores[np.arange(len(rows)), places] for places in (answer, expected))
    np.testing.assert_allclose(answer, expected, rtol=1e-6, atol=1e-9)


@given(
    st.lists(st.sampled_from([*ONE_OF_EACH, *OF_ONE]), min_size=1, max_size=6),
    st.sampled_from([*ENDS, None]),
    st.lists(st.lists(st.floats(-5, 5), min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=9),
)
def test_a_row_among_others_is_answered_as_it_is_alone(
    kinds: list[str], end: str | None, rows: list[list[float]]
):
    """``each_row`` gives the same bits, so a client can't see which requests were joined."""
    dense = NumpyGraph.of(
        graph_of([(kind, {}) for kind in kinds] + ([(end, ENDS[end])] if end else []))
    )
    assert dense
    (output,) = dense._programs
    alone = [dense.run([output], {"X": np.array([row])})[0] for row in rows]
    assert dense.each_row(output, np.array(rows)).tobytes() == np.concatenate(alone).tobytes()


@pytest.mark.parametrize("outputs", [1, 2, 3, 17])
@pytest.mark.parametrize("features", [1, 2, 5, 10, 64, 257])
def test_a_row_of_any_width_is_answered_as_it_is_alone(features: int, outputs: int):
    """However the library adds up the products of a matrix."""
    X, matrix = RNG.normal(size=(8, features)), RNG.normal(size=(features, outputs))
    alone = np.concatenate([np.dot(row, matrix) for row in X[:, None]])
    for count in range(1, 9):
        assert (
            numpy_operations.BY_ROW[np.dot](X[:count], matrix).tobytes() == alone[:count].tobytes()
        )


@pytest.mark.parametrize("compare", ["Greater", "GreaterOrEqual"])
def test_gaps_are_filled_and_edges_compared_as_onnx_runtime_does(compare: str):
    """Missing values, numbers on an edge, and columns that are taken twice."""
    constants = {
        "fills": RNG.normal(size=WIDTH),
        "places": np.array([2, 0, 0]),
        "edges": np.ones(3),
    }
    chain = [
        helper.make_node("IsNaN", ["X"], ["gaps"]),
        helper.make_node("Where", ["gaps", "fills", "X"], ["filled"]),
        helper.make_node("Gather", ["filled", "places"], ["taken"], axis=1),
        helper.make_node(compare, ["taken", "edges"], ["above"]),
        helper.make_node("Cast", ["above"], ["y"], to=TensorProto.DOUBLE),
    ]
    rows = helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, WIDTH])
    told = [helper.make_empty_tensor_value_info(name) for name in ("filled", "y")]
    known = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(chain, "test", [rows], told, known)
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=9).SerializeToString()
    dense, session = NumpyGraph.of(model), onnx_session.open_session(model)
    assert dense
    X = np.array([[1.0, np.nan, np.nextafter(1.0, 2)], [np.nan, 1.5, -1.0]])
    for count, output in ((1, "y"), (2, "y"), (2, "filled")):
        (answer,), (expected,) = (it.run([output], {"X": X[:count]}) for it in (dense, session))
        np.testing.assert_array_equal(answer, expected)
        assert dense.each_row(output, X[:count]).tobytes() == answer.tobytes()


@pytest.mark.parametrize(
    "tail",
    [
        [],
        ["Cast"],
        ["Reshape"],
        ["Cast", "Reshape"],
        ["Reshape", "Cast"],
        ["Cast", "Abs", "Reshape"],
    ],
    ids=lambda tail: ", ".join(tail) or "alone",
)
@pytest.mark.parametrize("keepdims", [0, 1])
def test_labels_are_looked_up_as_onnx_runtime_does(tail: list[str], keepdims: int):
    """Whatever is done to them after: shape, type and values."""
    kinds = ["MatMul", "ArgMax", "ArrayFeatureExtractor", *tail]
    attributes = {"ArgMax": {"axis": 1, "keepdims": keepdims}, "Cast": {"to": TensorProto.DOUBLE}}
    graph = graph_of([(kind, attributes.get(kind, {})) for kind in kinds])
    dense = NumpyGraph.of(graph)
    assert dense
    for count in (1, 3):
        asked = [f"y{len(kinds) - 1}"], {"X": RNG.normal(size=(count, WIDTH))}
        (answer,), (expected,) = (
            it.run(*asked) for it in (dense, onnx_session.open_session(graph))
        )
        assert (answer.shape, answer.dtype, answer.tolist()) == (
            expected.shape,
            expected.dtype,
            expected.tolist(),
        )


@pytest.mark.parametrize(
    "nodes",
    [
        [("Erf", {})],
        [("ArgMax", {"select_last_index": 1})],
        [("Abs", {})] * (numpy_graph.MAX_NODES + 1),
    ],
    ids=["an operation it lacks", "a way of it that it lacks", "a large graph"],
)
def test_other_graphs_are_onnx_runtimes(nodes: list[tuple[str, dict[str, Any]]]):
    """No graph is computed partly by numpy and partly by ONNX Runtime."""
    assert NumpyGraph.of(graph_of(nodes)) is None


def test_what_an_output_does_not_need_is_not_computed(monkeypatch: pytest.MonkeyPatch):
    """Labels don't pay for probabilities."""
    computed = []
    monkeypatch.setitem(
        numpy_operations.ELEMENTWISE, "Tanh", lambda x: computed.append("Tanh") or np.tanh(x)
    )
    dense = NumpyGraph.of(graph_of([("Abs", {}), ("Neg", {}), ("Tanh", {})], 1, 2))
    assert dense
    dense.run(["y1"], {"X": np.ones((1, WIDTH))})
    assert not computed
    dense.run(["y2"], {"X": np.ones((1, WIDTH))})
    assert computed


def test_numbers_beyond_all_bounds_are_infinite_without_a_word():
    """Then the estimator answers; a numpy warning on standard error would help nobody."""
    dense = NumpyGraph.of(graph_of([("Mul", {}), ("Exp", {})]))
    assert dense
    (answer,) = dense.run(["y1"], {"X": np.full((1, WIDTH), -1e308)})
    assert np.isinf(answer).any()


def test_an_overflow_writes_nothing_to_the_log():
    """A row whose answer is not finite makes no RuntimeWarning, in a process without pytest."""
    program = (
        "import numpy as np, onnx.helper as h\n"
        "from azureml_scoring.models.engines.numpy_graph import NumpyGraph\n"
        "x, y = (h.make_tensor_value_info(n, 11, [None, 1]) for n in 'xy')\n"
        "graph = h.make_graph([h.make_node('Exp', ['x'], ['y'])], 'g', [x], [y])\n"
        "print(NumpyGraph(graph).run(['y'], {'x': np.array([[1e4]])}))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert "inf" in process.stdout
    assert process.stderr == ""
