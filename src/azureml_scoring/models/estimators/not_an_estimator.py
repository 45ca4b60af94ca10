"""Says what a model file holds instead of an estimator, and what to save in its place."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from itertools import pairwise
from numbers import Real
from typing import Any

from azureml_scoring.inputs.contract import METHODS

MAX_NAMED = 5
"""Parts of the file that the message names."""

MAX_STEPS = 20
"""Steps of the Pipeline that the message suggests."""


def message(thing: Any) -> str:
    """Return one sentence on an object without the methods of METHODS, or on a class with them."""
    holds = f"The model file holds a {type(thing).__name__}"
    if isinstance(thing, type):
        return (
            f"The model file holds the class {thing.__name__} and no fitted instance of it; save "
            f"the fitted estimator."
        )
    if not isinstance(thing, Mapping | list | tuple):
        return (
            f"{holds}, which has none of {', '.join(METHODS)}; give a fitted estimator or pipeline "
            f"that has one."
        )
    parts = thing if isinstance(thing, Mapping) else dict(enumerate(thing))
    names = [f"{key}: " if isinstance(thing, Mapping) else "" for key in parts]
    shown = [
        f"{name}{type(part).__name__}"[:100]
        for name, part in zip(names, parts.values(), strict=True)
    ][:MAX_NAMED]
    listed = (
        f"{holds} of {', '.join(shown) or 'nothing'}{', ...' if len(parts) > MAX_NAMED else ''}"
    )
    return f"{listed}{_remedy(parts)}."


def _remedy(parts: Mapping[Any, Any]) -> str:
    steps = {
        key: part for key, part in parts.items() if _has(part, METHODS) and not _takes_labels(part)
    }
    models = {key: part for key, part in steps.items() if _has(part, ["predict"])}
    if any(map(_takes_labels, parts.values())):
        return (
            "; what translates labels is not a step of a Pipeline: fit the classifier on the "
            "labels themselves, or keep translating its answers where they are used, and save the "
            "classifier, or its Pipeline, alone"
        )
    if not steps:
        return ", and no estimator among them; save a fitted estimator or pipeline"
    if len(models) > 1:
        return (
            "; several of them predict: package each by itself, or save one estimator that asks "
            "them all"
        )
    others = {key: part for key, part in parts.items() if key not in steps}
    if len(steps) > 1:
        return _recipe([key for key in steps if key not in models] + [*models], parts) + _lost(
            others, None
        )
    (estimator,) = steps.values()
    return f"; save its {type(estimator).__name__} alone{_lost(others, estimator)}"


def _recipe(order: list[Any], parts: Mapping[Any, Any]) -> str:
    """Return code to paste that builds the Pipeline.

    Only advice in words if a step is in doubt, or the widths contradict the order.
    """
    steps = [parts[key] for key in order]
    named = [repr(key) for key in order if isinstance(key, int | str)]
    if (
        len(named) < len(order)
        or len(order) > MAX_STEPS
        or max(map(len, named)) > 50
        or not _chained(steps)
    ):
        return (
            "; if they are steps of one model, join them by sklearn.pipeline.make_pipeline() in "
            "the order in which the training called them, and save that Pipeline"
        )
    caution = ", provided that the training called them in this order" if len(order) > 2 else ""
    call = ", ".join(f"pieces[{name}]" for name in named)
    return (
        "; if they are steps of one model, load them as pieces and save them as one Pipeline, "
        "fitted as they are: "
        f"`import joblib, sklearn.pipeline; model = sklearn.pipeline.make_pipeline({call}); "
        f"joblib.dump(model, 'pipeline.joblib')`{caution}"
    )


def _lost(others: Mapping[Any, Any], estimator: Any) -> str:
    """Name the parts that are lost if the model is saved alone, and how the model can keep them."""
    if not others:
        return ""
    ways = []
    if any(
        isinstance(part, Real) and _named(key, ("thresh", "cutoff")) for key, part in others.items()
    ):
        ways.append(
            "for a threshold fit and save sklearn.model_selection.FixedThresholdClassifier(model, "
            "threshold=...)"
        )
    columns = any(
        isinstance(part, Iterable) and _named(key, ("column", "feature"))
        for key, part in others.items()
    )
    if columns and not hasattr(estimator, "feature_names_in_"):
        ways.append("for the columns fit it on a DataFrame, so that it keeps their names and order")
    names = ", ".join(f"{key}"[:50] for key in [*others][:MAX_NAMED]) + (
        ", ..." if len(others) > MAX_NAMED else ""
    )
    return "; ".join([f"; a server does not apply what else the file holds ({names})", *ways])


def _named(key: Any, words: Iterable[str]) -> bool:
    return isinstance(key, str) and any(word in key.lower() for word in words)


def _has(thing: Any, methods: Iterable[str]) -> bool:
    return not isinstance(thing, type) and any(
        callable(getattr(thing, method, None)) for method in methods
    )


def _takes_labels(thing: Any) -> bool:
    """True for transformers of the target, such as scikit-learn's LabelEncoder."""
    if not _has(thing, ["transform"]):
        return False
    try:
        return next(iter(inspect.signature(thing.transform).parameters), None) == "y"
    except (TypeError, ValueError):  # a callable without a signature
        return False


def _chained(steps: list[Any]) -> bool:
    """True unless a step is known to take another number of columns than the one before gives."""
    widths = [
        (_output_width(before), getattr(after, "n_features_in_", None))
        for before, after in pairwise(steps)
    ]
    return all(None in pair or pair[0] == pair[1] for pair in widths)


def _output_width(step: Any) -> int | None:
    try:
        return len(step.get_feature_names_out())
    except Exception:  # a class from outside, or one without names
        return None
