"""Takes the model out of a dict that was saved with it: ``{"model": ..., "features": [...]}``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from azureml_scoring.inputs.contract import METHODS

NAMES_OF_COLUMNS = ("feature", "column", "input")
"""Words in the key of a list of column names."""

DESCRIPTIONS = (
    "accuracy",
    "author",
    "date",
    "description",
    "metric",
    "name",
    "params",
    "score",
    "trained",
    "version",
)
"""Words in keys of what only describes the model, so that no answer depends on it."""

APPLIED = (
    "adjust",
    "bias",
    "calib",
    "class",
    "clip",
    "cutoff",
    "encod",
    "factor",
    "fill",
    "label",
    "map",
    "multipl",
    "offset",
    "scal",
    "shift",
    "target",
    "thresh",
    "transform",
    "weight",
)
"""Words in keys of what changes a row before the model, or its answer after it."""


def model_in_dict(thing: Any) -> Any:
    """Return the model of a dict, with the names of its columns; anything else as it is.

    So is a dict that holds anything that the answers may depend on, such as a threshold.
    """
    if not isinstance(thing, Mapping):
        return thing
    models = [part for part in thing.values() if _is_model(part)]
    if len(models) != 1:
        return thing
    (model,) = models
    others = {key: part for key, part in thing.items() if part is not model}
    names = [part for key, part in others.items() if _has_word(key, NAMES_OF_COLUMNS)]
    described = [key for key in others if _has_word(key, (*NAMES_OF_COLUMNS, *DESCRIPTIONS))]
    if len(described) < len(others) or any(_has_word(key, APPLIED) for key in others):
        return thing
    return model if all(_named(model, each) for each in names) else thing


def _is_model(part: Any) -> bool:
    with suppress(Exception):  # a property may raise anything
        return not isinstance(part, type) and any(
            callable(getattr(part, method, None)) for method in METHODS
        )
    return False


def _has_word(key: Any, words: Iterable[str]) -> bool:
    return isinstance(key, str) and any(word in key.lower() for word in words)


def _named(model: Any, names: Any) -> bool:
    """Give the model the names of its columns, as a fit on a DataFrame does; return whether it
    has them now."""
    columns = [] if isinstance(names, str) or not isinstance(names, Iterable) else list(names)
    if not columns or not all(isinstance(name, str) for name in columns):
        return False
    fitted = getattr(model, "feature_names_in_", None)
    if fitted is not None:
        return list(fitted) == columns
    first = model
    while hasattr(first, "steps"):  # a Pipeline has the names of its first step
        first = first.steps[0][1]
    fits = getattr(model, "n_features_in_", None) == len(set(columns)) == len(columns)
    # A ColumnTransformer that was fitted on a matrix finds no columns by name.
    if not fits or hasattr(first, "transformers_"):
        return False
    try:
        first.feature_names_in_ = np.array(columns, dtype=object)
    except AttributeError:  # a property, as boosters have
        return False
    return True
