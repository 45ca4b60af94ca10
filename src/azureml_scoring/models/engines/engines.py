"""Opens the engines that packaging chose for a compiled model."""

from __future__ import annotations

import logging
from typing import Any

from azureml_scoring import log
from azureml_scoring.models.engines.batch_size_switch import BatchSizeSwitch
from azureml_scoring.models.engines.booster_session import booster_session
from azureml_scoring.models.engines.numpy_graph import NumpyGraph
from azureml_scoring.models.engines.onnx_model import ANY_ROWS, OnnxModel
from azureml_scoring.models.engines.onnx_session import Provider, open_session
from azureml_scoring.models.engines.race import EngineName, Race
from azureml_scoring.models.engines.session import Session


class Engines:
    """A compiled model's engines.

    estimator: the model itself, in which a booster may be.
    """

    def __init__(
        self, model: OnnxModel, graph: bytes, estimator: Any, provider: Provider = "cpu"
    ) -> None:
        self._model = model
        self._graph = graph
        self._estimator = estimator
        self._provider = provider
        without_race: EngineName = "numpy" if model.numpy else "onnxruntime"
        self._race = model.race or Race((), {}, without_race, without_race)
        if provider != "cpu":
            self._race = Race((), {}, "onnxruntime", "onnxruntime")

    @property
    def proven(self) -> tuple[EngineName, ...]:
        """The engines that are proven, the simplest first."""
        return (
            *(("numpy",) if self._model.numpy else ()),
            "onnxruntime",
            *(("booster",) if self._model.booster else ()),
        )

    @property
    def kept(self) -> tuple[EngineName, ...]:
        """The engines that answer requests, beside the estimator."""
        both = dict.fromkeys((self._race.small, self._race.large))
        return tuple(name for name in both if name != "estimator")

    @property
    def rows(self) -> range:
        """The sizes of batches that they answer."""
        first, most = self._race.large_from, ANY_ROWS.stop
        return range(
            first if self._race.small == "estimator" else 1,
            first if self._race.large == "estimator" else most,
        )

    def open(self, name: EngineName, threads: int = 1) -> Session:
        """Open one engine. Raises StartupError."""
        session: Session | None = None
        if name == "numpy":
            session = NumpyGraph.of(self._graph)
        elif name == "booster":
            session = booster_session(
                self._estimator,
                self._model.outputs,
                listed=not self._model.flat,
                threads=threads,
            )
        if session is None and name != "onnxruntime":
            log.event(
                f"The engine {name}, which packaging chose, can't be opened here; ONNX Runtime "
                f"computes in its place.",
                logging.WARNING,
            )
        return session or open_session(self._graph, provider=self._provider, threads=threads)

    def open_kept(self, threads: int = 1) -> list[Session]:
        """Open what answers requests. Raises StartupError."""
        return [self.open(name, threads) for name in self.kept]

    def joined(self, sessions: list[Session]) -> Session:
        """Return the sessions of ``open_kept`` as one."""
        small, large = sessions[0], sessions[-1]
        return small if small is large else BatchSizeSwitch(small, large, self._race.large_from)
