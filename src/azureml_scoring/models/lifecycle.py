"""Loads a worker's model and keeps its phase, which the other processes see."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from azureml_scoring import log
from azureml_scoring.errors import NotReady, StartupError
from azureml_scoring.models.model import Model
from azureml_scoring.shared.scoreboard import WorkerPhase, WorkerRow


class Lifecycle:
    """One worker's model and phase. ``failure``: one sentence on why loading failed, or None."""

    def __init__(self, row: Callable[[], WorkerRow]) -> None:
        self._row = row
        self._model: Model | None = None
        self.failure: str | None = None

    @property
    def phase(self) -> int:
        return self._row().phase

    @property
    def loaded(self) -> Model | None:
        return self._model

    @property
    def version(self) -> str | None:
        return self._model.version if self._model else None

    def model(self) -> Model:
        """Return the model. Raises NotReady."""
        if self._model is None:
            what = "did not load; see /liveness" if self.failure else "is still loading"
            raise NotReady(f"The model {what}.")
        return self._model

    def load(self, loader: Callable[[], Model]) -> None:
        """Load the model, log what it is, and become ready. Raises StartupError."""
        model = loader()
        self._model = model
        if self.phase != WorkerPhase.DRAINING:
            self._row().phase = WorkerPhase.READY
        log.event(
            f"Model {model.name} {model.version} is ready",
            features=len(model.contract.features),
            methods=model.contract.methods,
            backend=model.backend,
            runtime=model.runtime,
            golden_rows=model.golden_rows,
            warmup_ms=round(model.warmup_ms, 3),
            version_skew=model.version_skew,
            sha256=model.digest,
        )

    def load_in_background(self, loader: Callable[[], Model]) -> None:
        self._row().phase = WorkerPhase.LOADING
        threading.Thread(
            target=self._load_or_fail, args=(loader,), name="load", daemon=True
        ).start()

    def _load_or_fail(self, loader: Callable[[], Model]) -> None:
        try:
            self.load(loader)
        except Exception as error:
            self.failure = (
                str(error)
                if isinstance(error, StartupError)
                else f"Loading failed: {type(error).__name__}."
            )
            self._row().phase = WorkerPhase.FAILED
            log.event(self.failure, logging.CRITICAL)

    def drain(self) -> None:
        self._row().phase = WorkerPhase.DRAINING
        log.event("SIGTERM: finishing what is in flight")
