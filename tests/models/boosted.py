"""Small boosters of the real libraries, fitted on six numeric columns."""

from typing import Any

import numpy as np

WIDTH = 6
COUNT = 400


def rows(*, gaps: bool = False) -> np.ndarray:
    """Return (COUNT, WIDTH) numbers of different sizes, a tenth of them missing with ``gaps``."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(COUNT, WIDTH)).round(2) * [1, 1e3, 1e-3, 1, 1, 1]
    if gaps:
        X[rng.random(X.shape) < 0.1] = np.nan
    return X


def target(kind: str) -> np.ndarray:
    X = rows()
    y = X[:, 0] + X[:, 1] / 1e3 * X[:, 3]
    match kind:
        case "bools":
            return np.asarray(y > 0)
        case "numbers":
            return np.digitize(y, [-0.7, 0.7])
        case "texts":
            return np.array(["low", "mid", "high"])[np.digitize(y, [-0.7, 0.7])]
        case "counts":
            return np.exp(y)
        case "pairs":
            return np.column_stack([y, -y])
    return y + 10


def lightgbm(*, classifier: bool = False, **parameters: Any) -> Any:
    import lightgbm

    kind = lightgbm.LGBMClassifier if classifier else lightgbm.LGBMRegressor
    return kind(n_estimators=20, num_leaves=7, verbose=-1, n_jobs=1, **parameters)


def xgboost(*, classifier: bool = False, **parameters: Any) -> Any:
    import xgboost

    kind = xgboost.XGBClassifier if classifier else xgboost.XGBRegressor
    return kind(n_estimators=20, max_depth=3, n_jobs=1, **parameters)


def catboost(*, classifier: bool = False, **parameters: Any) -> Any:
    import catboost

    kind = catboost.CatBoostClassifier if classifier else catboost.CatBoostRegressor
    defaults = {"iterations": 20, "depth": 3, "verbose": 0, "thread_count": 1}
    return kind(allow_writing_files=False, **defaults | parameters)


def histogram(*, classifier: bool = False, **parameters: Any) -> Any:
    from sklearn import ensemble

    kind = (
        ensemble.HistGradientBoostingClassifier
        if classifier
        else ensemble.HistGradientBoostingRegressor
    )
    return kind(max_iter=20, max_leaf_nodes=7, **parameters)
