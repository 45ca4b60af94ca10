"""Decides whether a model gets tables: for columns that are no numbers, and for encoders."""

from __future__ import annotations

from typing import Any

import numpy as np

from azureml_scoring.errors import reason
from azureml_scoring.inputs.contract import Contract
from mlops.float_pipeline import FloatPipeline, float_pipeline
from mlops.own_encoders import taken_apart
from mlops.parity import NotProven
from mlops.pipeline_steps import flat_steps
from mlops.say import Say
from mlops.vocabularies import is_identity


def column_split(
    estimator: Any, contract: Contract, sample: np.ndarray, say: Say
) -> FloatPipeline | None:
    """Return the split pipeline; None if the graph can take a request's numbers as they are.

    ``sample``: (rows, features), as the model takes them. Raises NotProven for a model that needs
    tables and can't have them.
    """
    if _needs_tables(estimator, contract):
        return float_pipeline(estimator, contract, sample)
    # ONNX's own encoders answer numbers that scikit-learn's refuse, and cast those they know.
    try:
        pipeline = float_pipeline(estimator, contract, sample)
    except NotProven:
        return None
    except Exception as error:  # a step from outside may raise anything
        say(f"  note: no tables, its graph takes the numbers as they are: {reason(error)}")
        return None
    return pipeline if pipeline.tables.tables else None


def _needs_tables(estimator: Any, contract: Contract) -> bool:
    """Tell whether a model takes more than numbers, refuses some numbers, or encodes some
    itself."""
    if contract.dtype == object or any(feature.categories for feature in contract.features):
        return True
    first = flat_steps(estimator)[0]
    return hasattr(first, "predict") and not is_identity(taken_apart(first)[0])
