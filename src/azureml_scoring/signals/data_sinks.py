"""Sinks of collected data: Azure ML's data collector, or files in a folder of yours."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import orjson

from azureml_scoring import log
from azureml_scoring.models.model import Model
from azureml_scoring.signals.data_collection import Collected, Sink

INPUTS, OUTPUTS = "model_inputs", "model_outputs"
"""Names of the two collections, as Azure ML's monitoring expects them."""

COLLECTOR_PACKAGE = "azureml.ai.monitoring"

MAX_FILE_BYTES = 50_000_000
"""A file beyond this size is followed by a new one; the file before it is kept."""


def azure(model: Callable[[], Model]) -> Sink[Collected]:
    """Return a sink to Azure ML's collector. Raises what the collector raises."""
    import pandas as pd
    from azureml.ai.monitoring import Collector
    from azureml.ai.monitoring.context import BasicCorrelationContext

    def ignore(_: Exception) -> None:
        """Keep the collector from raising, as it does for a collection that is off."""

    inputs, outputs = (Collector(name=name, on_error=ignore) for name in (INPUTS, OUTPUTS))

    def hand_over(requests: Sequence[Collected]) -> None:
        for request in requests:
            context = BasicCorrelationContext(id=request.request_id)
            predictions = orjson.loads(request.predictions)
            inputs.collect(pd.DataFrame(request.batch.X, columns=model().contract.names), context)
            outputs.collect(pd.DataFrame({"prediction": predictions}), context)

    return hand_over


def azure_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """True if the deployment's YAML turns the collector on and it is installed."""
    on = (
        environment.get("AZUREML_MDC_CONFIG_PATH")
        or environment.get("AZUREML_MDC_ENABLED", "").lower() == "true"
    )
    if on and not _installed():
        log.event(
            "The deployment's data_collector is on, but azureml-ai-monitoring is not installed, so "
            "no data is collected; add it to the environment.",
            logging.WARNING,
        )
        return False
    return bool(on)


def _installed() -> bool:
    try:
        return importlib.util.find_spec(COLLECTOR_PACKAGE) is not None
    except ModuleNotFoundError:
        return False


def files(model: Callable[[], Model], folder: Path) -> Sink[Collected]:
    """Return a sink to a file of JSON lines for each worker. Raises OSError.

    A line is a request: ``data``, a list of rows by column name as Azure ML's collector writes it,
    and ``predictions``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # With the host's name, since containers that share a volume may have the same process ids.
    path = folder / f"{socket.gethostname()}-{os.getpid()}.jsonl"

    def line(request: Collected, names: Sequence[str]) -> bytes:
        content = {
            "time": log.timestamp(request.at),
            "correlationid": request.request_id,
            "data": [dict(zip(names, row, strict=True)) for row in request.batch.X.tolist()],
            "predictions": orjson.Fragment(request.predictions),
        }
        return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)

    def hand_over(requests: Sequence[Collected]) -> None:
        features = model().contract.features
        names = [
            str(place) if feature.name is None else feature.name
            for place, feature in enumerate(features)
        ]
        lines = b"".join(line(request, names) for request in requests)
        if _size(path) > MAX_FILE_BYTES:
            path.replace(path.with_suffix(".1.jsonl"))
        before = _size(path)
        try:
            with open(path, "ab", opener=_private) as file:
                file.write(lines)
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(path, before)  # half a line would make the file unreadable
            raise

    return hand_over


def _private(path: str, flags: int) -> int:
    """Open a file that only its user may read: it holds what clients sent."""
    return os.open(path, flags, 0o600)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
