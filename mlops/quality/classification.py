"""How good predicted classes and probabilities were.

Each figure is that of scikit-learn's function of the same name, which takes one row like another:
here they are functions of sums over blocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from azureml_scoring.errors import StartupError
from mlops.quality.calibration import Calibration, calibration
from mlops.quality.intervals import Estimate, block_sums, share, smooth
from mlops.quality.join import Joined

MAX_CLASSES = 20
"""So many classes have a precision and a recall of their own, the commonest first."""


@dataclass(frozen=True)
class Quality:
    """The figures by name. ``calibration`` is None if there are no probabilities."""

    figures: dict[str, Estimate]
    calibration: Calibration | None
    notes: tuple[str, ...]


def label(value: Any) -> str:
    """Return a class as text, whichever file it is from: 1, 1.0 and "1" are one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    return text.lower() if text in ("True", "False") else text


def classification(joined: Joined, classes: Sequence[str]) -> Quality:
    """Judge predicted classes, or probabilities in the order of ``classes``.

    Raises StartupError if these don't fit each other.
    """
    truths = np.array([label(truth) for truth in joined.truths])
    notes: list[str] = []
    if not any(isinstance(value, list) for value in joined.predictions):
        predicted = np.array([label(value) for value in joined.predictions])
        _tell_unknown(truths, np.unique(predicted), "were never predicted", notes)
        return Quality(_by_class(predicted, truths, joined.blocks), None, tuple(notes))
    probabilities = _probabilities(joined.predictions)
    names = np.array(_class_names(classes, truths, probabilities.shape[1]))
    _tell_unknown(truths, names, "are none of the model's, and count as wrong", notes)
    predicted = names[probabilities.argmax(axis=1)]
    known = np.isin(truths, names)
    if not known.all():
        notes.append("log loss and Brier score leave these rows out")
    figures = _by_class(predicted, truths, joined.blocks)
    hits = truths[:, None] == names
    losses = _losses(probabilities, hits)[known]
    if len(losses):
        sums = block_sums(
            np.column_stack([losses, np.ones(len(losses))]),
            np.unique(joined.blocks[known], return_inverse=True)[1],
        )
        figures["log_loss"] = smooth(sums, lambda s: s[..., 0] / s[..., 2])
        figures["brier_score"] = smooth(sums, lambda s: s[..., 1] / s[..., 2])
    if len(names) == 2:
        curve = calibration(probabilities[:, 1], hits[:, 1] * 1.0, joined.blocks, shares=True)
    else:
        right = (predicted == truths) * 1.0
        curve = calibration(probabilities.max(axis=1), right, joined.blocks, shares=True)
    figures["calibration_error"] = curve.error
    return Quality(figures, curve, tuple(notes))


def _probabilities(predictions: Sequence[Any]) -> np.ndarray:
    try:
        probabilities = np.array(predictions, dtype=float)
    except (TypeError, ValueError):
        probabilities = np.empty(0)
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise StartupError(
            "The predictions are lists that are no probabilities of classes; give one output."
        )
    if (probabilities < 0).any() or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise StartupError(
            "The predictions are no probabilities, because a row does not sum to 1; give those of "
            "predict_proba."
        )
    return probabilities


def _class_names(classes: Sequence[str], truths: np.ndarray, width: int) -> Sequence[str]:
    if classes:
        if len({*classes}) != width or len(classes) != width:
            raise StartupError(
                f"--classes names {len(classes)} classes, and each prediction has {width} "
                f"probabilities; name each class once, in the order of the model's classes_."
            )
        return classes
    numbers = [str(place) for place in range(width)]
    if {*truths} <= {*numbers}:
        return numbers
    if width == 2 and {*truths} <= {"false", "true"}:
        return ["false", "true"]
    raise StartupError(
        "The predictions are probabilities, and nothing says of which classes; name these by "
        "--classes, in the order of the model's classes_."
    )


def _tell_unknown(truths: np.ndarray, known: np.ndarray, what: str, notes: list[str]) -> None:
    unknown = ~np.isin(truths, known)
    if names := sorted({*truths[unknown].tolist()}):
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        notes.append(f"the classes {', '.join(names[:5])}{more} of {unknown.sum():,} truths {what}")


def _by_class(predicted: np.ndarray, truths: np.ndarray, blocks: np.ndarray) -> dict[str, Estimate]:
    right = predicted == truths
    figures = {"accuracy": _share(right, np.ones(len(right), bool), blocks)}
    names, rows = np.unique(np.concatenate([truths, predicted]), return_counts=True)
    for name in names[np.argsort(-rows, kind="stable")][:MAX_CLASSES]:
        for figure, of in (("precision", predicted == name), ("recall", truths == name)):
            estimate = _share(right & of, of, blocks)
            if not math.isnan(estimate.value):
                figures[f"{figure}({name})"] = estimate
    return figures


def _share(events: np.ndarray, rows: np.ndarray, blocks: np.ndarray) -> Estimate:
    return share(block_sums(np.column_stack([events, rows]).astype(float), blocks))


def _losses(probabilities: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Return log loss and Brier score of each row, (rows, 2). Of two classes the latter is that of
    the second, as in scikit-learn."""
    smallest = np.finfo(float).eps
    log_loss = -np.log(np.clip((probabilities * hits).sum(axis=1), smallest, 1))
    brier = ((probabilities - hits) ** 2).sum(axis=1)
    return np.column_stack([log_loss, brier / (1 + (hits.shape[1] == 2))])
