"""What a column of texts adds to a row's floats: sums of weights over the terms of a text.

A linear model behind a vectorizer has a weight for each term, and most terms are not in a text. So
its sums take a look-up for each word, not a row of fifty thousand numbers (docs/adr/0017).
"""

from __future__ import annotations

import base64
import binascii
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from azureml_scoring.models.engines.text_terms import TextOptions, splitter

Norm = Literal["l1", "l2", "max"]

CHARACTERS_PER_WORD = 5


@dataclass(frozen=True)
class Hashing:
    """Terms are numbered by their hash, as ``HashingVectorizer`` does."""

    buckets: Annotated[int, Field(ge=1)]
    alternate_sign: bool


@dataclass(frozen=True)
class TextSums:
    """A column of texts, its terms and their weights. Floats are base64 of float64, little-endian.

    terms: those that are known, in the order of the fit, or how they are numbered.
    binary: a term counts once.
    sublinear: a count is 1 + its logarithm.
    scales: what a term's count is multiplied with; empty: 1.
    norm: what the scaled counts are divided by; None: 1.
    weighted, weights: the places of the terms that have weights (int64), and ``width`` weights for
        each of them.
    """

    column: Annotated[int, Field(ge=0)]
    options: TextOptions
    terms: tuple[str, ...] | Hashing
    binary: bool
    sublinear: bool
    scales: str
    norm: Norm | None
    width: Annotated[int, Field(ge=1)]
    weighted: str
    weights: str

    @property
    def count(self) -> int:
        """How many terms there are."""
        return self.terms.buckets if isinstance(self.terms, Hashing) else len(self.terms)

    def matrix(self) -> np.ndarray:
        """Return the weights: (terms, width). Raises ValueError."""
        matrix = np.zeros((self.count, self.width))
        places = np.frombuffer(_decoded(self.weighted), "<i8")
        if len(places) and not 0 <= places.min() <= places.max() < len(matrix):
            raise ValueError("A weight has no term.")
        matrix[places] = _floats(self.weights).reshape(-1, self.width)
        return matrix

    def scale_of_each(self) -> np.ndarray | None:
        """Return the scales, or None if all are 1. Raises ValueError."""
        if not self.scales:
            return None
        scales = _floats(self.scales)
        if len(scales) != self.count:
            raise ValueError("Some terms have no scale.")
        return scales


def encoded(array: np.ndarray) -> str:
    """Return an array of float64 or int64 as base64."""
    little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(little_endian.tobytes()).decode()


class TextEncoder:
    """``encoder(text)`` -> the floats of a text.

    Multiplications and sums have scikit-learn's order, so that a tie of two classes stays one.
    ``terms_per_word``: about how many terms a word adds.
    """

    def __init__(self, sums: TextSums) -> None:
        """Raises ValueError or re.error if the file is damaged."""
        self.column, self.width = sums.column, sums.width
        self._split = splitter(sums.options)
        self._weights = sums.matrix()
        self._scales = sums.scale_of_each()
        self._binary, self._sublinear = sums.binary, sums.sublinear
        self._norm = None if sums.norm is None else NORMS[sums.norm]
        self._counts = (
            _hashed(sums.terms) if isinstance(sums.terms, Hashing) else _known(sums.terms)
        )
        self._nothing = [0.0] * sums.width
        options = sums.options
        per_place = 1 if options.analyzer == "word" else CHARACTERS_PER_WORD
        self.terms_per_word = per_place * (options.most - options.least + 1)

    def __call__(self, text: str) -> list[float]:
        counts = self._counts(self._split(text))
        if not counts:
            return self._nothing
        places = np.fromiter(counts, np.intp, len(counts))
        values = np.fromiter(counts.values(), np.float64, len(counts))
        order = places.argsort()
        places, values = places[order], values[order]
        if self._binary:
            values.fill(1.0)
        if self._sublinear:
            values = np.log(values) + 1.0
        if self._scales is not None:
            values *= self._scales.take(places)
        if self._norm and (norm := self._norm(values)):
            values /= norm
        products = self._weights.take(places, axis=0)
        products *= values[:, None]
        # np.sum adds in pairs, scikit-learn from the first to the last.
        sums: list[float] = np.add.accumulate(products, axis=0)[-1].tolist()
        return sums


Count = Callable[[list[str]], dict[int, int]]
"""Terms -> the places of those that count, and how often."""


def _known(vocabulary: tuple[str, ...]) -> Count:
    place_of = {term: place for place, term in enumerate(vocabulary)}.get

    def counts(terms: list[str]) -> dict[int, int]:
        places: Counter[Any] = Counter(map(place_of, terms))
        places.pop(None, None)
        return places

    return counts


def _hashed(hashing: Hashing) -> Count:
    from sklearn.utils import murmurhash3_32  # the estimator beside it has loaded it

    buckets, alternate = hashing.buckets, hashing.alternate_sign

    def counts(terms: list[str]) -> dict[int, int]:
        places: dict[int, int] = {}
        for term, count in Counter(terms).items():
            number = murmurhash3_32(term)
            place = abs(number) % buckets
            signed = -count if alternate and number < 0 else count
            places[place] = places.get(place, 0) + signed
        return places

    return counts


def _sum(values: np.ndarray) -> float:
    return float(np.add.accumulate(values)[-1])


NORMS: dict[Norm, Callable[[np.ndarray], float]] = {
    "l1": lambda values: _sum(np.abs(values)),
    "l2": lambda values: math.sqrt(_sum(values * values)),
    "max": lambda values: float(np.abs(values).max()),
}


def _floats(text: str) -> np.ndarray:
    floats = np.frombuffer(_decoded(text), "<f8")
    if not np.isfinite(floats).all():
        raise ValueError("A weight is not finite.")
    return floats


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("It is no base64.") from error
