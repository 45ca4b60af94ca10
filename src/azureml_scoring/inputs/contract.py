"""The input contract of a model: its columns and methods, kept in the manifest.

``mlops package`` measures it on a sample; without a manifest it is read from the MLflow signature
or the estimator.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, FiniteFloat

Container = Literal["array", "frame", "list"]
"""The type that the model is called with: a 2-D numpy array, a pandas DataFrame, or a plain list of
texts (for a vectorizer)."""

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
Scalar = bool | int | FiniteFloat | str

TEXT, BOOLEAN, CATEGORY, DATETIME, ANY = "str", "bool", "category", "datetime", "any"
"""Dtypes beside numpy's numbers. ``datetime`` takes ISO 8601 without a zone, and the model gets
``datetime64[ns]``; ``any`` takes every scalar, for a column of which nothing is known."""

DTYPE_PATTERN = "^(u?int(8|16|32|64)|float(16|32|64)|str|bool|category|datetime|any)$"


@dataclass(frozen=True, slots=True)
class Feature:
    """One column. ``dtype``: the name of a numpy number, or one of the five above; ``missing``:
    null is accepted."""

    name: str | None
    dtype: Annotated[str, Field(pattern=DTYPE_PATTERN)] = "float64"
    missing: bool = False
    categories: tuple[Scalar, ...] = ()

    @property
    def numeric(self) -> bool:
        return self.dtype not in (TEXT, BOOLEAN, CATEGORY, DATETIME, ANY)


@dataclass(frozen=True)
class Contract:
    """The columns in the order of the fit, and the model's methods, the default first."""

    features: Annotated[tuple[Feature, ...], Field(min_length=1)]
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    container: Container = "array"

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The names of the columns, or None if the model was fitted without names."""
        names = tuple(feature.name for feature in self.features if feature.name is not None)
        return names if len(names) == len(self.features) else None

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of a batch: the one number type of all columns, float64 for a mixture of
        numbers, else object."""
        if not all(feature.numeric for feature in self.features):
            return np.dtype(object)
        dtypes = {feature.dtype for feature in self.features}
        whole_with_missing = any(
            f.missing and np.issubdtype(f.dtype, np.integer) for f in self.features
        )
        return (
            np.dtype(dtypes.pop())
            if len(dtypes) == 1 and not whole_with_missing
            else np.dtype(np.float64)
        )

    @cached_property
    def uniform(self) -> bool:
        """True if every column has the dtype of the batch."""
        return all(feature.dtype == self.dtype.name for feature in self.features)

    @cached_property
    def plain(self) -> bool:
        """True if every column is float64."""
        return self.uniform and self.dtype == np.float64

    def to_json(self) -> dict[str, Any]:
        return {
            "container": self.container,
            "methods": list(self.methods),
            "features": [
                {"name": f.name, "dtype": f.dtype, "missing": f.missing}
                | ({"categories": list(f.categories)} if f.categories else {})
                for f in self.features
            ],
        }
