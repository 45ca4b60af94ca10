"""Reads a sample as a model takes it, by its fit, its graph or its MLflow signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.engines.graph_estimator import GraphEstimator
from azureml_scoring.models.estimators.estimator_contract import parameters_of
from azureml_scoring.models.estimators.fitted_columns import object_columns
from azureml_scoring.models.estimators.known_features import names_of, with_fitted
from mlops.csv_file import CsvFile
from mlops.graph_sample import graph_features, graph_rows
from mlops.read_as import as_fitted, unlike_the_fit
from mlops.sample import apply_types
from mlops.say import Say


class ModelSample:
    """Reads rows for one model.

    signature: the columns that MLflow, the graph or the fit names.
    """

    def __init__(
        self,
        estimator: Any,
        signature: Sequence[Feature],
        columns: Sequence[Any],
        user_types: Mapping[str, Feature],
        say: Say,
    ) -> None:
        """``signature``: MLflow's; ``columns``: the sample's. Raises StartupError."""
        self._estimator = estimator
        self._user_types = user_types
        self._is_graph = isinstance(estimator, GraphEstimator)
        self.signature = (
            graph_features(estimator, signature, columns, say)
            if self._is_graph
            else with_fitted(tuple(signature), estimator)
        )

    def read(self, rows: pd.DataFrame | CsvFile, say: Say) -> pd.DataFrame:
        """Read rows with the types of the fit and of the user. Raises StartupError."""
        if isinstance(rows, CsvFile):
            frame = as_fitted(rows, self._estimator, self.signature, self._user_types, say)
        else:
            types = {**unlike_the_fit(rows, self._estimator), **self._user_types}
            frame = apply_types(rows, types)
        if self._is_graph:
            return graph_rows(frame, self.signature)
        return _with_gaps_of_the_fit(frame, self._estimator)

    def signed(self, contract: Contract, say: Say) -> Contract:
        """Return the contract with what no sample shows: optional columns, and parameters."""
        optional = {each.name for each in self.signature if each.optional} - {None}
        refused = [f.name for f in contract.features if f.name in optional and not f.missing]
        if refused:
            say(
                f"  note: the signature says that {', '.join(map(str, refused))} may be left out, "
                f"but the model takes no missing values there"
            )
        features = tuple(
            replace(feature, optional=feature.missing and feature.name in optional)
            for feature in contract.features
        )
        return replace(contract, features=features, parameters=parameters_of(self._estimator))


def _with_gaps_of_the_fit(frame: pd.DataFrame, estimator: Any) -> pd.DataFrame:
    """Give columns of objects the missing value that the fit had: files don't tell None from NaN,
    and an encoder takes the other one for an unknown value.

    A column that holds both was not read from a file, and stays.
    """
    names = names_of(estimator) or list(frame.columns)
    fitted = {names[place]: gap for place, gap in object_columns(estimator, len(names)).items()}
    frame = frame.copy(deep=False)
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        if column.dtype != object:
            continue
        gaps = column.isna()
        if len({type(value) for value in column[gaps]}) == 1:
            filled = column.to_numpy(copy=True)
            filled[gaps] = fitted.get(name, np.nan)
            # Of an array pandas would make its own texts, whose gaps are NaN.
            gapped = pd.Series(filled, frame.index, dtype=object)
            frame.isetitem(place, gapped)  # type: ignore[arg-type]
    return frame
