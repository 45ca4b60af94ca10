"""Makes an estimator of a booster's own file."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Literal

Library = Literal["xgboost", "lightgbm", "catboost"]


class WrongClasses(ValueError):
    """The names of the classes do not fit the model; the message says what to do."""


def read(data: bytes, library: Library, classes: Sequence[Any] = ()) -> Any:
    """Return a ``BoosterClassifier`` or a ``BoosterRegressor``, as the objective decides.

    ``classes``: names for a classifier's classes. Raises WrongClasses, ModuleNotFoundError if the
    library is not installed, and whatever the library raises for a damaged file.
    """
    # Each takes seconds, so only models that need one pay.
    importlib.import_module(library)
    from azureml_scoring.models.boosters.booster_estimator import (
        BoosterClassifier,
        BoosterRegressor,
    )

    module = importlib.import_module(f"azureml_scoring.models.boosters.{library}_booster")
    booster = getattr(module, f"{library.capitalize()}Booster")(data)
    if booster.labels is None:
        if classes:
            raise WrongClasses("The model is a regressor and has no classes; leave --classes out.")
        return BoosterRegressor(booster)
    if classes and not len({*classes}) == len(classes) == len(booster.labels):
        raise WrongClasses(
            f"The model has {len(booster.labels)} classes ({', '.join(map(str, booster.labels))}); "
            f"give --classes as many different names, in this order."
        )
    return BoosterClassifier(booster, classes)
