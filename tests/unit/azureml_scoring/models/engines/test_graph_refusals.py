"""A graph that can't be served is refused in a sentence that says what to do."""

import re
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from azureml_scoring.errors import StartupError
from azureml_scoring.models.engines.graph_estimator import GraphEstimator


def refusal(graph: Any) -> str:
    with pytest.raises(StartupError) as caught:
        GraphEstimator(graph if isinstance(graph, bytes) else graph.SerializeToString(), "m.onnx")
    return str(caught.value)


def image() -> Any:
    return graphs.model(
        [helper.make_node("Flatten", ["x"], ["y"])],
        [graphs.tensor("x", TensorProto.FLOAT, "N", 3, 8, 8)],
        [graphs.tensor("y", TensorProto.FLOAT, "N", 192)],
    )


def fixed() -> Any:
    return graphs.linear(rows=8)


def sequence() -> Any:
    return graphs.model(
        [helper.make_node("ConcatFromSequence", ["x"], ["y"], axis=0)],
        [helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, ["N"])],
        [graphs.tensor("y", TensorProto.FLOAT, "M")],
    )


def two_heads() -> Any:
    return graphs.model(
        [helper.make_node("Neg", ["x"], ["minus"]), helper.make_node("Abs", ["x"], ["size"])],
        [graphs.tensor("x", TensorProto.FLOAT, "N", 1)],
        [graphs.tensor(name, TensorProto.FLOAT, "N", 1) for name in ("minus", "size")],
    )


def custom() -> Any:
    return graphs.model(
        [helper.make_node("Tokenizer", ["x"], ["y"], domain="ai.onnx.contrib")],
        [graphs.tensor("x", TensorProto.FLOAT, "N", 1)],
        [graphs.tensor("y", TensorProto.FLOAT, "N", 1)],
        opsets=[*graphs.OPSETS, helper.make_opsetid("ai.onnx.contrib", 1)],
    )


def newer() -> Any:
    return graphs.model(
        [helper.make_node("Neg", ["x"], ["y"])],
        [graphs.tensor("x", TensorProto.FLOAT, "N", 1)],
        [graphs.tensor("y", TensorProto.FLOAT, "N", 1)],
        opsets=[helper.make_opsetid("", 99)],
    )


def newest_format() -> Any:
    return graphs.model(
        [helper.make_node("Neg", ["x"], ["y"])],
        [graphs.tensor("x", TensorProto.FLOAT, "N", 1)],
        [graphs.tensor("y", TensorProto.FLOAT, "N", 1)],
        ir_version=99,
    )


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        (image, r"x of m\.onnx has 4 dimensions, .* put a Reshape in front of it"),
        (fixed, r"m\.onnx takes 8 rows at a time, no more and no fewer; export it again so that"),
        (sequence, r"x of m\.onnx is seq\(tensor\(float\)\), which no column"),
        (two_heads, r"which of its outputs .* minus \(tensor\(float\)\), size .* keep the one"),
        (custom, r"operators that ONNX Runtime does not bring \(Tokenizer of ai\.onnx\.contrib\)"),
        (newer, r"uses opset 99 of ai\.onnx, and ONNX Runtime .* export it again for that version"),
        (newest_format, r"is in version 99 of ONNX's file format, and ONNX Runtime .* reads"),
    ],
)
def test_a_graph_that_can_not_be_served_says_what_to_do(graph: Any, told: str):
    """In one sentence."""
    message = refusal(graph())
    assert re.search(told, message), message


@pytest.mark.parametrize("data", [b"", b"no graph", graphs.linear().SerializeToString()[:60]])
def test_damaged_bytes_are_no_graph(data: bytes):
    """They are named as such."""
    assert "is damaged or incomplete, or no ONNX graph" in refusal(data)


def test_numbers_in_other_files_are_refused(tmp_path: Path):
    """Nothing would verify them, and their names may lead anywhere."""
    model = graphs.linear()
    onnx.external_data_helper.convert_model_to_external_data(model, size_threshold=0)
    onnx.save_model(model, tmp_path / "m.onnx")
    message = refusal((tmp_path / "m.onnx").read_bytes())
    assert "keeps some of its numbers in other files, such as those of w" in message
    assert "save_as_external_data=False" in message


def elsewhere(name: str, file: Path) -> TensorProto:
    """Three numbers that lie in another file."""
    np.arange(3, dtype=np.float32).tofile(file)
    constant = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[3])
    constant.data_location = TensorProto.EXTERNAL
    constant.external_data.add(key="location", value=file.name)
    return constant


def test_numbers_in_other_files_are_refused_wherever_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In a graph without operators, which answers with them, and in a function of the graph."""
    monkeypatch.chdir(tmp_path)
    x, y = (graphs.tensor(name, TensorProto.FLOAT, "N", 3) for name in "xy")
    bare = graphs.model([], [x], [graphs.tensor("y", TensorProto.FLOAT, 3)])
    bare.graph.initializer.append(elsewhere("y", tmp_path / "numbers"))
    body = [
        helper.make_node("Constant", [], ["c"], value=elsewhere("c", tmp_path / "numbers")),
        helper.make_node("Add", ["a", "c"], ["b"]),
    ]
    own = helper.make_opsetid("own", 1)
    calling = graphs.model(
        [helper.make_node("Plus", ["x"], ["y"], domain="own")],
        [x],
        [y],
        opsets=[*graphs.OPSETS, own],
    )
    calling.functions.append(
        helper.make_function("own", "Plus", ["a"], ["b"], body, graphs.OPSETS[:1])
    )
    for graph in (bare, calling):
        assert "keeps some of its numbers in other files" in refusal(graph)
