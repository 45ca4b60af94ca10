"""How good predicted numbers were."""

from __future__ import annotations

import numpy as np

from azureml_scoring.errors import StartupError
from mlops.quality.calibration import calibration
from mlops.quality.classification import Quality
from mlops.quality.intervals import block_sums, smooth
from mlops.quality.join import Joined


def regression(joined: Joined) -> Quality:
    """Judge numbers: mean absolute error, root mean squared error, bias (prediction less truth),
    and R2 unless all truths are one value. Raises StartupError."""
    try:
        predicted, truths = (
            np.array(values, dtype=float) for values in (joined.predictions, joined.truths)
        )
    except (TypeError, ValueError):
        predicted = truths = np.empty((0, 0))
    if predicted.ndim != 1 or not (np.isfinite(predicted).all() and np.isfinite(truths).all()):
        raise StartupError(
            "A prediction or truth is no finite number; for classes use --task classification, and "
            "of several outputs give one."
        )
    errors = predicted - truths
    centred = truths - truths.mean()
    terms = [np.ones(len(errors)), errors, np.abs(errors), errors**2, centred, centred**2]
    sums = block_sums(np.column_stack(terms), joined.blocks)
    figures = {
        "mae": smooth(sums, lambda s: s[..., 2] / s[..., 0]),
        "rmse": smooth(sums, lambda s: np.sqrt(np.maximum(s[..., 3], 0) / s[..., 0])),
        "bias": smooth(sums, lambda s: s[..., 1] / s[..., 0]),
    }
    notes = []
    if np.ptp(truths) > 0:
        figures["r2"] = smooth(
            sums, lambda s: 1 - s[..., 3] / (s[..., 5] - s[..., 4] ** 2 / s[..., 0])
        )
    else:
        notes.append("all truths are one value, of which R2 says nothing")
    curve = calibration(predicted, truths, joined.blocks, shares=False)
    return Quality(figures, curve, tuple(notes))
