"""Where collected data goes: to Azure ML's data collector, or into files of one's own."""

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
"""Azure ML's collections, by the names that its monitoring expects."""

PACKAGE = "azureml.ai.monitoring"

LARGEST = 50_000_000
"""Bytes of a file, before the next is begun; the last but one is kept."""


def azure(model: Callable[[], Model]) -> Sink:
    """Azure ML's collector. Raises whatever it does."""
    import pandas as pd
    from azureml.ai.monitoring import Collector
    from azureml.ai.monitoring.context import BasicCorrelationContext

    def ignore(_: Exception) -> None:
        """Without it the collector raises, for one where a collection is off."""

    inputs, outputs = (Collector(name=name, on_error=ignore) for name in (INPUTS, OUTPUTS))

    def hand_over(taken: Sequence[Collected]) -> None:
        for one in taken:
            context = BasicCorrelationContext(id=one.request_id)
            inputs.collect(pd.DataFrame(one.batch.X, columns=model().contract.names), context)
            outputs.collect(pd.DataFrame({"prediction": orjson.loads(one.predictions)}), context)

    return hand_over


def azure_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """The deployment's YAML turns it on, and it is installed."""
    on = (
        environment.get("AZUREML_MDC_CONFIG_PATH")
        or environment.get("AZUREML_MDC_ENABLED", "").lower() == "true"
    )
    if on and not _installed():
        log.event(
            "The deployment's data_collector is on, but azureml-ai-monitoring is not installed, so "
            "no data is "
            "collected; add it to the environment.",
            logging.WARNING,
        )
        return False
    return bool(on)


def _installed() -> bool:
    try:
        return importlib.util.find_spec(PACKAGE) is not None
    except ModuleNotFoundError:
        return False


def files(model: Callable[[], Model], folder: Path) -> Sink:
    """One of JSON lines for each worker, a request a line: ``data`` as a list of rows by name, as
    Azure ML's collector writes it, and ``predictions``. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = (
        folder / f"{socket.gethostname()}-{os.getpid()}.jsonl"
    )  # containers that share a volume share numbers too

    def line(one: Collected, names: Sequence[str]) -> bytes:
        content = {
            "time": log.timestamp(one.at),
            "correlationid": one.request_id,
            "data": [dict(zip(names, row, strict=True)) for row in one.batch.X.tolist()],
            "predictions": orjson.Fragment(one.predictions),
        }
        return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)

    def hand_over(taken: Sequence[Collected]) -> None:
        features = model().contract.features
        names = [
            str(place) if feature.name is None else feature.name
            for place, feature in enumerate(features)
        ]
        lines = b"".join(line(one, names) for one in taken)
        if _size(path) > LARGEST:
            path.replace(path.with_suffix(".1.jsonl"))
        before = _size(path)
        try:
            with open(path, "ab", opener=_private) as file:
                file.write(lines)
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(path, before)  # half a line would spoil the file for whoever reads it
            raise

    return hand_over


def _private(path: str, flags: int) -> int:
    """What was sent to a model is nobody else's."""
    return os.open(path, flags, 0o600)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
