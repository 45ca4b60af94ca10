"""Decides how an ONNX graph by itself answers requests: where, and with how many threads."""

from __future__ import annotations

import math
import timeit

import numpy as np

from azureml_scoring.errors import ScoringError, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.compiled_model import INLINE_PREDICT_LIMIT_S
from azureml_scoring.models.engines.graph_estimator import GraphEstimator
from azureml_scoring.models.model import Predict, Quick
from azureml_scoring.settings import Settings


def quick_graph(
    estimator: GraphEstimator,
    predict: Predict,
    X: np.ndarray,
    contract: Contract,
    settings: Settings,
) -> Quick | None:
    """Return ``Model.quick``; None if the graph is slower, and may use threads of its own then.

    ``X``: rows that it has answered. Raises StartupError where the settings want scikit-learn.
    """
    if settings.scoring_backend == "sklearn":
        raise StartupError(
            "SCORING_BACKEND=sklearn, but the model is an ONNX graph by itself, which ONNX Runtime "
            "alone can run; remove the setting."
        )
    rows = np.resize(X, (settings.scoring_max_batch_size, X.shape[1]))
    if _seconds(predict, Batch(rows, contract.methods[0])) < INLINE_PREDICT_LIMIT_S:
        return lambda _: predict
    # A session's threads do not survive a fork.
    if settings.processors > 1 and not settings.worker_preload:
        estimator.use_threads(settings.processors)
    return None


def _seconds(predict: Predict, batch: Batch) -> float:
    """Return the fastest of five runs, since the first is slower."""
    try:
        return min(timeit.repeat(lambda: predict(batch), number=1, repeat=5))
    except ScoringError:
        return math.inf
