"""Generates the rows that prove a compiled model: some like the sample, some as unlike it as a
request may be."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models.engines.onnx_model import MAX_MAGNITUDE

MAX_ROWS_PER_SET = 1_000
"""Rows of one set, unless they are wide."""

MAX_VALUES_PER_SET = 1_000_000
"""Values of one set; so rows of more than a thousand features are fewer."""

MAX_SPLITS = 1_000
"""Tree splits that get rows on both sides, one bit away."""

MAX_GENERATED_VALUE = MAX_MAGNITUDE["float64"]
"""Larger values would overflow in the generated rows."""

RowSet = tuple[str, np.ndarray]
"""What the rows have in common, worded to follow "predict of rows", and the rows."""

OddValue = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""A sample's value, the next larger one in its column, the column's minimum and its maximum ->
an odd value."""

ODD_VALUES: tuple[OddValue, ...] = (
    lambda value, following, low, high: (value + following) / 2,
    lambda value, following, low, high: value + 0.25,
    lambda value, following, low, high: value + 0.7,  # a cast to whole numbers would undo it
    lambda value, following, low, high: np.nextafter(value, np.inf),  # so would one to float32
    lambda value, following, low, high: low - 1,
    lambda value, following, low, high: high + 1,
    lambda value, following, low, high: -value,
    lambda value, following, low, high: np.full_like(value, -1),
    lambda value, following, low, high: np.zeros_like(value),  # validation turns -0.0 into this
    lambda value, following, low, high: np.full_like(value, 1e-300),
    lambda value, following, low, high: np.full_like(value, -1e-30),
    lambda value, following, low, high: np.full_like(
        value, 2.0**31
    ),  # beyond the usual whole numbers
    lambda value, following, low, high: np.full_like(value, -(2.0**31) - 1),
)
"""Codes that the fit did not have, values between codes, and numbers that a cast changes."""


class NumericRows:
    """Rows for a model of numbers. ``sample``: floats, (rows, features)."""

    def __init__(self, sample: np.ndarray, contract: Contract) -> None:
        self._sample = sample
        self._contract = contract

    @property
    def largest(self) -> float:
        """The sample's largest number, either side of zero."""
        return float(np.nanmax(np.abs(self._sample), initial=1.0))

    def sets(self, splits: Iterable[tuple[int, float]]) -> Iterator[RowSet]:
        """Yield sets of rows. ``splits``: features and thresholds of the model's trees."""
        return row_sets(self._sample, splits)

    def huge(self, largest: float) -> RowSet:
        """Return rows with numbers up to ``largest``."""
        return huge_rows(self._sample, largest)

    def with_gaps(self) -> RowSet:
        """Return rows with gaps where the contract takes them."""
        missing = [j for j, feature in enumerate(self._contract.features) if feature.missing]
        return "with missing values", rows_with_gaps(self._sample, missing)


def row_sets(sample: np.ndarray, splits: Iterable[tuple[int, float]]) -> Iterator[RowSet]:
    """Yield sets of rows. ``splits``: features and thresholds of the model's trees."""
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
    """Return rows with numbers up to ``largest``: half of them in one place, half everywhere."""
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
    """Return rows with gaps in these features: half of them with one gap, half with any number."""
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
    """Return the nearest rows that a request can hold: whole and within range where the contract
    says so. Rows of objects are made so from the start."""
    if contract.dtype == object:
        return rows
    dtypes = np.array([feature.dtype for feature in contract.features])
    for dtype in np.unique(dtypes):
        columns = dtypes == dtype
        if np.issubdtype(dtype, np.integer):
            least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
            # float(int64's maximum) is rounded up, beyond it.
            largest = float(most) if float(most) == most else np.nextafter(float(most), 0)
            rows[:, columns] = rows[:, columns].round().clip(float(least), largest)
        else:
            info = np.finfo(dtype)
            rows[:, columns] = rows[:, columns].clip(info.min, info.max).astype(dtype)
    return np.ascontiguousarray(rows, dtype=contract.dtype)


def _count(sample: np.ndarray) -> int:
    return int(np.clip(MAX_VALUES_PER_SET // sample.shape[1], 1, MAX_ROWS_PER_SET))


def _odd(sample: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return rows of the sample with one odd value in most, and odd values only in some."""
    rng = np.random.default_rng(0)
    count, width = _count(sample), sample.shape[1]
    following = _following(sample)
    picked = rng.integers(len(sample), size=count)
    # Each number stands for a pair of an odd value and a feature.
    pairs = np.resize(rng.permutation(len(ODD_VALUES) * width), count)
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
    """Return for each value the next larger one in its column, for the largest itself."""
    result = np.empty_like(sample)
    for j, column in enumerate(sample.T):
        values = np.unique(column)
        result[:, j] = values[
            np.minimum(np.searchsorted(values, column, side="right"), len(values) - 1)
        ]
    return result


def _at_splits(row: np.ndarray, splits: Iterable[tuple[int, float]]) -> np.ndarray:
    """Return rows that differ in one value: a threshold, or the next number on either side.

    Trees behind a transformer may have other features than the model, and more of them.
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
