"""Recognises half of a model, such as a vectorizer without the classifier behind it.

``not_an_estimator`` refuses a file that holds both, here as where a model is served.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import TEXT
from mlops.sample import dtype_of

PIPELINE = (
    "save both as one Pipeline, fitted as they are: `import joblib, sklearn.pipeline; "
    "joblib.dump(sklearn.pipeline.make_pipeline({first}, {last}), 'pipeline.joblib')`."
)


def check_whole(estimator: Any, frame: pd.DataFrame, say: Callable[[str], None]) -> None:
    """Raise StartupError if the model needs another piece to predict; say so if it may need one."""
    if (count := getattr(estimator, "n_features_in_", None) or 1) > 1 and _only_texts(frame):
        raise StartupError(
            f"The model takes {count:,} numbers and the sample has one column of text: the step "
            "that turns text into numbers is not in the model; "
            f"{PIPELINE.format(first='vectorizer', last='model')}"
        )
    if hasattr(estimator, "transform") and not hasattr(estimator, "predict"):
        example = PIPELINE.format(first=type(estimator).__name__.lower(), last="model")
        say(f"  note: it only transforms; if another model takes its output, {example}")


def _only_texts(frame: pd.DataFrame) -> bool:
    return len(frame.columns) == 1 and dtype_of(frame.columns[0], frame.iloc[:, 0]) == TEXT
