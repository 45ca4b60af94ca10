"""Computes with a booster's own library, past its wrapper for scikit-learn.

The wrapper checks and converts what is checked and converted already. A library that computes many
rows together may be quicker than any graph of its trees.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

Answers = Callable[[np.ndarray], np.ndarray]
"""Floats (rows, features) -> a regressor's answers; a classifier's probabilities, (rows, classes),
or of the second of two classes, (rows,)."""


class BoosterSession:
    """Has a regressor's answers, or a classifier's labels and probabilities.

    classes: a classifier's. probabilities: the name of their output; every other one has labels.
    listed: a label is in a list of its own.
    """

    def __init__(
        self,
        answers: Answers,
        classes: np.ndarray | None,
        probabilities: str | None,
        listed: bool,
        runtime: str,
    ) -> None:
        self._answers = answers
        self._classes = classes
        self._probabilities = probabilities
        self._listed = listed
        self.runtime = runtime

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        (output,), (X,) = outputs, inputs.values()
        answers = self._answers(X)
        if self._classes is None:
            return [answers]
        if answers.ndim == 1:
            answers = np.stack([1 - answers, answers], axis=1)
        if output == self._probabilities:
            return [answers]
        labels = self._classes[answers.argmax(axis=1)]
        return [labels[:, None] if self._listed else labels]


def booster_session(
    estimator: Any, outputs: dict[str, str], *, listed: bool, threads: int
) -> BoosterSession | None:
    """Return the session of an estimator that is a booster and nothing else, else None.

    ``outputs``: method -> the name of its output.
    """
    estimator = getattr(estimator, "best_estimator_", estimator)
    own = _own_answers(estimator, threads)
    if own is None:
        return None
    library, answers = own
    runtime = f"{library} {sys.modules[library].__version__}"
    probabilities = outputs.get("predict_proba")
    classes = np.asarray(estimator.classes_) if probabilities else None
    return BoosterSession(answers, classes, probabilities, listed, runtime)


def _own_answers(estimator: Any, threads: int) -> tuple[str, Answers] | None:
    """Return the library's name, and what computes with it; None without a booster."""
    own: Any = getattr(estimator, "booster", None)
    if hasattr(own, "answers"):  # a booster from its library's own file
        own.set_threads(threads)
        return type(own.native).__module__.partition(".")[0], own.answers
    if hasattr(estimator, "booster_") and hasattr(estimator, "n_jobs"):
        return "lightgbm", partial(estimator.booster_.predict, num_threads=threads)
    if hasattr(estimator, "get_booster") and hasattr(estimator, "n_jobs"):
        return "xgboost", _xgboost(estimator, threads)
    if hasattr(estimator, "get_cat_feature_indices"):
        method = getattr(estimator, "predict_proba", estimator.predict)
        return "catboost", lambda X: np.asarray(
            method(X.astype(np.float32, copy=False), thread_count=threads)
        )
    return None


def _xgboost(estimator: Any, threads: int) -> Answers:
    booster = estimator.get_booster()
    booster.set_param({"nthread": threads})
    return partial(
        booster.inplace_predict,
        iteration_range=estimator._get_iteration_range(None),
        missing=np.nan if estimator.missing is None else estimator.missing,
        validate_features=False,
    )
