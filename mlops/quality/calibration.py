"""Calibration: does what was predicted happen as often, or is it as large, as predicted?

Predictions are put into bins of equal numbers. The expected calibration error is the mean distance
between prediction and truth in a bin, weighted by the bin's rows. Chance alone makes it larger than
zero, and says by how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops.quality.intervals import STANDARD_ERRORS, TAIL, Estimate, block_sums, left_out

BINS, MIN_BIN_ROWS = 10, 20
DRAWS = 4_000


@dataclass(frozen=True)
class Calibration:
    """By bin: mean prediction, mean truth, the standard error of their distance, and rows.

    ``error``: the expected calibration error; ``chance``: its mean if predictions are calibrated.
    """

    predicted: np.ndarray
    happened: np.ndarray
    errors: np.ndarray
    rows: np.ndarray
    error: Estimate
    chance: float


def calibration(
    predicted: np.ndarray, happened: np.ndarray, blocks: np.ndarray, *, shares: bool
) -> Calibration:
    """Compare numbers, row by row. ``shares``: predictions are probabilities, truths 0 or 1."""
    bins = _bins(predicted)
    inside = bins[:, None] == np.arange(bins.max() + 1)
    rows = inside.sum(axis=0)
    gaps = block_sums(inside * (predicted - happened)[:, None], blocks) / len(bins)
    deviations = left_out(gaps, lambda sums: sums)
    covariance = deviations.T @ deviations
    if shares:  # few events hide the variance that a calibrated bin has at least
        least = (inside * (predicted * (1 - predicted))[:, None]).sum(axis=0) / len(bins) ** 2
        lacking = np.maximum(least - np.diag(covariance), 0)
        covariance += np.diag(lacking)
    error, chance = _expected_error(gaps.sum(axis=0), covariance)
    return Calibration(
        (inside * predicted[:, None]).sum(axis=0) / rows,
        (inside * happened[:, None]).sum(axis=0) / rows,
        np.sqrt(np.diag(covariance)) * len(bins) / rows,
        rows,
        error,
        chance,
    )


def _bins(predicted: np.ndarray) -> np.ndarray:
    """Return each row's bin; equal predictions share one."""
    number = min(BINS, max(1, len(predicted) // MIN_BIN_ROWS))
    ends = np.unique(np.quantile(predicted, np.arange(1, number) / number))
    places = np.searchsorted(ends, predicted, side="left")
    return np.unique(places, return_inverse=True)[1]


def _expected_error(gaps: np.ndarray, covariance: np.ndarray) -> tuple[Estimate, float]:
    """Return the sum of the gaps' sizes, and what it is in the mean if all are chance.

    The true sum is above the observed one, by more than ``high`` says, only if the gaps' sum with
    their true signs is: one normal variable. It is below by at most the sum of the sizes that
    chance gives to all gaps.
    """
    values, axes = np.linalg.eigh(covariance)
    normal = np.random.default_rng(0).standard_normal((DRAWS, len(gaps)))
    by_chance = np.abs(normal * np.sqrt(np.maximum(values, 0)) @ axes.T).sum(axis=1)
    signs = np.where(gaps < 0, -1.0, 1.0)
    value = float(np.abs(gaps).sum())
    below = float(np.quantile(by_chance, 1 - TAIL))
    above = STANDARD_ERRORS * float(np.sqrt(signs @ covariance @ signs))
    return Estimate(value, max(0.0, value - below), value + above), float(by_chance.mean())
