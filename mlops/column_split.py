"""Decides whether a model gets tables: for columns that are no numbers, and for encoders."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from azureml_scoring.inputs.contract import Contract
from mlops.float_pipeline import FloatPipeline, float_pipeline, has_tables


def column_split(estimator: Any, contract: Contract, sample: np.ndarray) -> FloatPipeline | None:
    """Return the split pipeline; None if the graph can take a request's numbers as they are.

    ``sample``: (rows, features), as the model takes them. Raises NotProven for a model that needs
    tables and can't have them.
    """
    if has_tables(estimator, contract):
        return float_pipeline(estimator, contract, sample)
    # ONNX's own encoders answer numbers that scikit-learn's refuse, and cast those they know.
    with suppress(Exception):
        pipeline = float_pipeline(estimator, contract, sample)
        if pipeline.tables.tables:
            return pipeline
    return None
