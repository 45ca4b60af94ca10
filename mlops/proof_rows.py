"""The rows that a compiled model is tried with: like the sample, and as unlike it as a request may
be."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.engines.onnx_model import MAX_MAGNITUDE

MAX_ROWS_PER_SET = 1_000
"""Rows of each kind, unless they are wide."""

MAX_VALUES_PER_SET = 1_000_000
"""Values of each kind; so there are fewer rows of more than a thousand features."""

MAX_SPLITS = 1_000
"""Of trees, on whose both sides, to the last bit, rows are put."""

MAX_GENERATED_VALUE = MAX_MAGNITUDE["float64"]
"""Beyond, the generated rows would overflow."""

RowSet = tuple[str, np.ndarray]
"""What the rows have in common, to go behind "predict", and the rows."""

OddValue = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""A value of the sample, the next larger one of its column, the column's least and its largest ->
another value."""

ODD_VALUES: tuple[OddValue, ...] = (
    lambda value, following, low, high: (value + following) / 2,
    lambda value, following, low, high: value + 0.25,
    lambda value, following, low, high: value + 0.7,  # a cast to whole numbers would undo it
    lambda value, following, low, high: np.nextafter(value, np.inf),  # so would one to float32
    lambda value, following, low, high: low - 1,
    lambda value, following, low, high: high + 1,
    lambda value, following, low, high: -value,
    lambda value, following, low, high: np.full_like(value, -1),
    lambda value, following, low, high: np.zeros_like(value),  # which validation makes of -0.0
    lambda value, following, low, high: np.full_like(value, 1e-300),
    lambda value, following, low, high: np.full_like(value, -1e-30),
    lambda value, following, low, high: np.full_like(
        value, 2.0**31
    ),  # beyond the usual whole numbers
    lambda value, following, low, high: np.full_like(value, -(2.0**31) - 1),
)
"""Codes that the fit did not know, what lies between codes, numbers that casts change."""


def row_sets(sample: np.ndarray, splits: Iterable[tuple[int, float]]) -> Iterator[RowSet]:
    """``splits``: features and thresholds of the model's trees, as far as it tells."""
    rng = np.random.default_rng(0)
    known = np.ma.masked_invalid(sample.clip(-MAX_GENERATED_VALUE, MAX_GENERATED_VALUE))
    low, high = known.min(axis=0).filled(0.0), known.max(axis=0).filled(0.0)
    span = np.where(high > low, high - low, 1.0)
    shape = (_count(sample), sample.shape[1])
    whole = sample[~np.isnan(sample).any(axis=1)]
    typical = (whole if len(whole) else np.nan_to_num(sample)).clip(
        -MAX_GENERATED_VALUE, MAX_GENERATED_VALUE
    )
    if len(whole):
        yield "of the sample", whole
    yield "within the sample's range", rng.uniform(low, high, shape)
    yield "with values unlike the sample's", _odd(typical, low, high)
    yield "beyond the sample's range", rng.uniform(low - 3 * span, high + 3 * span, shape)
    yield "far beyond the sample's range", rng.uniform(low - 1e6 * span, high + 1e6 * span, shape)
    yield "of whole numbers", rng.uniform(low - span, high + span, shape).round()
    yield "at the splits of its trees", _at_splits(typical[:1], splits)


def huge_rows(sample: np.ndarray, largest: float) -> RowSet:
    """Numbers up to ``largest``: in one place of half of the rows, everywhere in the others."""
    rng = np.random.default_rng(0)
    rows = np.nan_to_num(rng.choice(sample, _count(sample))).clip(-largest, largest)
    values = rng.choice([-1.0, 1.0], rows.shape) * largest ** rng.uniform(0.5, 1.0, rows.shape)
    values[::4] = np.sign(values[::4]) * largest
    everywhere = np.arange(len(rows)) % 2 == 0
    places = everywhere[:, None] | (
        rng.integers(rows.shape[1], size=len(rows))[:, None] == np.arange(rows.shape[1])
    )
    return f"with numbers up to {largest:.1e}", np.where(places, values, rows)


def rows_with_gaps(sample: np.ndarray, features: list[int]) -> np.ndarray:
    """Rows that lack values of these features: one value in half of the rows, any number in the
    others."""
    rng = np.random.default_rng(0)
    rows = rng.choice(sample, _count(sample))
    rows[np.arange(len(rows)), rng.choice(features, len(rows))] = np.nan
    several = np.isin(np.arange(rows.shape[1]), features) & (
        rng.random(rows.shape) < rng.random((len(rows), 1))
    )
    several[::2] = False
    rows[several] = np.nan
    return rows


def as_accepted(rows: np.ndarray, contract: Contract) -> np.ndarray:
    """The nearest rows that a request can hold: whole numbers where the model takes no others, and
    none too large."""
    dtypes = np.array([feature.dtype for feature in contract.features])
    for dtype in np.unique(dtypes):
        columns = dtypes == dtype
        if np.issubdtype(dtype, np.integer):
            least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
            largest = (
                float(most) if float(most) == most else np.nextafter(float(most), 0)
            )  # of int64 it is rounded up
            rows[:, columns] = rows[:, columns].round().clip(float(least), largest)
        else:
            info = np.finfo(dtype)
            rows[:, columns] = rows[:, columns].clip(info.min, info.max)
    return np.ascontiguousarray(rows, dtype=contract.dtype)


def _count(sample: np.ndarray) -> int:
    return int(np.clip(MAX_VALUES_PER_SET // sample.shape[1], 1, MAX_ROWS_PER_SET))


def _odd(sample: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Rows of the sample, with one odd value in most of them, and with nothing else in some."""
    rng = np.random.default_rng(0)
    count, width = _count(sample), sample.shape[1]
    following = _following(sample)
    picked = rng.integers(len(sample), size=count)
    pairs = np.resize(
        rng.permutation(len(ODD_VALUES) * width), count
    )  # of an odd value and a feature
    kinds, places = np.divmod(pairs, width)
    everywhere = np.arange(count) % 5 == 0
    rows = sample[picked]
    for kind, odd in enumerate(ODD_VALUES):
        mine = kinds == kind
        values = odd(sample[picked[mine]], following[picked[mine]], low, high)
        here = everywhere[mine, None] | (places[mine, None] == np.arange(width))
        rows[mine] = np.where(here, values, rows[mine])
    return rows


def _following(sample: np.ndarray) -> np.ndarray:
    """To each value the next larger one in its column, to the largest itself."""
    result = np.empty_like(sample)
    for j, column in enumerate(sample.T):
        values = np.unique(column)
        result[:, j] = values[
            np.minimum(np.searchsorted(values, column, side="right"), len(values) - 1)
        ]
    return result


def _at_splits(row: np.ndarray, splits: Iterable[tuple[int, float]]) -> np.ndarray:
    """Rows that differ in one value: a threshold, or the next number on either side of it.

    Behind a transformer trees may have other features than the model, and more of them.
    """
    places = list(
        itertools.islice((split for split in splits if split[0] < len(row[0])), MAX_SPLITS)
    )
    rows = np.repeat(row, 3 * len(places), axis=0)
    for i, (feature, threshold) in enumerate(places):
        rows[3 * i : 3 * i + 3, feature] = (
            threshold,
            np.nextafter(threshold, np.inf),
            np.nextafter(threshold, -np.inf),
        )
    return rows
