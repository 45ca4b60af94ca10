"""Reads a sample as an ONNX graph by itself takes it: the types are those of the graph's inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import BOOLEAN, TEXT, Feature
from azureml_scoring.models.engines.graph_estimator import GraphEstimator
from mlops.read_as import listed
from mlops.say import Say


def graph_features(
    estimator: GraphEstimator,
    signature: Sequence[Feature],
    columns: Sequence[Any],
    say: Say,
) -> tuple[Feature, ...]:
    """Return the graph's columns with the sample's names.

    They are matched by name, or by place if the graph has no names that the sample has.
    ``columns``: the sample's. Raises StartupError.
    """
    if estimator.left_out:
        say(f"  note: the graph's outputs {listed(estimator.left_out)} are not served")
    features = estimator.features(signature, count=len(columns))
    known = {str(column) for column in columns}
    names = [feature.name for feature in features]
    missing = [name for name in names if name is not None and name not in known]
    if None not in names and not missing:
        return features
    if len(missing) < len(names) - names.count(None):
        raise StartupError(
            f"The sample lacks columns that the graph takes: {listed(missing)}; add them."
        )
    if len(columns) != len(features):
        raise StartupError(
            f"The sample has {len(columns)} columns ({listed(list(columns))}), the graph takes "
            f"{len(features)}; leave out what it does not take, such as the target, with --drop "
            f"COLUMN."
        )
    if missing:
        say(
            f"  note: the sample has none of the graph's names ({listed(missing)}), so its columns "
            f"are taken in their order ({listed(list(columns))}): check that it is the graph's"
        )
    return tuple(
        dataclasses.replace(feature, name=column if isinstance(column, str) else None)
        for feature, column in zip(features, columns, strict=True)
    )


def graph_rows(frame: pd.DataFrame, features: Sequence[Feature]) -> pd.DataFrame:
    """Give the columns of a sample the types of the graph's inputs.

    Columns that it does not take stay. Raises StartupError for a value that does not fit.
    """
    columns = {str(column): column for column in frame.columns}
    frame = frame.copy()
    for place, feature in enumerate(features):
        column = frame.columns[place] if feature.name is None else columns[feature.name]
        frame[column] = _typed(frame[column], feature)
    return frame


def only_gaps(contract: Contract, gaps: Collection[bool]) -> Contract:
    """Return the contract with missing values where the sample has some: a graph may answer them
    although the model that it was made of refuses them. ``gaps``: of each column."""
    return dataclasses.replace(
        contract,
        features=tuple(
            dataclasses.replace(feature, missing=feature.missing and gap)
            for feature, gap in zip(contract.features, gaps, strict=True)
        ),
    )


def _typed(column: pd.Series, feature: Feature) -> pd.Series:
    whole = np.dtype(feature.dtype).kind in "iu" if feature.numeric else False
    wanted = f"column {column.name} of the sample is {feature.dtype} to the graph"
    if column.isna().any() and (whole or not feature.numeric):
        raise StartupError(
            f"The {wanted}, which has no missing values; fill those of the sample, or leave their "
            f"rows out."
        )
    kind = pd.api.types.infer_dtype(column, skipna=True)
    fits = {TEXT: kind == "string", BOOLEAN: kind == "boolean"}.get(
        feature.dtype, pd.api.types.is_numeric_dtype(column) and kind != "boolean"
    )
    if whole and fits:
        fits = bool((column % 1 == 0).all())
    if not fits:
        raise StartupError(f"The {wanted}, and holds {kind} values; give others, or --drop it.")
    dtype: Any = object if feature.dtype == TEXT else feature.dtype
    return column.astype(dtype)
