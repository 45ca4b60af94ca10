"""Takes apart a booster that encodes its categories itself: their codes, and trees on codes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.preprocessing import FunctionTransformer

from azureml_scoring.inputs.feature import CATEGORY
from azureml_scoring.models.estimators.booster_features import booster_features

HISTOGRAM_BOOSTERS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


@dataclass(frozen=True)
class CategoryCodes:
    """Stands for the encoder inside LightGBM and XGBoost: a category becomes its place.

    categories: by column, in the order of the codes, empty where the booster does not hold them;
        None for a column of numbers.
    """

    categories: Sequence[Sequence[Any] | None]


def taken_apart(model: Any) -> tuple[Any, Any]:
    """Return the encoder of a model's columns, and the model of what that gives.

    The encoder is "passthrough" where the model has none.
    """
    if isinstance(model, HISTOGRAM_BOOSTERS) and model._preprocessor is not None:
        encoder, on_codes = copy.copy(model._preprocessor), copy.copy(model)
        encoder.transformers_ = [
            # It only checks numbers.
            (name, FunctionTransformer() if isinstance(part, FunctionTransformer) else part, places)
            for name, part, places in encoder.transformers_
        ]
        on_codes._preprocessor = None
        return encoder, on_codes
    features = booster_features(model) or ()
    if any(feature.dtype == CATEGORY for feature in features):
        return CategoryCodes(
            [feature.categories if feature.dtype == CATEGORY else None for feature in features]
        ), model
    return "passthrough", model
