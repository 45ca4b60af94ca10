"""Random frames of mixed columns, as people have them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pandas as pd

Values = Callable[[np.random.Generator, int], Any]
"""Generator, count -> the values of a column."""

WORDS = ["Paris", "Rome", "Zürich", "Oslo", "", " ", "nan", "1", "01", "1.0", "True", "北京", "a b"]
CODES = np.array([0, 1, 2, 3, 5, 8, -1, 100])


@dataclass(frozen=True)
class Kind:
    """How a column is made.

    number: steps for numbers take it. gaps: values are missing. few: an encoder is used on it.
    """

    values: Values
    number: bool = False
    gaps: bool = False
    few: bool = False


def _some(values: Any) -> Values:
    def drawn(rng: np.random.Generator, count: int) -> Any:
        known = rng.choice(values, min(len(values), int(rng.integers(2, 7))), replace=False)
        return rng.choice(known, count)

    return drawn


def _words(rng: np.random.Generator, count: int) -> Any:
    return _some(np.array(WORDS, dtype=object))(rng, count)


def _with_gaps(values: Values, missing: Any = np.nan, dtype: Any = None) -> Values:
    def drawn(rng: np.random.Generator, count: int) -> Any:
        column = np.asarray(values(rng, count)).astype(object)
        column[rng.random(count) < rng.uniform(0.03, 0.4)] = missing
        return pd.Series(column, dtype=dtype or object)

    return drawn


def _as(values: Values, dtype: Any) -> Values:
    return lambda rng, count: pd.Series(values(rng, count)).astype(dtype)


def _amounts(rng: np.random.Generator, count: int) -> np.ndarray:
    scale = 10.0 ** rng.integers(-3, 6)
    amounts: np.ndarray = rng.choice([rng.normal, rng.laplace])(
        rng.choice([0.0, 3.0]) * scale, scale, count
    )
    return amounts.round(int(rng.integers(0, 6)))


def _skewed(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.lognormal(1, 1.5, count)


def _counts(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(-3, int(rng.choice([5, 60, 2**40])), count)


def _booleans(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.random(count) < rng.uniform(0.1, 0.9)


def _moments(rng: np.random.Generator, count: int) -> Any:
    return rng.choice(pd.date_range("2024-02-27", periods=4, freq="31h").to_numpy(), count)


def _categories(values: Values) -> Values:
    def drawn(rng: np.random.Generator, count: int) -> Any:
        column = pd.Series(values(rng, count))
        categories = list(dict.fromkeys(column.dropna().tolist()))
        rng.shuffle(categories)
        unused = [] if isinstance(categories[0], int | float) else ["unused"]
        return pd.Categorical(
            column, categories=[*categories, *unused], ordered=bool(rng.random() < 0.3)
        )

    return drawn


KINDS: dict[str, Kind] = {
    "amount": Kind(_amounts, number=True),
    "skewed": Kind(_skewed, number=True),
    "float32": Kind(_as(_amounts, "float32"), number=True),
    "count": Kind(_counts, number=True),
    "int32": Kind(_as(_some(CODES), "int32"), number=True, few=True),
    "code": Kind(_some(CODES), number=True, few=True),
    "float code": Kind(_some(CODES + 0.5), number=True, few=True),
    "uint8": Kind(_as(_some(np.array([0, 1, 7, 255])), "uint8"), number=True, few=True),
    "id": Kind(_some(2**53 + np.arange(9)), number=True, few=True),
    "amount with gaps": Kind(_with_gaps(_amounts, dtype=float), number=True, gaps=True),
    "code with gaps": Kind(_with_gaps(_some(CODES), dtype=float), number=True, gaps=True, few=True),
    "nullable amount": Kind(_with_gaps(_amounts, pd.NA, "Float64"), number=True, gaps=True),
    "nullable count": Kind(
        _with_gaps(_some(CODES), pd.NA, "Int64"), number=True, gaps=True, few=True
    ),
    "boolean": Kind(_booleans, number=True, few=True),
    "boolean with gaps": Kind(_with_gaps(_booleans), gaps=True, few=True),
    "nullable boolean": Kind(_with_gaps(_booleans, pd.NA, "boolean"), gaps=True, few=True),
    "word": Kind(_words, few=True),
    "word with gaps": Kind(_with_gaps(_words), gaps=True, few=True),
    "word or None": Kind(_with_gaps(_words, None), gaps=True, few=True),
    "string": Kind(_as(_words, "string"), few=True),
    "moment": Kind(_moments, few=True),
    "category": Kind(_categories(_words), few=True),
    "category with gaps": Kind(_categories(_with_gaps(_words)), gaps=True, few=True),
    "category of numbers": Kind(_categories(_some(CODES)), few=True),
}

NAMES = ["age", "Größe", "postal code", "x-1", "city", "a__b", "9", "rate%", "日付", "class"]


def random_frame(rng: Random, count: int) -> tuple[pd.DataFrame, dict[str, Kind]]:
    """Return a frame and the kind of each column."""
    generator = np.random.default_rng(rng.getrandbits(32))
    names = rng.sample(NAMES, rng.randint(1, 6))
    kinds = {name: rng.choice(list(KINDS)) for name in names}
    frame = pd.DataFrame(
        {name: KINDS[kind].values(generator, count) for name, kind in kinds.items()}
    )
    return frame, {name: KINDS[kind] for name, kind in kinds.items()}
