"""Reading an ONNX graph without the package onnx."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from azureml_scoring.models.engines.onnx_reader import (
    DTYPES,
    attributes_of,
    dtype_of,
    read_graph,
    to_array,
)


@pytest.mark.parametrize("raw", [False, True], ids=["typed", "raw"])
@pytest.mark.parametrize("data_type", sorted(DTYPES))
def test_tensors_are_read_as_onnx_reads_them(data_type: int, raw: bool):
    """Of each type, whichever field holds the values."""
    dtype = helper.tensor_dtype_to_np_dtype(data_type)
    values = np.array([[1, 0, 3], [4, 5, 6]]).astype(dtype)
    if data_type == TensorProto.STRING:
        values = np.array([["a", "", "ä"], ["b", "c", "d"]], dtype=object)
        raw = False
    content = values.tobytes() if raw else values.ravel().tolist()
    tensor = helper.make_tensor("t", data_type, values.shape, content, raw=raw)
    read, expected = to_array(tensor), numpy_helper.to_array(tensor)
    np.testing.assert_array_equal(read, expected)
    assert read.dtype == expected.dtype == dtype_of(data_type)


def test_a_graph_is_read_whole_and_other_types_are_left_to_onnx_runtime():
    """Attributes are plain values and arrays."""
    node = helper.make_node(
        "Any", ["X"], ["Y"], i=1, s="text", ints=[1, 2], floats=[0.5], strings=["a", "b"], f=0.5
    )
    X, Y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in "XY")
    model = helper.make_model(helper.make_graph([node], "graph", [X], [Y]))
    (read,) = read_graph(model.SerializeToString()).node
    values = attributes_of(read)
    assert (values["i"], values["s"], values["f"]) == (1, "text", None)
    assert (values["ints"].tolist(), values["floats"].tolist()) == ([1, 2], [0.5])
    assert values["strings"].tolist() == [b"a", b"b"]
    assert onnx.load_from_string(model.SerializeToString()).graph.name == "graph"
    with pytest.raises(NotImplementedError):
        dtype_of(TensorProto.BFLOAT16)
