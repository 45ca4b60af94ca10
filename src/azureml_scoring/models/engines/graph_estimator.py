"""Gives an ONNX graph by itself the methods of scikit-learn's estimators."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import BOOLEAN, TEXT, Feature
from azureml_scoring.models.engines import graph_failure, graph_outputs, onnx_session
from azureml_scoring.models.engines.graph_inputs import GraphInputs, like
from azureml_scoring.models.engines.graph_outputs import GraphOutput
from azureml_scoring.models.engines.onnx_session import Provider

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

PACKAGE_ADVICE = (
    "package it with `mlops package MODEL --sample DATA --out DIR`, which counts those of the "
    "sample"
)


class GraphEstimator:
    """A graph with the methods that its outputs answer, such as ``predict(X)`` -> array.

    ``X``: (rows, columns), numbers or objects. They raise ValueError for what the graph refuses.

    tolerance: by so much of their size answers in float32 may differ between machines.
    left_out: outputs that no method stands for.
    """

    tolerance = 1e-5

    def __init__(self, graph: bytes, file: str, provider: Provider = "cpu") -> None:
        """``file``: its name, for errors. Raises StartupError for a graph that can't be served."""
        if why := graph_failure.external_data(graph, file):
            raise StartupError(why)
        self._open = partial(_open, graph, file, provider)
        self._file = file
        self.session = self._open(threads=1)
        self._inputs = GraphInputs(self.session.get_inputs(), file)
        outputs = graph_outputs.methods(self.session.get_outputs(), file, self._are_probabilities)
        for method, output in outputs.items():
            setattr(self, method, partial(self._answers, output))
        served = {output.name for output in outputs.values()}
        self.left_out = [
            node.name for node in self.session.get_outputs() if node.name not in served
        ]
        if self._inputs.width is not None:
            self.n_features_in_ = self._inputs.width

    def features(
        self, signature: Sequence[Feature] = (), count: int | None = None
    ) -> tuple[Feature, ...]:
        """Return the columns of the graph's inputs.

        ``signature``: MLflow's, which may name them. ``count``: how many a sample has. Raises
        StartupError if neither the graph nor these say how many there are.
        """
        width = self._inputs.width or len(signature) or count
        if width is None:
            raise StartupError(
                f"{self._file} does not say how many columns it takes; {PACKAGE_ADVICE}."
            )
        features = self._inputs.features(width)
        return like(features, signature) if signature else features

    @property
    def runtime(self) -> dict[str, str]:
        """The library that computes; an answer's last digits depend on it."""
        return {"graph": onnx_session.runtime_description(self.session)}

    def use_threads(self, threads: int) -> None:
        """Open the graph again, to run with so many threads."""
        self.session = self._open(threads=threads)

    def _answers(self, output: GraphOutput, X: Any) -> np.ndarray:
        X = np.asarray(X)
        if self._inputs.row_by_row and len(X) > 1:
            return np.concatenate([self._run(output, X[i : i + 1]) for i in range(len(X))])
        return self._run(output, X)

    def _run(self, output: GraphOutput, X: np.ndarray) -> np.ndarray:
        feeds = self._inputs.feeds(X)
        try:
            (value,) = self.session.run([output.name], feeds)
        except Exception as error:  # ONNX Runtime's exceptions share no base class
            raise ValueError(f"ONNX Runtime failed ({type(error).__name__})") from error
        return output.answers(value)

    def _are_probabilities(self, output: GraphOutput) -> bool:
        """Try rows that are made up: raw scores of classes have the same name and type."""
        named = graph_outputs.METHODS_BY_NAME.get(output.name) == "predict_proba"
        if self._inputs.width is None:
            return named
        features = self._inputs.features(self._inputs.width)
        try:
            answers = self._answers(output, _made_up(features))
        except ValueError:
            return named
        within = bool(((answers >= 0) & (answers <= 1)).all())
        return graph_outputs.add_up_to_one(answers) or (named and within)


def _made_up(features: Sequence[Feature]) -> np.ndarray:
    """Return two rows."""
    values: dict[str, tuple[Any, Any]] = {TEXT: ("", "a"), BOOLEAN: (False, True)}
    columns = [values.get(feature.dtype, (0, 1)) for feature in features]
    numeric = all(feature.numeric for feature in features)
    return np.array(columns, dtype=np.float64 if numeric else object).T


def _open(graph: bytes, file: str, provider: Provider, threads: int) -> InferenceSession:
    """Raises StartupError."""
    try:
        return onnx_session.open_session(graph, provider=provider, threads=threads)
    except StartupError as error:
        if error.__cause__ is None:  # the provider is at fault
            raise
        raise StartupError(graph_failure.sentence(graph, error.__cause__, file)) from error
