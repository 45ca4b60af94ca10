"""Judges predictions by what came true, for ``mlops quality``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from mlops.quality.classification import Quality, classification
from mlops.quality.intervals import Estimate
from mlops.quality.join import Joined
from mlops.quality.regression import regression

CLASSIFICATION, REGRESSION = "classification", "regression"

MIN_ROWS, MIN_BLOCKS = 200, 30
"""With fewer rows or blocks the intervals don't hold what they say."""

MAX_NUMBERED_CLASSES = 20
"""Whole numbers are classes if there are no more, unless --task says otherwise."""

HIGH_IS_GOOD = ("accuracy", "precision", "recall", "r2")


@dataclass(frozen=True)
class Verdict:
    """``quality`` is None if there is too little to judge."""

    task: str
    rows: int
    blocks: int
    quality: Quality | None
    notes: tuple[str, ...]


def judge(joined: Joined, task: str | None, classes: Sequence[str]) -> Verdict:
    """Judge predictions, or say that there are too few.

    Raises StartupError if predictions and truths don't fit each other or the task.
    """
    task = task or task_of(joined)
    rows, blocks = len(joined.truths), int(joined.blocks.max()) + 1
    if rows < MIN_ROWS or blocks < MIN_BLOCKS:
        return Verdict(task, rows, blocks, None, joined.notes)
    quality = regression(joined) if task == REGRESSION else classification(joined, classes)
    return Verdict(task, rows, blocks, quality, (*joined.notes, *quality.notes))


def task_of(joined: Joined) -> str:
    """Tell classes and probabilities from numbers."""
    values = [*joined.predictions, *joined.truths]
    if any(isinstance(value, bool) or not isinstance(value, Real) for value in values):
        return CLASSIFICATION
    whole = all(value == int(value) for value in values if abs(value) < 2**53)
    return CLASSIFICATION if whole and len({*values}) <= MAX_NUMBERED_CLASSES else REGRESSION


def passed(figures: Mapping[str, Estimate], limits: Mapping[str, float]) -> list[str]:
    """Return a sentence for each limit that a whole interval lies beyond."""
    return [
        f"{name} is {figures[name].low:.4g} to {figures[name].high:.4g}, beyond {limit:g}"
        for name, limit in limits.items()
        if _beyond(name, figures[name], limit)
    ]


def _beyond(name: str, figure: Estimate, limit: float) -> bool:
    if name.startswith(HIGH_IS_GOOD):
        return figure.high < limit
    return figure.low > limit or (name == "bias" and figure.high < -limit)


def to_json(verdict: Verdict) -> dict[str, Any]:
    """Return the figures, and the bins of the calibration curve in lists of one length."""
    quality = verdict.quality
    curve = quality.calibration if quality else None
    return {
        "task": verdict.task,
        "rows": verdict.rows,
        "blocks": verdict.blocks,
        "judged": quality is not None,
        "figures": {name: vars(one) for name, one in quality.figures.items()} if quality else {},
        "calibration": curve
        and {
            "chance": curve.chance,
            "predicted": curve.predicted.tolist(),
            "happened": curve.happened.tolist(),
            "standard_error": curve.errors.tolist(),
            "rows": curve.rows.tolist(),
        },
        "notes": list(verdict.notes),
    }


def table(verdict: Verdict) -> str:
    """Return the figures as text."""
    lines = [f"{verdict.task}, {verdict.rows:,} rows in {verdict.blocks:,} independent blocks"]
    if quality := verdict.quality:
        width = max(map(len, quality.figures))
        lines.append(f"{'':{width}}      value   95 % interval")
        for name, figure in quality.figures.items():
            chance = (
                f"  ({quality.calibration.chance:.2g} by chance alone)"
                if name == "calibration_error" and quality.calibration
                else ""
            )
            lines.append(
                f"{name:{width}} {figure.value:10.4g}   {figure.low:.4g} to {figure.high:.4g}"
                f"{chance}"
            )
    else:
        lines.append(
            f"Too little to judge by: give {MIN_ROWS} rows or more, in {MIN_BLOCKS} blocks or more."
        )
    return "\n".join([*lines, *(f"note: {note}" for note in verdict.notes)])
