"""The steps of a fitted pipeline that compute answers."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline


def flat_steps(estimator: Any) -> list[Any]:
    """Return the steps of a pipeline, of a pipeline that it begins with, and of a search's best.

    Another estimator is the only step.
    """
    steps = [getattr(estimator, "best_estimator_", estimator)]
    while isinstance(steps[0], Pipeline):
        steps = [*own_steps(steps[0]), *steps[1:]]
    return steps


def own_steps(pipeline: Pipeline) -> list[Any]:
    """Return the steps that compute answers: imbalanced-learn's samplers only work in a fit."""
    return [
        step
        for _, step in pipeline.steps
        if not (step is None or step == "passthrough" or hasattr(step, "fit_resample"))
    ]
