"""Calls a scikit-learn estimator with a validated batch, and reads a contract off one that came
without."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from azureml_scoring.errors import ModelFailed, ModelRefusedInput, StartupError, reason
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import (
    ANY,
    BOOLEAN,
    CATEGORY,
    DATETIME,
    METHODS,
    TEXT,
    Container,
    Contract,
    Feature,
)
from azureml_scoring.models.estimators import not_an_estimator
from azureml_scoring.models.estimators.fitted_columns import object_columns
from azureml_scoring.models.estimators.known_features import features_of, takes_texts, with_fitted
from azureml_scoring.models.files.mlflow_folder import MlflowModel
from azureml_scoring.models.predictions import non_finite, per_row

REFUSAL_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    AttributeError,
)
"""What code raises on a value that it can't work with. Other exceptions tell of the model or its
machine."""

BOOSTER_PACKAGES = {"catboost", "_catboost", "lightgbm", "xgboost"}
"""Packages that raise exceptions of their own in place of those."""

VALUE_TYPES = {str: str, bool: bool}
"""Any other value is a number, or missing, which goes with numbers."""


class Predictor:
    """``predictor(batch)`` -> one JSON-ready answer per row.

    An estimator raises the same ValueError for values that are beyond it (an overflow, an unknown
    category) and where it is broken itself. Once a call has succeeded it works, so the values are
    to blame.
    """

    def __init__(self, estimator: Any, contract: Contract) -> None:
        self._estimator = estimator
        self._contract = contract
        self._untold = [
            place for place, feature in enumerate(contract.features) if feature.dtype == ANY
        ]
        self._proven = False
        # Packaging has shown that an array gives the same answers, or a DataFrame where the fit had
        # no names.
        warnings.filterwarnings("ignore", "X (does not have valid|has) feature names", UserWarning)

    def __call__(self, batch: Batch) -> list[Any]:
        if not self._untold or len(parts := _alike(batch.X, self._untold)) == 1:
            return self._answers(batch)
        answers = dict[int, Any]()
        for places in parts:
            answers |= zip(places, self._answers(Batch(batch.X[places], batch.method)), strict=True)
        return [answers[place] for place in range(len(batch.X))]

    def _answers(self, batch: Batch) -> list[Any]:
        try:
            answers = per_row(getattr(self._estimator, batch.method)(self._input(batch.X)))
        except ModelFailed:
            raise
        except (
            BaseException
        ) as error:  # also SystemExit, which would take the worker's thread with it
            if not _refuses(error):
                raise ModelFailed("The model failed.") from error
            if not self._proven:
                raise ModelFailed("The model failed on its first request.") from error
            raise ModelRefusedInput(
                "The model refused the values: their types and shape are right, but at least one "
                "is beyond what it can "
                "compute, such as an unknown category or a number too large."
            ) from error
        if len(answers) != len(batch.X):
            raise ModelFailed(f"The model gave {len(answers)} answers to {len(batch.X)} rows.")
        self._proven = True
        return answers

    @cached_property
    def _objects(self) -> dict[int, float | None]:
        return object_columns(self._estimator, len(self._contract.features))

    def _input(self, X: np.ndarray) -> Any:
        """A copy: an estimator with ``copy=False`` computes in place, and others still look at the
        batch."""
        if self._contract.container == "array":
            return self._with_objects(X) if self._objects else X.copy()
        if self._contract.container == "list":
            return X[:, 0].tolist()
        return self._frame(X)

    def _frame(self, X: np.ndarray) -> Any:
        import pandas as pd  # only models fitted on a DataFrame pay for it

        names = list(self._contract.names or range(X.shape[1]))
        if self._contract.uniform and not self._objects:
            return pd.DataFrame(X, columns=names, copy=True)
        columns = [
            _column(pd, feature, values)
            for feature, values in zip(self._contract.features, X.T, strict=True)
        ]
        for place, missing in self._objects.items():
            columns[place] = pd.Series(_as_objects(columns[place], missing), dtype=object)
        return pd.DataFrame(dict(zip(names, columns, strict=True)))

    def _with_objects(self, X: np.ndarray) -> np.ndarray:
        X = X.astype(object)
        for place, missing in self._objects.items():
            X[:, place] = _as_objects(X[:, place], missing)
        return X


def _as_objects(column: Any, missing: float | None) -> np.ndarray:
    objects = np.array(column, dtype=object)
    objects[objects != objects] = missing  # noqa: PLR0124 NaN is what differs from itself
    return objects


def _alike(X: np.ndarray, untold: list[int]) -> list[list[int]]:
    """Rows whose ``untold`` columns hold the same kinds of values: a column's dtype is then that of
    a row alone, and no row is answered that would be refused alone."""
    found: dict[tuple[type, ...], list[int]] = defaultdict(list)
    for place, row in enumerate(X[:, untold].tolist()):
        found[tuple(VALUE_TYPES.get(type(value), float) for value in row)].append(place)
    return list(found.values())


def _refuses(error: BaseException) -> bool:
    kind = type(error)
    return (
        issubclass(kind, REFUSAL_ERRORS)
        or str(kind.__module__).partition(".")[0] in BOOSTER_PACKAGES
    )


def _column(pd: Any, feature: Feature, values: np.ndarray) -> Any:
    """One column with the dtype of the fit; a whole number or boolean with missing values as pandas
    has those."""
    if feature.dtype == CATEGORY:
        return pd.Categorical(values, categories=list(feature.categories))
    if feature.dtype == DATETIME:
        return values.astype("datetime64[ns]")
    missing = pd.isna(values)
    if feature.dtype in (TEXT, ANY):
        column = pd.Series(np.where(missing, np.nan, values), dtype=object)
        return (
            column if missing.all() else column.infer_objects()
        )  # nothing but NaN would become numbers
    if missing.any():
        return (
            np.where(missing, np.nan, values)
            if feature.dtype == BOOLEAN
            else values.astype(np.float64)
        )
    return values.astype(feature.dtype)


@contextmanager
def startup_error_when(when: str) -> Iterator[None]:
    """Whatever a model raises meanwhile becomes one sentence, a StartupError."""
    try:
        yield
    except (StartupError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise StartupError(
            f"The model failed when {when} ({reason(error)}); mend it and save it again."
        ) from error


def methods_of(estimator: Any, default: str | None = None) -> tuple[str, ...]:
    """``default`` comes first, if it is given. Raises StartupError where there is nothing that can
    be asked."""
    methods = tuple(name for name in METHODS if _has(estimator, name))
    if type(estimator).__name__ == "Booster" and type(estimator).__module__.startswith("xgboost"):
        raise StartupError(
            "The model file holds XGBoost's Booster, which takes its own DMatrix in place of rows; "
            "save the fitted "
            "XGBClassifier or XGBRegressor."
        )
    if not methods or isinstance(estimator, type):
        raise StartupError(not_an_estimator.message(estimator))
    if default is None:
        return methods
    if default not in methods:
        raise StartupError(
            f"predict_fn in the MLmodel is {default}, which the model ({type(estimator).__name__}) "
            f"does not have; "
            f"choose one of {', '.join(methods)}."
        )
    return (default, *(name for name in methods if name != default))


def _has(estimator: Any, name: str) -> bool:
    try:
        return callable(getattr(estimator, name, None))
    except Exception:  # a property of somebody's own: what can't be looked at is not offered
        return False


def cacheable(estimator: Any) -> bool:
    """A model declares by an attribute ``cacheable = False`` that its answers must not be given
    twice."""
    return bool(getattr(estimator, "cacheable", True))


def container_of(estimator: Any, features: Iterable[Feature]) -> Container:
    if takes_texts(estimator):
        return "list"
    """A DataFrame wherever columns have names, which a step may ask for: also of a sample or a
    signature."""
    framed = any(not feature.numeric or feature.name is not None for feature in features)
    return "frame" if framed or hasattr(estimator, "feature_names_in_") else "array"


def contract_of(estimator: Any, described: MlflowModel | None = None) -> Contract:
    """The contract of an estimator without a manifest; ``described``: in its MLflow folder, if it
    is in one.

    Raises StartupError where the estimator does not even tell how many columns it takes.
    """
    methods = methods_of(estimator, described.method if described else None)
    signed = described and described.features
    features = with_fitted(signed, estimator) if signed else features_of(estimator)
    contract = Contract(features, methods, container_of(estimator, features))
    if contract.dtype == np.float64 and takes_missing(estimator, contract):
        features = tuple(Feature(f.name, f.dtype, missing=True) for f in features)
    return Contract(features, methods, contract.container)


def takes_missing(estimator: Any, contract: Contract) -> bool:
    """Tried out, because tags tell only of an estimator's first step: does it answer a row of NaN
    with numbers?"""
    row = np.full((1, len(contract.features)), np.nan)
    try:
        return not non_finite(Predictor(estimator, contract)(Batch(row, contract.methods[0])))
    except (ModelFailed, ModelRefusedInput):
        return False
