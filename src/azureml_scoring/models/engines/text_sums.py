"""What a column of texts adds to a row's floats: sums of weights over the terms of a text.

A linear model behind a vectorizer has a weight for each term, and most terms are not in a text. So
its sums take a look-up for each word, not a row of fifty thousand numbers (docs/adr/0017).
"""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

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
    """``encoder(texts)`` -> their sums, (texts, width).

    Multiplications and sums have scikit-learn's order, so that a tie of two classes stays one, and
    a text has the same sums alone and beside others. ``terms_per_word``: about how many terms a
    word adds.
    """

    def __init__(self, sums: TextSums) -> None:
        """Raises ValueError or re.error if the file is damaged."""
        self.column, self.width = sums.column, sums.width
        self._split = splitter(sums.options)
        self._weights = sums.matrix()
        self._scales = sums.scale_of_each()
        self._binary, self._sublinear, self._norm = sums.binary, sums.sublinear, sums.norm
        self._count = sums.count
        self._numbered = (
            _hashed(sums.terms) if isinstance(sums.terms, Hashing) else _known(sums.terms)
        )
        options = sums.options
        per_place = 1 if options.analyzer == "word" else CHARACTERS_PER_WORD
        self.terms_per_word = per_place * (options.most - options.least + 1)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        if len(texts) == 1:
            numbers, signs = self._numbered(self._split(texts[0]))
            places, values = _counted(numbers, numbers >= 0, signs)
            rows = np.zeros(len(places), np.intp)
        else:
            terms = list(map(self._split, texts))
            numbers, signs = self._numbered([*itertools.chain.from_iterable(terms)])
            begins = np.repeat(np.arange(len(texts)) * self._count, list(map(len, terms)))
            counted, values = _counted(begins + numbers, numbers >= 0, signs)
            rows, places = np.divmod(counted, self._count)
        if not len(places):
            return np.zeros((len(texts), self.width))
        if self._binary:
            values.fill(1.0)
        if self._sublinear:
            values = np.log(values) + 1.0
        if self._scales is not None:
            values *= self._scales.take(places)
        if self._norm:
            norms = NORMS[self._norm](rows, values)
            norms[norms == 0.0] = 1.0
            values /= norms.take(rows)
        products = self._weights.take(places, axis=0)
        products *= values[:, None]
        return _sums(products, rows, len(texts))


Numbered = Callable[[list[str]], tuple[np.ndarray, np.ndarray | None]]
"""Terms -> their places, -1 for an unknown one, and what each counts, or None for 1."""


def _known(vocabulary: tuple[str, ...]) -> Numbered:
    place_of = {term: place for place, term in enumerate(vocabulary)}.get
    unknown = itertools.repeat(-1)

    def numbered(terms: list[str]) -> tuple[np.ndarray, None]:
        return np.fromiter(map(place_of, terms, unknown), np.int64, len(terms)), None

    return numbered


def _hashed(hashing: Hashing) -> Numbered:
    from sklearn.utils import murmurhash3_32  # the estimator beside it has loaded it

    def numbered(terms: list[str]) -> tuple[np.ndarray, np.ndarray | None]:
        numbers = np.fromiter(map(murmurhash3_32, terms), np.int64, len(terms))
        signs = np.where(numbers < 0, -1.0, 1.0) if hashing.alternate_sign else None
        return np.abs(numbers) % hashing.buckets, signs

    return numbered


def _counted(
    numbers: np.ndarray, known: np.ndarray, signs: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return each number that is known once, in order, and the sum of its signs."""
    if signs is None:
        numbers = numbers[known]
        numbers.sort()
    else:
        order = numbers.argsort()
        numbers, signs = numbers[order], signs[order]
    if not len(numbers):
        return numbers, np.zeros(0)
    new = np.empty(len(numbers), dtype=bool)
    new[0] = True
    np.not_equal(numbers[1:], numbers[:-1], out=new[1:])
    (first,) = new.nonzero()
    if signs is not None:
        return numbers[first], np.add.reduceat(signs, first)
    counts = np.empty(len(first))
    np.subtract(first[1:], first[:-1], out=counts[:-1])
    counts[-1] = len(numbers) - first[-1]
    return numbers[first], counts


def _sums(products: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Add up each row's products from the first to the last, as scikit-learn does; np.sum adds
    neighbours in pairs."""
    if products.shape[1] == 1:
        return np.bincount(rows, products[:, 0], minlength=count)[:, None]
    ends = np.bincount(rows, minlength=count).cumsum().tolist()
    sums = np.zeros((count, products.shape[1]))
    for row, (begin, end) in enumerate(itertools.pairwise([0, *ends])):
        if end > begin:
            sums[row] = np.add.accumulate(products[begin:end])[-1]
    return sums


def _largest(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    largest = np.zeros(rows[-1] + 1)
    np.maximum.at(largest, rows, np.abs(values))
    return largest


NORMS: dict[Norm, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "l1": lambda rows, values: np.bincount(rows, np.abs(values)),
    "l2": lambda rows, values: np.sqrt(np.bincount(rows, values * values)),
    "max": _largest,
}
"""Rows in order, and their values -> the norm of each row."""


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
