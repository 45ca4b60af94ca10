"""The input contract of a model: its columns and methods, kept in the manifest.

``mlops package`` measures it on a sample; without a manifest it is read from the MLflow signature
or the estimator.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from azureml_scoring.inputs.column import Column, column
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.number_columns import NumberColumns
from azureml_scoring.inputs.parameter import Parameter
from azureml_scoring.inputs.row_plans import RowPlans
from azureml_scoring.inputs.typed_records import TypedRecords

Container = Literal["array", "frame", "list", "series"]
"""The type that the model is called with: a 2-D numpy array, a pandas DataFrame, or texts alone, as
a plain list (for a vectorizer) or a pandas Series (for a function of the author's before one)."""

METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score_samples",
    "transform",
)
"""Methods of scikit-learn that a request may choose; the first that a model has is its default."""

Method = Annotated[str, Field(pattern=f"^({'|'.join(METHODS)})$")]


@dataclass(frozen=True)
class Contract:
    """The columns in the order of the fit, and the model's methods, the default first.

    parameters: what the model takes beside the rows.
    """

    features: Annotated[tuple[Feature, ...], Field(min_length=1)]
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    container: Container = "array"
    parameters: tuple[Parameter, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The names of the columns, or None if the model was fitted without names."""
        names = tuple(feature.name for feature in self.features if feature.name is not None)
        return names if len(names) == len(self.features) else None

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """What requests call the columns: by their places in the fit, if they have no names."""
        return self.names or tuple(map(str, range(len(self.features))))

    @cached_property
    def optional(self) -> tuple[str, ...]:
        """The names of the columns that a request may leave out."""
        return tuple(f.name for f in self.features if f.optional and f.name is not None)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The readers of the columns."""
        return tuple(column(feature, self.dtype.name) for feature in self.features)

    @cached_property
    def numeric(self) -> bool:
        """True if every column has numbers."""
        return all(feature.numeric for feature in self.features)

    @cached_property
    def number_columns(self) -> NumberColumns:
        """The reader of all columns at once, if every one has numbers."""
        return NumberColumns(self.features, self.dtype)

    @cached_property
    def row_plans(self) -> RowPlans:
        """The reader of small bodies of rows."""
        return RowPlans(self.column_names, self.columns, self.dtype)

    @cached_property
    def typed_records(self) -> TypedRecords:
        """The reader of records that have each column, and no others."""
        numbers = self.number_columns if self.numeric else None
        return TypedRecords(self.column_names, self.columns, numbers)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of a batch: the one number type of all columns, float64 for a mixture of
        numbers, else object."""
        if not self.numeric:
            return np.dtype(object)
        dtypes = {feature.dtype for feature in self.features}
        whole_with_missing = any(feature.missing and feature.whole for feature in self.features)
        return (
            np.dtype(dtypes.pop())
            if len(dtypes) == 1 and not whole_with_missing
            else np.dtype(np.float64)
        )

    @cached_property
    def uniform(self) -> bool:
        """True if every column has the dtype of the batch."""
        return all(feature.dtype == self.dtype.name for feature in self.features)

    def to_json(self) -> dict[str, Any]:
        return {
            "container": self.container,
            "methods": list(self.methods),
            "features": [
                {"name": f.name, "dtype": f.dtype, "missing": f.missing}
                | ({"categories": list(f.categories)} if f.categories else {})
                | ({"optional": True} if f.optional else {})
                | ({"unseen": True} if f.unseen else {})
                | ({"unit": f.unit} if f.unit != "ns" else {})
                for f in self.features
            ],
        } | ({"parameters": [p.to_json() for p in self.parameters]} if self.parameters else {})
