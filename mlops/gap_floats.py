"""The floats that scikit-learn's imputers make of columns of numbers: filled gaps, and marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.impute import MissingIndicator, SimpleImputer

from azureml_scoring.models.engines.column_tables import Number
from mlops.float_nodes import Float, Gap


def gap_floats(part: Any, floats: Sequence[Float], places: Sequence[int]) -> list[Float] | None:
    """Return what a fitted imputer or indicator makes of ``floats``, those of the columns at
    ``places``; None if the part is none, or does more than fill and mark gaps."""
    if isinstance(part, MissingIndicator) and _is_nan(part.missing_values):
        return _marks(part, places)
    if isinstance(part, SimpleImputer):
        return _filled(part, floats, places)
    return None


def _marks(indicator: MissingIndicator, places: Sequence[int]) -> list[Float]:
    return [Gap(places[k]) for k in indicator.features_]


def _filled(
    imputer: SimpleImputer, floats: Sequence[Float], places: Sequence[int]
) -> list[Float] | None:
    """Return the floats of an imputer that fills gaps with numbers, else None."""
    fills = np.asarray(imputer.statistics_)
    if (
        not _is_nan(imputer.missing_values)
        or fills.dtype.kind not in "fiu"
        or not np.isfinite(fills).all()
    ):
        return None
    if not all(isinstance(each, Number) for each in floats):
        return None
    filled: list[Float] = [
        Number(place, float(fill)) for place, fill in zip(places, fills, strict=True)
    ]
    return filled + (_marks(imputer.indicator_, places) if imputer.add_indicator else [])


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and np.isnan(value)
