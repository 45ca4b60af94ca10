"""Reads XGBoost's ``.ubj`` and ``.json``."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from azureml_scoring.models.boosters.column_names import own_names


class XgboostBooster:
    """``best_iterations``: the trees that answer; ``XGBModel.save_model`` counts those up to the
    best one, ``Booster.save_model`` all."""

    library = "XGBoost"
    threshold = 0.5

    def __init__(self, data: bytes) -> None:
        """Raises an error of the library, or ValueError, for bytes that are no model of it."""
        if not data.startswith(b"{") or data.rstrip()[-1:] != b"}":
            raise ValueError("it is no model of XGBoost's, or only a part of one")
        import xgboost

        self.native = xgboost.Booster()
        self.native.load_model(bytearray(data))
        self.width = self.native.num_features()
        self.names = own_names(self.native.feature_names)
        learner = json.loads(self.native.save_config())["learner"]
        objective = learner["objective"]["name"]
        count = int(learner["learner_model_param"]["num_class"])
        if objective == "multi:softmax":  # it answers with a class and no probabilities
            self.native.set_param({"objective": "multi:softprob"})
        classes = {"binary:logistic": 2, "multi:softmax": count, "multi:softprob": count}
        self.labels = [*range(classes[objective])] if objective in classes else None
        known = self.native.attributes()
        best = known.get("best_iteration") if "scikit_learn" in known else None
        self.best_iterations = None if best is None else int(best) + 1

    def answers(self, X: Any) -> np.ndarray:
        answers: np.ndarray = self.native.inplace_predict(
            X, iteration_range=(0, self.best_iterations or 0)
        )
        return answers

    def set_threads(self, threads: int) -> None:
        self.native.set_param({"nthread": threads})
