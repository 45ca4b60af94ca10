"""Calls a scikit-learn estimator with a validated batch, and reads a contract off one that came without."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from contract import ANY, BOOLEAN, CATEGORY, METHODS, TEXT, Container, Contract, Feature
from errors import ModelFailed, ModelRefusedInput, StartupError
from predictions import non_finite, per_row
from validation import Batch


class Predictor:
    """``predictor(batch)`` -> one JSON-ready answer per row.

    A scikit-learn estimator says with the same ValueError that the values are beyond it (an overflow, an unknown
    category) and that it is itself broken; some look an unknown category up and fail with an IndexError. Once a call
    has succeeded the estimator works, so the values are to blame.
    """

    def __init__(self, estimator: Any, contract: Contract) -> None:
        self._estimator = estimator
        self._contract = contract
        self._proven = False
        # Packaging has shown that an array gives the same answers, or a DataFrame where the fit had no names.
        warnings.filterwarnings("ignore", "X (does not have valid|has) feature names", UserWarning)

    def __call__(self, batch: Batch) -> list[Any]:
        try:
            output = getattr(self._estimator, batch.method)(self._input(batch.X))
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            if not self._proven:
                raise ModelFailed("The model failed on its first request.") from error
            raise ModelRefusedInput(
                "The model refused the values: their types and shape are right, but at least one is beyond what it can "
                "compute, such as an unknown category or a number too large."
            ) from error
        except BaseException as error:  # also SystemExit, which would take the worker's thread with it
            raise ModelFailed("The model failed.") from error
        answers = per_row(output)
        if len(answers) != len(batch.X):
            raise ModelFailed("The model did not answer each row once.")
        self._proven = True
        return answers

    def _input(self, X: np.ndarray) -> Any:
        """A copy: an estimator with ``copy=False`` computes in place, and others still look at the batch."""
        if self._contract.container == "array":
            return X.copy()
        if self._contract.container == "list":
            return X[:, 0].tolist()
        return self._frame(X)

    def _frame(self, X: np.ndarray) -> Any:
        import pandas as pd  # only models fitted on a DataFrame pay for it

        names = list(self._contract.names or range(X.shape[1]))
        if self._contract.uniform:
            return pd.DataFrame(X, columns=names, copy=True)
        columns = zip(names, self._contract.features, X.T, strict=True)
        return pd.DataFrame({name: _column(pd, feature, values) for name, feature, values in columns})


def _column(pd: Any, feature: Feature, values: np.ndarray) -> Any:
    """One column with the dtype of the fit; a whole number or boolean with missing values as pandas has those."""
    if feature.dtype == CATEGORY:
        return pd.Categorical(values, categories=list(feature.categories))
    missing = pd.isna(values)
    if feature.dtype in (TEXT, ANY):
        column = pd.Series(np.where(missing, np.nan, values), dtype=object)
        return column if missing.all() else column.infer_objects()  # nothing but NaN would become numbers
    if missing.any():
        return np.where(missing, np.nan, values) if feature.dtype == BOOLEAN else values.astype(np.float64)
    return values.astype(feature.dtype)


def methods_of(estimator: Any) -> tuple[str, ...]:
    """Raises StartupError where there is nothing that can be asked."""
    methods = tuple(name for name in METHODS if callable(getattr(estimator, name, None)))
    if not methods:
        raise StartupError(
            f"The model file holds a {type(estimator).__name__}, which has none of {', '.join(METHODS)}; "
            "give a fitted estimator or pipeline that has one."
        )
    return methods


def cacheable(estimator: Any) -> bool:
    """A model declares by an attribute ``cacheable = False`` that its answers must not be given twice."""
    return bool(getattr(estimator, "cacheable", True))


def container_of(estimator: Any, features: Iterable[Feature]) -> Container:
    if _takes_texts(estimator):
        return "list"
    """A DataFrame wherever columns have names, which a step may ask for: also of a sample or a signature."""
    framed = any(not feature.numeric or feature.name is not None for feature in features)
    return "frame" if framed or hasattr(estimator, "feature_names_in_") else "array"


def contract_of(estimator: Any, features: tuple[Feature, ...] | None = None) -> Contract:
    """The contract of an estimator without a manifest; ``features`` as an MLflow signature gives them, if there is one.

    Raises StartupError where the estimator does not even tell how many columns it takes.
    """
    methods = methods_of(estimator)
    features = features or _features_of(estimator)
    contract = Contract(features, methods, container_of(estimator, features))
    if contract.dtype == np.float64 and takes_missing(estimator, contract):
        features = tuple(Feature(f.name, f.dtype, missing=True) for f in features)
    return Contract(features, methods, contract.container)


def takes_missing(estimator: Any, contract: Contract) -> bool:
    """Tried out, because tags tell only of an estimator's first step: does it answer a row of NaN with numbers?"""
    row = np.full((1, len(contract.features)), np.nan)
    try:
        return not non_finite(Predictor(estimator, contract)(Batch(row, contract.methods[0])))
    except (ModelFailed, ModelRefusedInput):
        return False


def _features_of(estimator: Any) -> tuple[Feature, ...]:
    if _takes_texts(estimator):
        return (Feature(None, TEXT),)
    count = getattr(estimator, "n_features_in_", None)
    if count is None:
        raise StartupError(
            f"The model ({type(estimator).__name__}) does not tell how many features it takes; package it with "
            "`mlops package MODEL --sample DATA --out DIR`, which measures that."
        )
    names = getattr(estimator, "feature_names_in_", [None] * count)
    known = Feature(None, ANY, missing=True) if _takes_anything(estimator) else Feature(None)
    return tuple(Feature(name, known.dtype, known.missing) for name in names)


def first_step(estimator: Any) -> Any:
    """What meets the input: inside pipelines and searches, the first step."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif getattr(estimator, "steps", None):
            estimator = estimator.steps[0][1]
        else:
            return estimator


def _takes_texts(estimator: Any) -> bool:
    tags = _input_tags(estimator)
    return bool(tags and tags.string and not tags.two_d_array)


def _takes_anything(estimator: Any) -> bool:
    """Its columns may hold texts: each has a transformer of its own, or categories are what it is made for."""
    first, tags = first_step(estimator), _input_tags(estimator)
    return hasattr(first, "transformers") or hasattr(first, "transformer_list") or bool(tags and tags.categorical)


def _input_tags(estimator: Any) -> Any:
    from sklearn.utils import get_tags

    try:
        return get_tags(first_step(estimator)).input_tags
    except (AttributeError, TypeError):  # estimators of other libraries need not have tags
        return None
