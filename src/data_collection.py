"""Inputs and outputs for Azure ML's data collector, where the deployment's YAML turns it on (``data_collector``).

A request leaves what it has in a bounded queue, and a thread makes tables of it. What finds the queue full is dropped,
and nothing that fails here reaches a request or ``init()``.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping

import orjson
import pandas as pd

import telemetry
from model import Model
from service import Outcome
from validation import Batch

INPUTS, OUTPUTS = "model_inputs", "model_outputs"
"""The collections, by the names that Azure ML's monitoring expects."""

PACKAGE = "azureml.ai.monitoring"
CAPACITY = 1000
"""Requests that wait to be collected."""

Collect = Callable[[str, pd.DataFrame, str], None]
"""(collection, table, correlation id)"""


class DataCollection:
    """A hook of the service. ``open_collector`` is called once, on the thread that then calls what it returns."""

    def __init__(self, model: Callable[[], Model], open_collector: Callable[[], Collect]) -> None:
        self._model = model
        self._open = open_collector
        self._queue: queue.Queue[tuple[str, Batch, bytes]] = queue.Queue(CAPACITY)
        self._thread: threading.Thread | None = None
        self._told: set[str] = set()

    def __call__(self, outcome: Outcome) -> None:
        if outcome.batch is None or outcome.predictions is None:
            return
        if self._thread is None:  # not before: a worker that is forked has no threads from before
            self._thread = threading.Thread(target=self._run, name="data-collection", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait((outcome.request_id, outcome.batch, outcome.predictions))
        except queue.Full:
            self._tell("Requests come faster than their data can be collected; some are left out.")

    def _run(self) -> None:
        try:
            collect = self._open()
            while True:
                self._hand_over(collect, *self._queue.get())
        except Exception as error:
            self._tell(f"Data can't be collected ({type(error).__name__}: {error}).")

    def _hand_over(self, collect: Collect, request_id: str, batch: Batch, predictions: bytes) -> None:
        try:
            names = self._model().contract.names
            collect(INPUTS, pd.DataFrame(batch.X, columns=names), request_id)
            collect(OUTPUTS, pd.DataFrame({"prediction": orjson.loads(predictions)}), request_id)
        except Exception as error:
            self._tell(f"The data of a request could not be collected ({type(error).__name__}).")

    def _tell(self, message: str) -> None:
        """Once: it may be so for each request."""
        if message not in self._told:
            self._told.add(message)
            telemetry.event(message, logging.WARNING)


def find(model: Callable[[], Model], environment: Mapping[str, str] = os.environ) -> DataCollection | None:
    """None where the deployment collects nothing, or can't."""
    on = environment.get("AZUREML_MDC_CONFIG_PATH") or environment.get("AZUREML_MDC_ENABLED", "").lower() == "true"
    if not on:
        return None
    if not _installed():
        telemetry.event(
            "The deployment's data_collector is on, but azureml-ai-monitoring is not installed, so no data is "
            "collected; add it to the environment.",
            logging.WARNING,
        )
        return None
    return DataCollection(model, _azure_collector)


def _installed() -> bool:
    try:
        return importlib.util.find_spec(PACKAGE) is not None
    except ModuleNotFoundError:
        return False


def _azure_collector() -> Collect:
    from azureml.ai.monitoring import Collector
    from azureml.ai.monitoring.context import BasicCorrelationContext

    def ignore(_: Exception) -> None:
        """Without it the collector raises, for one where a collection is off."""

    collectors = {name: Collector(name=name, on_error=ignore) for name in (INPUTS, OUTPUTS)}

    def collect(collection: str, table: pd.DataFrame, correlation: str) -> None:
        collectors[collection].collect(table, BasicCorrelationContext(id=correlation))

    return collect
