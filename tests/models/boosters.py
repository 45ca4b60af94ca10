"""Stand-ins for estimators of other libraries, with what those tell of themselves and how they
answer.

Each as the library has it: LightGBM 4.7, XGBoost 3.2, CatBoost 1.2.10 and statsmodels 0.15, which
the tests do without.
"""

import json

import numpy as np
import pandas as pd


class LightgbmBooster:
    """``lightgbm.Booster``: no tags, no ``n_features_in_``. Adds to each number the length of the
    category's name."""

    pandas_categorical = (["blue", "red"],)

    def __init__(self, names=("size", "colour"), params=None):
        self._names = list(names)
        self.params = {"categorical_column": [1]} if params is None else params
        self.pandas_categorical = [["blue", "red"]] if self.params else []

    def feature_name(self):
        return self._names

    def num_feature(self):
        return len(self._names)

    def predict(self, X):
        if self.pandas_categorical:
            assert [
                list(X[c].cat.categories) for c in X.select_dtypes("category")
            ] == self.pandas_categorical
            return X["size"].to_numpy() + X["colour"].map(len).to_numpy(dtype=float)
        return np.asarray(X)[:, 0]


class LightgbmEstimator:
    """``LGBMRegressor``: tags, but none of categories."""

    def __init__(self, booster):
        self.booster_ = booster
        self.n_features_in_ = booster.num_feature()
        self.feature_names_in_ = np.array(booster.feature_name(), dtype=object)

    def predict(self, X):
        return self.booster_.predict(X)


class XgboostBooster:
    """``xgboost.Booster`` of the columns size and colour."""

    feature_names = ["size", "colour"]  # noqa: RUF012
    feature_types = ["float", "c"]  # noqa: RUF012

    def __init__(self, cats=True):
        text = b"bluered"
        encoded = [{"offsets": [], "values": []}, {"offsets": [0, 4, 7], "values": list(text)}]
        self._model = {
            "learner": {"gradient_booster": {"model": {"cats": {"enc": encoded}} if cats else {}}}
        }

    def save_raw(self, form):
        assert form == "json"
        return bytearray(json.dumps(self._model).encode())


class XgboostEstimator:
    """``XGBRegressor(enable_categorical=True)``: takes a category column only as such."""

    n_features_in_ = 2

    def __init__(self, cats=True):
        self._booster = XgboostBooster(cats)

    def get_booster(self):
        return self._booster

    def predict(self, X):
        if not isinstance(X["colour"].dtype, pd.CategoricalDtype):
            raise ValueError("DataFrame.dtypes for data must be int, float, bool or category.")  # noqa: TRY004
        return X["size"].to_numpy() + X["colour"].map(len).to_numpy(dtype=float)


class CatboostEstimator:
    """``CatBoostRegressor`` as it is after loading: ``n_features_in_`` is 0."""

    n_features_in_ = 0

    def __init__(self, names=("size", "colour"), categories=(1,)):
        self.feature_names_ = list(names)
        self._categories = list(categories)

    def get_cat_feature_indices(self):
        return self._categories

    def get_text_feature_indices(self):
        return []

    def predict(self, X):
        if not self._categories:
            return np.asarray(X)[:, 0]
        return (
            X["size"].to_numpy(dtype=float)
            + X["colour"].map(lambda value: len(str(value))).to_numpy()
        )


class StatsmodelsResults:
    """``OLSResults``: neither tags nor a number of features, and ``params`` in place of
    ``coef_``."""

    def __init__(self, params):
        self.params = np.array(params)

    def predict(self, exog):
        return np.asarray(exog) @ self.params


class Own:
    """A class of one's own with ``predict``, and nothing else."""

    def predict(self, X):
        return np.asarray(X)[:, 0] * 2
