"""Reads CatBoost's ``.cbm``, which holds names, labels and the threshold too."""

from __future__ import annotations

from typing import Any

import numpy as np

from azureml_scoring.models.boosters.column_names import own_names

MAGIC = b"CBM1"
"""Begins a file; then the size of the trees follows, in four bytes."""

EXPONENTIAL_LOSSES = ("LogLinQuantile", "Poisson", "Tweedie")
"""Losses whose sums are logarithms of the answers."""


class CatboostBooster:
    library = "CatBoost"

    def __init__(self, data: bytes) -> None:
        """Raises an error of the library for bytes that are no model of it."""
        import catboost

        # Of a file that is cut off CatBoost makes a model without columns, or none, by chance.
        if data.startswith(MAGIC) and len(data) < 8 + int.from_bytes(data[4:8], "little"):
            raise ValueError("The file is shorter than it says.")
        self.native = catboost.CatBoostClassifier().load_model(blob=data)
        self.labels = np.asarray(self.native.classes_).tolist() or None
        self.names = own_names(self.native.feature_names_)
        self.width = len(self.native.feature_names_)
        two = self.labels is not None and len(self.labels) == 2
        self.threshold = self.native.get_probability_threshold() if two else 0.5
        loss = str(self.native.get_all_params().get("loss_function")).partition(":")[0]
        self._answer = "RawFormulaVal" if self.labels is None else "Probability"
        if loss in EXPONENTIAL_LOSSES:
            self._answer = "Exponent"
        self._threads = 1

    def answers(self, X: Any) -> np.ndarray:
        return np.asarray(
            self.native.predict(X, prediction_type=self._answer, thread_count=self._threads)
        )

    def set_threads(self, threads: int) -> None:
        self._threads = threads
