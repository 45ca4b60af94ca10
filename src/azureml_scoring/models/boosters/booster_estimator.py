"""Gives a booster from its library's own file the methods of scikit-learn's estimators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin


class Booster(Protocol):
    """One library's booster.

    library: its name.
    native: the library's own object.
    width: how many columns it takes.
    names: the columns' names; None if the file has none.
    labels: a classifier's classes in the order of its probabilities, numbers where the file has
        no others; None for a regressor.
    threshold: the probability from which the second of two classes is the answer.
    """

    library: str
    native: Any
    width: int
    names: list[str] | None
    labels: list[Any] | None
    threshold: float

    def answers(self, X: Any) -> np.ndarray:
        """Return numbers, (rows,) or (rows, outputs); of a classifier (rows,) or (rows, classes),
        the probability of the second class or of each."""

    def set_threads(self, threads: int) -> None: ...


class _Answers(BaseEstimator):  # type: ignore[misc]
    def __init__(self, booster: Booster) -> None:
        self.booster = booster
        self.n_features_in_ = booster.width
        if booster.names:
            self.feature_names_in_ = np.array(booster.names, dtype=object)

    @property
    def file_kind(self) -> str:
        """What messages call it."""
        return f"{self.booster.library} file"

    @property
    def modules(self) -> tuple[str, ...]:
        """What must be installed where it is served."""
        return (type(self.booster.native).__module__,)

    def _answers(self, X: Any) -> np.ndarray:
        """Raises ValueError for rows of another width: XGBoost would take some of them."""
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"The model takes {self.n_features_in_} columns, and the rows have {X.shape[1]}"
            )
        return self.booster.answers(X)


class BoosterRegressor(RegressorMixin, _Answers):  # type: ignore[misc]
    def predict(self, X: Any) -> np.ndarray:
        return self._answers(X)


class BoosterClassifier(ClassifierMixin, _Answers):  # type: ignore[misc]
    """``classes``: names for the booster's classes, in the order of its own."""

    def __init__(self, booster: Booster, classes: Sequence[Any] = ()) -> None:
        super().__init__(booster)
        self.classes = classes
        self.classes_ = np.array(classes or booster.labels)

    def predict(self, X: Any) -> np.ndarray:
        probabilities = self.predict_proba(X)
        two = probabilities.shape[1] == 2
        best = probabilities[:, 1] > self.booster.threshold if two else probabilities.argmax(axis=1)
        chosen: np.ndarray = self.classes_[np.asarray(best, dtype=np.intp)]
        return chosen

    def predict_proba(self, X: Any) -> np.ndarray:
        answers = self._answers(X)
        return np.stack([1 - answers, answers], axis=1) if answers.ndim == 1 else answers
