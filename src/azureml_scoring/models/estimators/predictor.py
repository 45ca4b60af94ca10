"""Calls an estimator with a validated batch, in the container and dtypes of its fit."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import joblib
import numpy as np

from azureml_scoring.errors import ModelFailed, ModelRefusedInput, ScoringError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import ANY, BOOLEAN, CATEGORY, DATETIME, TEXT, Feature
from azureml_scoring.inputs.parameter import values
from azureml_scoring.models.estimators.fitted_columns import float_columns, object_columns
from azureml_scoring.models.estimators.tasks import skip_needless_set_up
from azureml_scoring.models.predictions import per_row

REFUSAL_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    AttributeError,
)
"""Exceptions that code raises on a value that it can't work with. Others mean that the model or its
machine is broken."""

BOOSTER_PACKAGES = {"catboost", "_catboost", "lightgbm", "xgboost"}
"""Packages that raise their own exceptions in place of those."""

VALUE_TYPES = {str: str, bool: bool, int: int, float: float}
"""Types told apart in columns that may mix them. Among fractions 7 would be 7.0, which is another
text."""


class Predictor:
    """``predictor(batch)`` -> one JSON-ready answer per row.

    An estimator raises the same ValueError for values that it can't compute (an overflow, an
    unknown category) and when it is broken itself. Once a call has succeeded the estimator works,
    so later errors are due to the values.
    """

    def __init__(self, estimator: Any, contract: Contract) -> None:
        self._estimator = estimator
        self._contract = contract
        self._mixed_columns = {
            place: int if feature.dtype == CATEGORY else float
            for place, feature in enumerate(contract.features)
            if feature.dtype == ANY or _takes_other_fractions(feature)
        }
        self._proven = False
        skip_needless_set_up()
        # Packaging has proven that an array gives the same answers, or a DataFrame if the fit had
        # no names.
        warnings.filterwarnings("ignore", "X (does not have valid|has) feature names", UserWarning)

    def __call__(self, batch: Batch) -> list[Any]:
        if not self._mixed_columns or len(parts := _alike(batch.X, self._mixed_columns)) == 1:
            return self._answers(batch)
        answers = dict[int, Any]()
        for places in parts:
            answers |= zip(places, self._answers(batch._replace(X=batch.X[places])), strict=True)
        return [answers[place] for place in range(len(batch.X))]

    def _answers(self, batch: Batch) -> list[Any]:
        try:
            # A request has one slot, and starting threads for n_jobs takes longer than they save.
            with joblib.parallel_config(backend="sequential"):
                predict = getattr(self._estimator, batch.method)
                rows = self.model_input(batch.X)
                answers = per_row(
                    predict(rows, params=values(batch.params)) if batch.params else predict(rows)
                )
        except (ScoringError, KeyboardInterrupt):
            raise
        except BaseException as error:  # also SystemExit, which would end the worker's thread
            if not _refuses(error):
                raise ModelFailed("The model failed.") from error
            if not self._proven:
                raise ModelFailed("The model failed on its first request.") from error
            raise ModelRefusedInput(
                "The model refused the values: their types and shape are right, but at least one "
                "is beyond what it can compute, such as an unknown category or a number too large."
            ) from error
        if len(answers) != len(batch.X):
            raise ModelFailed(f"The model gave {len(answers)} answers to {len(batch.X)} rows.")
        self._proven = True
        return answers

    @cached_property
    def _objects(self) -> dict[int, float | None]:
        return object_columns(self._estimator, len(self._contract.features))

    @cached_property
    def _floats(self) -> list[int]:
        features = self._contract.features
        places = float_columns(self._estimator, len(features))
        return [k for k in places if features[k].whole or features[k].dtype == BOOLEAN]

    def model_input(self, X: np.ndarray) -> Any:
        """Copy the values of a batch into the estimator's container.

        An estimator with ``copy=False`` computes in place, and others still read the batch.
        """
        if self._contract.container == "array":
            return self._with_objects(X) if self._objects else X.copy()
        if self._contract.container == "list":
            return X[:, 0].tolist()
        frame = self._frame(X)
        return frame if self._contract.container == "frame" else frame.iloc[:, 0]

    def _frame(self, X: np.ndarray) -> Any:
        import pandas as pd  # only models fitted on a DataFrame pay for it

        names = list(self._contract.names or range(X.shape[1]))
        if self._contract.uniform and not (self._objects or self._floats):
            return pd.DataFrame(X, columns=names, copy=True)
        columns = [
            _column(pd, feature, values)
            for feature, values in zip(self._contract.features, X.T, strict=True)
        ]
        for place in self._floats:
            columns[place] = np.asarray(columns[place], dtype=np.float64)
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


def _takes_other_fractions(feature: Feature) -> bool:
    """Tell whether a column of whole numbers as categories takes fractions that the fit did not
    have."""
    return (
        feature.dtype == CATEGORY and feature.unseen and {*map(type, feature.categories)} == {int}
    )


def _alike(X: np.ndarray, mixed_columns: Mapping[int, type]) -> list[list[int]]:
    """Group rows by the types of values in columns that may mix them.

    A column then has the dtype that it has for one row alone, so a row gets the same answer, or the
    same refusal, as alone. ``mixed_columns``: place -> as what a missing value counts.
    """
    kinds = mixed_columns.values()
    groups: dict[tuple[type, ...], list[int]] = defaultdict(list)
    for place, row in enumerate(X[:, [*mixed_columns]].tolist()):
        types = zip(row, kinds, strict=True)
        groups[tuple(VALUE_TYPES.get(type(value), kind) for value, kind in types)].append(place)
    return list(groups.values())


def _refuses(error: BaseException) -> bool:
    kind = type(error)
    return (
        issubclass(kind, REFUSAL_ERRORS)
        or str(kind.__module__).partition(".")[0] in BOOSTER_PACKAGES
    )


def _column(pd: Any, feature: Feature, values: np.ndarray) -> Any:
    """Return one column with the dtype of the fit.

    Whole numbers and booleans with missing values get the dtype that pandas gives them.
    """
    if feature.dtype == CATEGORY:
        # Values that the fit did not have come after its own, whose order counts.
        present = [value for value in values.tolist() if value is not None]
        known = list(dict.fromkeys([*feature.categories, *present]))
        return pd.Categorical(values, categories=known)
    if feature.dtype == DATETIME:
        return values.astype(f"datetime64[{feature.unit}]")
    missing = pd.isna(values)
    if feature.dtype in (TEXT, ANY):
        column = pd.Series(np.where(missing, np.nan, values), dtype=object)
        # infer_objects would make numbers of a column of nothing but NaN.
        return column if missing.all() else column.infer_objects()
    if missing.any():
        return (
            np.where(missing, np.nan, values)
            if feature.dtype == BOOLEAN
            else values.astype(np.float64)
        )
    return values.astype(feature.dtype)
