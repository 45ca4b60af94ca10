"""Random models for the end of a pipeline, and targets for them."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from random_steps import Step


def model_and_target(rng: Random, frame: pd.DataFrame) -> tuple[Any, Any]:
    """Return an unfitted model, and a target that depends on the frame."""
    generator = np.random.default_rng(rng.getrandbits(32))
    codes = np.array([pd.factorize(frame[name])[0] for name in frame]).T
    score = codes @ generator.normal(size=codes.shape[1]) + generator.normal(size=len(codes))
    model = rng.choice(MODELS)(rng)
    return model, _target_for(rng, model, score)


def _target_for(rng: Random, model: Any, score: np.ndarray) -> np.ndarray:
    if isinstance(model, MultiOutputRegressor):
        return np.c_[score, -score]
    if is_regressor(model):
        return np.exp(score / 50) if isinstance(model, TransformedTargetRegressor) else score
    binary = isinstance(model, FixedThresholdClassifier) or rng.random() < 0.5
    classes = np.digitize(score, np.quantile(score, [0.5] if binary else [0.3, 0.6]))
    labels = rng.choice([[0, 1, 2], ["no", "yes", "perhaps"], [3, 10, 7]])
    return classes == 1 if binary and rng.random() < 0.2 else np.array(labels)[classes]


def _xgboost(rng: Random) -> Any:
    from xgboost import XGBRegressor

    return XGBRegressor(n_estimators=5, max_depth=3, n_jobs=1)


def _lightgbm(rng: Random) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=5, min_child_samples=5, verbose=-1, n_jobs=1)


def _catboost(rng: Random) -> Any:
    from catboost import CatBoostRegressor

    return CatBoostRegressor(
        iterations=5, depth=3, verbose=False, thread_count=1, allow_writing_files=False
    )


MODELS: list[Step] = [
    lambda rng: LogisticRegression(max_iter=300),
    lambda rng: LogisticRegression(max_iter=300),
    lambda rng: LinearRegression(),
    lambda rng: Ridge(),
    lambda rng: LinearSVC(),
    lambda rng: SVC(),
    lambda rng: DecisionTreeClassifier(max_depth=5, random_state=0),
    lambda rng: DecisionTreeRegressor(max_depth=5, random_state=0),
    lambda rng: RandomForestClassifier(5, random_state=0),
    lambda rng: ExtraTreesRegressor(5, random_state=0),
    lambda rng: GradientBoostingClassifier(n_estimators=3, random_state=0),
    lambda rng: HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
    lambda rng: HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5),
    _xgboost,
    _lightgbm,
    _catboost,
    lambda rng: KNeighborsClassifier(),
    lambda rng: MLPClassifier((4,), max_iter=20, random_state=0),
    lambda rng: GaussianNB(),
    lambda rng: KMeans(2, n_init=1, random_state=0),
    lambda rng: IsolationForest(n_estimators=5, random_state=0),
    lambda rng: MultiOutputRegressor(Ridge()),
    lambda rng: VotingRegressor([("one", Ridge()), ("other", DecisionTreeRegressor(max_depth=2))]),
    lambda rng: StackingClassifier(
        [("one", LogisticRegression()), ("other", DecisionTreeClassifier(max_depth=2))], cv=2
    ),
    lambda rng: CalibratedClassifierCV(LogisticRegression(), cv=2),
    lambda rng: FixedThresholdClassifier(LogisticRegression(), threshold=0.3),
    lambda rng: TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp),
]
