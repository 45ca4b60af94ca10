"""A model compiled to ONNX: what packaging proved to answer like the estimator, and how it is asked.

It is asked only where it is proven. The methods that ONNX lacks, numbers beyond its floats and answers that are not
finite are the estimator's, which so also decides what is refused (docs/adr/0006).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np

from errors import StartupError
from joint_predict import Each
from numpy_graph import NumpyGraph
from validation import Batch

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    Session: TypeAlias = NumpyGraph | InferenceSession

INPUT = "X"
DIGITS = 6
"""Of probabilities in float32: beyond lie rounding errors."""

TIE_DIGITS = 5
"""As far as classes are compared: the sum over a forest's trees is off by more than the last digit."""

LARGEST = {"float32": float(np.finfo(np.float32).max), "float64": 1e100}
"""What the one can hold, and the other has been tried with."""

Provider = Literal["cpu", "cuda"]
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True)
class OnnxModel:
    """As the manifest holds it.

    ``outputs``: method -> the graph's output. ``labels``: what the most probable class is called, where ``predict`` is
    read off the probabilities. ``flat``: an answer is a number, not a list. ``missing``: rows with NaN are proven, too.
    ``parity``: how many rows were compared, and how far the answers were apart. ``numpy``: proven with numpy, too.
    """

    file: str
    dtype: Literal["float32", "float64"]
    outputs: dict[str, str]
    labels: list[Any] | None
    flat: bool
    missing: bool
    parity: dict[str, Any]
    numpy: bool = False


class OnnxPredictor:
    """``predictor(batch)`` -> one JSON-ready answer per row; ``estimator`` answers what ONNX can't."""

    def __init__(self, model: OnnxModel, session: Session, estimator: Callable[[Batch], list[Any]]) -> None:
        self._model = model
        self._session = session
        self._largest = LARGEST[model.dtype]
        self._size = self._largest**2
        self._estimator = estimator
        self._labels = None if model.labels is None else np.array(model.labels, dtype=object)

    def __call__(self, batch: Batch) -> list[Any]:
        return (self.at_once(batch) or self._estimator)(batch)

    @property
    def runtime(self) -> dict[str, str]:
        """What computes, for what depends on the last digits of an answer."""
        if isinstance(self._session, NumpyGraph):
            return {"graph": "numpy"}
        import onnxruntime

        return {"graph": f"onnxruntime {onnxruntime.__version__} {self._session.get_providers()[0]}"}

    def at_once(self, batch: Batch) -> Callable[[Batch], list[Any]] | None:
        """What computes it without scikit-learn, or a part of its rows; None where scikit-learn is to."""
        return self._compiled if self._proven_for(batch) else None

    @property
    def each(self) -> Each | None:
        """See ``joint_predict``. ONNX Runtime adds up the rows of a larger batch in another order."""
        return self._each if isinstance(self._session, NumpyGraph) else None

    def _each(self, batches: Sequence[Batch]) -> list[list[Any]]:
        (method, *others), graph = {batch.method for batch in batches}, cast(NumpyGraph, self._session)
        if len(batches) > 1 and not others:
            X = np.concatenate([batch.X for batch in batches])
            answers = graph.each_row(self._model.outputs[method], X.astype(self._model.dtype, copy=False))
            if answers.dtype.kind != "f" or np.isfinite(answers).all():
                return [[row] for row in self._rows(method, answers).tolist()]
        return [self._compiled(batch) for batch in batches]

    def _compiled(self, batch: Batch) -> list[Any]:
        output = self._model.outputs[batch.method]
        (answers,) = self._session.run([output], {INPUT: batch.X.astype(self._model.dtype, copy=False)})
        if answers.dtype.kind == "f" and not np.isfinite(answers).all():
            return self._estimator(batch)
        rows: list[Any] = self._rows(batch.method, answers).tolist()
        return rows

    def _proven_for(self, batch: Batch) -> bool:
        if batch.method not in self._model.outputs:
            return False
        X = batch.X
        if np.vdot(X, X) <= self._size:  # the cheapest look at all values, which NaN does not pass
            return True
        return (self._model.missing or not np.isnan(X).any()) and not (np.abs(X) > self._largest).any()

    def _rows(self, method: str, answers: np.ndarray) -> np.ndarray:
        labels = self._labels if method == "predict" else None
        if answers.dtype == np.float32:
            answers = answers.astype(np.float64)
            if labels is not None or method == "predict_proba":
                answers = answers.round(DIGITS if labels is None else TIE_DIGITS)
        if labels is not None:
            answers = labels[answers.argmax(axis=1)]
        return answers[:, 0] if self._model.flat and answers.ndim == 2 and answers.shape[1] == 1 else answers


def open_graph(model: OnnxModel, graph: bytes, *, provider: Provider, threads: int) -> Session:
    """Raises StartupError."""
    dense = NumpyGraph.of(graph) if model.numpy and provider == "cpu" else None
    return dense or open_session(graph, provider=provider, threads=threads)


def open_session(graph: bytes, *, provider: Provider = "cpu", threads: int = 1) -> InferenceSession:
    """Raises StartupError."""
    import onnxruntime  # a quarter of a second, for models that need it

    name = PROVIDERS[provider]
    if name not in onnxruntime.get_available_providers():
        raise StartupError(
            f"SCORING_ONNX_PROVIDER={provider} is not available; install onnxruntime-gpu on a machine with CUDA, "
            "or remove the setting."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # or idle threads take a processor each
    options.log_severity_level = 4  # what it has to say is in the exception
    try:
        return onnxruntime.InferenceSession(graph, options, providers=[name])
    except Exception as error:  # its own, which it does not export
        raise StartupError(
            f"ONNX Runtime can't run the model ({type(error).__name__}); set SCORING_BACKEND=sklearn."
        ) from error


def read(folder: Path, model: OnnxModel) -> bytes:
    """Raises StartupError."""
    try:
        return (folder / model.file).read_bytes()
    except OSError as error:
        raise StartupError(
            f"{folder / model.file} can't be read ({error.strerror}); upload the artifact again."
        ) from None
