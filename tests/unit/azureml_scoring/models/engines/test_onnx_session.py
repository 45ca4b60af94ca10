import numpy as np
import onnxruntime
import pytest
from sklearn.linear_model import LinearRegression

from azureml_scoring.errors import StartupError
from azureml_scoring.models.engines import onnx_session
from mlops.graphs import onnx_graphs

X = np.arange(12.0).reshape(6, 2)
LINEAR = next(onnx_graphs(LinearRegression().fit(X, X[:, 0]), 2))[1]


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that is there and takes no node, as CUDA's takes none of most scikit-learn
    models."""
    monkeypatch.setitem(onnx_session.PROVIDERS, "cuda", "AzureExecutionProvider")


@pytest.fixture
def half_a_gpu(no_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes a part of them: this can't be had without a GPU, so ONNX Runtime's report is
    made up."""

    class Part:
        def __init__(self, name: str, nodes: int) -> None:
            self.ep_name, self._nodes = name, nodes

        def get_nodes(self) -> list[None]:
            return [None] * self._nodes

    parts = [
        Part("AzureExecutionProvider", 1),
        Part("CPUExecutionProvider", 2),
        Part("AzureExecutionProvider", 2),
    ]
    monkeypatch.setattr(
        onnxruntime.InferenceSession, "get_provider_graph_assignment_info", lambda session: parts
    )


def test_a_provider_that_is_not_there_says_what_to_install():
    """The model is not computed elsewhere in silence."""
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.fail("this test is for machines without CUDA")
    with pytest.raises(StartupError, match="onnxruntime-gpu"):
        onnx_session.open_session(b"", provider="cuda")


def test_a_graph_that_can_not_be_run_says_what_to_do():
    """The same holds for bytes that are not a graph."""
    with pytest.raises(StartupError, match="SCORING_BACKEND=sklearn"):
        onnx_session.open_session(b"these bytes are no graph")


def test_a_model_of_which_nothing_would_run_on_the_gpu_is_refused(no_gpu: None):
    """ONNX Runtime would take the CPU in its place without a message."""
    assert isinstance(LINEAR, bytes)
    with pytest.raises(StartupError, match="no part of this model can run there"):
        onnx_session.open_session(LINEAR, provider="cuda")


def test_where_the_nodes_of_a_graph_run_is_told(half_a_gpu: None):
    """The description has the number of nodes."""
    assert isinstance(LINEAR, bytes)
    session = onnx_session.open_session(LINEAR, provider="cuda")
    assert onnx_session.placement(session) == {
        "AzureExecutionProvider": 3,
        "CPUExecutionProvider": 2,
    }
    assert (
        onnx_session.runtime_description(session)
        == f"onnxruntime {onnxruntime.__version__} AzureExecutionProvider 3 of 5 nodes"
    )


def test_on_the_cpu_all_nodes_run_there():
    """Placement needs no count."""
    assert isinstance(LINEAR, bytes)
    session = onnx_session.open_session(LINEAR)
    assert (
        onnx_session.runtime_description(session)
        == f"onnxruntime {onnxruntime.__version__} CPUExecutionProvider"
    )
