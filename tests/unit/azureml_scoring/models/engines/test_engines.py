import logging

import onnx
import pytest
from onnx import TensorProto, helper

from azureml_scoring.models.engines.engines import Engines
from azureml_scoring.models.engines.onnx_model import OnnxModel


def test_an_engine_that_is_not_here_is_told(caplog: pytest.LogCaptureFixture):
    """ONNX Runtime computes in place of a booster that the model does not have, and the log says
    so."""
    X, y = (helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in "Xy")
    graph = helper.make_graph([helper.make_node("Identity", ["X"], ["y"])], "g", [X], [y])
    opset = [helper.make_opsetid("", 17)]
    data = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    onnx.checker.check_model(data)
    model = OnnxModel("m", "float64", {"predict": "y"}, None, flat=False, missing=False, parity={})
    engines = Engines(model, data, object())
    with caplog.at_level(logging.WARNING, "scoring"):
        engines.open("onnxruntime")
        assert not caplog.messages
        engines.open("booster")
    assert any("engine booster" in message for message in caplog.messages)
