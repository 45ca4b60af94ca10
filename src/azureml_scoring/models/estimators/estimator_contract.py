"""Reads a contract off an estimator: methods, columns, and the container that it takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from azureml_scoring.errors import ModelFailed, ModelRefusedInput, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import METHODS, Container, Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.parameter import Parameter
from azureml_scoring.models.engines.graph_estimator import GraphEstimator
from azureml_scoring.models.estimators import not_an_estimator
from azureml_scoring.models.estimators.known_features import features_of, takes_texts, with_fitted
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.files.mlflow_folder import MlflowModel, default_method
from azureml_scoring.models.files.python_function import FunctionEstimator
from azureml_scoring.models.predictions import non_finite


def methods_of(estimator: Any, default: str | None = None) -> tuple[str, ...]:
    """Return the methods of METHODS that the estimator has, the ``default`` first.

    Raises StartupError if it has none, or not the default.
    """
    methods = tuple(name for name in METHODS if _has(estimator, name))
    if type(estimator).__name__ == "Booster" and type(estimator).__module__.startswith("xgboost"):
        raise StartupError(
            "The model file holds XGBoost's Booster, which takes its own DMatrix in place of rows; "
            "save it by its save_model('model.ubj'), and package that file."
        )
    if not methods or isinstance(estimator, type):
        raise StartupError(not_an_estimator.message(estimator))
    if default is None:
        return methods
    if default not in methods:
        raise StartupError(
            f"predict_fn in the MLmodel is {default}, which the model ({type(estimator).__name__}) "
            f"does not have; choose one of {', '.join(methods)}."
        )
    return (default, *(name for name in methods if name != default))


def _has(estimator: Any, name: str) -> bool:
    try:
        return callable(getattr(estimator, name, None))
    except Exception:  # a property that raises: the method is not offered
        return False


def cacheable(estimator: Any) -> bool:
    """Return False if the model's attribute ``cacheable`` forbids to use an answer twice."""
    return bool(getattr(estimator, "cacheable", True))


def container_of(estimator: Any, features: Iterable[Feature]) -> Container:
    """Return the container in which the estimator gets its rows.

    Columns with names, also a sample's or a signature's, need a DataFrame: a step may select by
    name.
    """
    if isinstance(estimator, GraphEstimator):
        return "array"
    if takes_texts(estimator):
        return "list"
    framed = any(not feature.numeric or feature.name is not None for feature in features)
    return "frame" if framed or hasattr(estimator, "feature_names_in_") else "array"


def contract_of(estimator: Any, described: MlflowModel | None = None) -> Contract:
    """Return the contract of an estimator without a manifest.

    ``described``: its MLflow folder, if there is one. Raises StartupError if the estimator doesn't
    hold the number of its columns.
    """
    methods = methods_of(estimator, default_method(described, estimator))
    signed = described and described.features
    if isinstance(estimator, GraphEstimator):
        return Contract(estimator.features(signed or ()), methods, "array")
    features = with_fitted(signed, estimator) if signed else features_of(estimator)
    contract = Contract(features, methods, container_of(estimator, features))
    if contract.dtype == np.float64 and takes_missing(estimator, contract):
        features = tuple(replace(feature, missing=True) for feature in features)
    return Contract(features, methods, contract.container, parameters_of(estimator))


def parameters_of(estimator: Any) -> tuple[Parameter, ...]:
    """Return what the estimator takes beside rows."""
    return estimator.parameters if isinstance(estimator, FunctionEstimator) else ()


def takes_missing(estimator: Any, contract: Contract) -> bool:
    """Return whether the model answers a row of NaN with numbers.

    It is tried, because tags describe only the first step.
    """
    row = np.full((1, len(contract.features)), np.nan)
    try:
        return not non_finite(Predictor(estimator, contract)(Batch(row, contract.methods[0])))
    except (ModelFailed, ModelRefusedInput):
        return False
