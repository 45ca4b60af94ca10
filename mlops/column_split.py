"""Decides whether a model gets tables: for columns that are no numbers, and for encoders."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from azureml_scoring.inputs.contract import Contract
from mlops.float_pipeline import FloatPipeline, float_pipeline
from mlops.own_encoders import taken_apart
from mlops.pipeline_steps import flat_steps
from mlops.vocabularies import is_identity


def column_split(estimator: Any, contract: Contract, sample: np.ndarray) -> FloatPipeline | None:
    """Return the split pipeline; None if the graph can take a request's numbers as they are.

    ``sample``: (rows, features), as the model takes them. Raises NotProven for a model that needs
    tables and can't have them.
    """
    if _needs_tables(estimator, contract):
        return float_pipeline(estimator, contract, sample)
    # ONNX's own encoders answer numbers that scikit-learn's refuse, and cast those they know.
    with suppress(Exception):
        pipeline = float_pipeline(estimator, contract, sample)
        if pipeline.tables.tables:
            return pipeline
    return None


def _needs_tables(estimator: Any, contract: Contract) -> bool:
    """Tell whether a model takes more than numbers, refuses some numbers, or encodes some
    itself."""
    if contract.dtype == object or any(feature.categories for feature in contract.features):
        return True
    first = flat_steps(estimator)[0]
    return hasattr(first, "predict") and not is_identity(taken_apart(first)[0])
