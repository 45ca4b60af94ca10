"""What a file holds that holds no estimator, and what to save in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contract import METHODS

NAMED = 5


def sentence(thing: Any) -> str:
    """For something that has none of the methods that may be asked, or is a class that has them."""
    holds = f"The model file holds a {type(thing).__name__}"
    if isinstance(thing, type):
        return (
            f"The model file holds the class {thing.__name__} and no fitted instance of it; save the fitted estimator."
        )
    if not isinstance(thing, Mapping | list | tuple):
        return f"{holds}, which has none of {', '.join(METHODS)}; give a fitted estimator or pipeline that has one."
    parts = thing if isinstance(thing, Mapping) else dict(enumerate(thing))
    names = [f"{key}: " if isinstance(thing, Mapping) else "" for key in parts]
    shown = [f"{name}{type(part).__name__}"[:100] for name, part in zip(names, parts.values(), strict=True)][:NAMED]
    listed = f"{holds} of {', '.join(shown) or 'nothing'}{', ...' if len(parts) > NAMED else ''}"
    estimators = [key for key, part in parts.items() if _is_estimator(part)]
    if len(estimators) > 1:
        in_order = sorted(estimators, key=lambda key: hasattr(parts[key], "predict"))
        steps = [f"pieces[{key!r}]"[:100] for key in in_order[:NAMED]] + ["..."] * (len(in_order) > NAMED)
        return (
            f"{listed}; if they are steps of one model, load them as pieces, join them in the order of their calls, as "
            f"in sklearn.pipeline.make_pipeline({', '.join(steps)}), and save that Pipeline."
        )
    if estimators:
        return f"{listed}; save its {type(parts[estimators[0]]).__name__} alone."
    return f"{listed}, and no estimator among them; save a fitted estimator or pipeline."


def _is_estimator(thing: Any) -> bool:
    return not isinstance(thing, type) and any(callable(getattr(thing, method, None)) for method in METHODS)
