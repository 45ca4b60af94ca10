"""Opens a compiled model: by numpy where that is proven, else by ONNX Runtime; and tells where it
is computed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from azureml_scoring.errors import StartupError
from azureml_scoring.models.engines.numpy_graph import NumpyGraph

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

    Session: TypeAlias = NumpyGraph | InferenceSession

Provider = Literal["cpu", "cuda"]
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
RECORD_PLACEMENT = "session.record_ep_graph_assignment_info"


def open_graph(graph: bytes, *, numpy: bool, provider: Provider, threads: int) -> Session:
    """Open by numpy if ``numpy`` says that it is proven. Raises StartupError."""
    dense = NumpyGraph.of(graph) if numpy and provider == "cpu" else None
    return dense or open_session(graph, provider=provider, threads=threads)


def open_session(graph: bytes, *, provider: Provider = "cpu", threads: int = 1) -> InferenceSession:
    """Raises StartupError where the graph can't be run, or not on what it is to run on."""
    import onnxruntime  # a quarter of a second, for models that need it

    name = PROVIDERS[provider]
    if name not in onnxruntime.get_available_providers():
        raise StartupError(
            f"SCORING_ONNX_PROVIDER={provider} is not available; install onnxruntime-gpu on a "
            f"machine with CUDA, "
            "or remove the setting."
        )
    options = _options(threads)
    if provider != "cpu":
        options.add_session_config_entry(RECORD_PLACEMENT, "1")
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=[name])
    except Exception as error:  # its own, which it does not export
        raise StartupError(
            f"ONNX Runtime can't run the model ({type(error).__name__}); set "
            f"SCORING_BACKEND=sklearn."
        ) from error
    if provider != "cpu":
        session.disable_fallback()  # after an error it would go on, on the CPU
        if name not in placement(session):
            raise StartupError(
                f"SCORING_ONNX_PROVIDER={provider}, but no part of this model can run there, as of "
                f"most scikit-learn "
                "models; remove the setting, and read docs/adr/0006-onnx.md on which models a GPU "
                "can run."
            )
    return session


def placement(session: InferenceSession) -> dict[str, int]:
    """Provider -> how many nodes of the graph it runs; for sessions that aren't on the CPU alone.

    ``session.get_providers()`` doesn't tell: the CPU is behind each list, and takes what the others
    can't.
    """
    parts = session.get_provider_graph_assignment_info()
    return dict(Counter(part.ep_name for part in parts for _ in part.get_nodes()))


def described(session: Session) -> str:
    """What computes: ``numpy``, or ONNX Runtime with its version and where the graph's nodes
    run."""
    if isinstance(session, NumpyGraph):
        return "numpy"
    import onnxruntime

    runtime, (first, *others) = f"onnxruntime {onnxruntime.__version__}", session.get_providers()
    if not others:
        return f"{runtime} {first}"
    nodes = placement(session)
    return f"{runtime} {first} {nodes[first]} of {sum(nodes.values())} nodes"


def read(file: Path) -> bytes:
    """Read a compiled model. Raises StartupError."""
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
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # or idle threads take a processor each
    options.log_severity_level = 4  # what it has to say is in the exception
    return options
