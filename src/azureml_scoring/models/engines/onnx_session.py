"""Opens a compiled model in ONNX Runtime, and says what computes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from azureml_scoring.errors import StartupError
from azureml_scoring.models.engines.batch_size_switch import BatchSizeSwitch
from azureml_scoring.models.engines.booster_session import BoosterSession
from azureml_scoring.models.engines.numpy_graph import NumpyGraph
from azureml_scoring.models.engines.session import Session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

Provider = Literal["cpu", "cuda"]
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
RECORD_PLACEMENT = "session.record_ep_graph_assignment_info"


def open_session(graph: bytes, *, provider: Provider = "cpu", threads: int = 1) -> InferenceSession:
    """Open a graph in ONNX Runtime. Raises StartupError if the provider can't run it."""
    import onnxruntime  # takes a quarter of a second, so only models that need it pay

    name = PROVIDERS[provider]
    if name not in onnxruntime.get_available_providers():
        raise StartupError(
            f"SCORING_ONNX_PROVIDER={provider} is not available; install onnxruntime-gpu on a "
            f"machine with CUDA, or remove the setting."
        )
    options = _options(threads)
    if provider != "cpu":
        options.add_session_config_entry(RECORD_PLACEMENT, "1")
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=[name])
    except Exception as error:  # its exceptions are not exported
        raise StartupError(
            f"ONNX Runtime can't run the model ({type(error).__name__}); set "
            f"SCORING_BACKEND=sklearn."
        ) from error
    if provider != "cpu":
        session.disable_fallback()  # or it would go on after an error, on the CPU
        if name not in placement(session):
            raise StartupError(
                f"SCORING_ONNX_PROVIDER={provider}, but no part of this model can run there, as of "
                f"most scikit-learn models; remove the setting, and read docs/adr/0006-onnx.md on "
                f"which models a GPU can run."
            )
    return session


def placement(session: InferenceSession) -> dict[str, int]:
    """Count the graph's nodes by the provider that runs them, for sessions with a GPU.

    ``session.get_providers()`` doesn't say: it always lists the CPU, which takes the nodes that the
    others can't run.
    """
    parts = session.get_provider_graph_assignment_info()
    return dict(Counter(part.ep_name for part in parts for _ in part.get_nodes()))


def runtime_description(session: Session) -> str:
    """Say what computes: numpy, a library, or ONNX Runtime and where its nodes run."""
    if isinstance(session, BatchSizeSwitch):
        small, large = map(runtime_description, (session.small, session.large))
        return f"{small}; {large} from {session.large_from} rows"
    if isinstance(session, NumpyGraph):
        return "numpy"
    if isinstance(session, BoosterSession):
        return session.runtime
    import onnxruntime

    graph = cast("InferenceSession", session)
    runtime, (first, *others) = f"onnxruntime {onnxruntime.__version__}", graph.get_providers()
    if not others:
        return f"{runtime} {first}"
    nodes = placement(graph)
    return f"{runtime} {first} {nodes[first]} of {sum(nodes.values())} nodes"


def read_file(file: Path) -> bytes:
    """Read the compiled model's file. Raises StartupError."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise StartupError(
            f"{file} can't be read ({error.strerror}); upload the artifact again."
        ) from None


def _options(threads: int) -> SessionOptions:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads would spin, and take a processor each.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # fatal only: the exception says the rest
    return options
