"""Reads how fitted steps of scikit-learn make numbers of a text, as far as it is options and
weights: what a function of the author's own does only Python can run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.preprocessing import Normalizer

from azureml_scoring.models.engines.text_sums import Hashing, Norm, TextSums, encoded
from azureml_scoring.models.engines.text_terms import TextOptions
from mlops.linear_steps import matrix_of
from mlops.parity import NotProven

VECTORIZERS = (CountVectorizer, HashingVectorizer)
"""With TfidfVectorizer, which is a CountVectorizer."""

OWN_FUNCTIONS = ("analyzer", "tokenizer", "preprocessor", "strip_accents")

MAX_WEIGHTS = 10_000_000
"""Floats of one column of texts; more would make a file of a hundred megabytes."""


MIN_COUNT_BYTES = 4
"""Smaller numbers overflow, or round, at counts that no generated text may reach."""


@dataclass(frozen=True)
class TextVector:
    """A text as numbers: the counts of its terms, scaled, divided by their norm, and then
    multiplied with ``matrix`` (terms, outputs).

    name: of the vectorizer's class.
    """

    name: str
    options: TextOptions
    terms: tuple[str, ...] | Hashing
    matrix: Any
    binary: bool = False
    sublinear: bool = False
    scales: np.ndarray | None = None
    norm: Norm | None = None

    @property
    def width(self) -> int:
        """How many floats it gives."""
        return int(self.matrix.shape[1])

    def presence(self) -> TextVector | None:
        """Return 1 for each term that it is positive for, else 0; None if others are positive."""
        signed = isinstance(self.terms, Hashing) and self.terms.alternate_sign
        if signed or not sparse.issparse(self.matrix) or (_of(self.scales) <= 0).any():
            return None
        return dataclasses.replace(
            self,
            matrix=(self.matrix > 0).astype(np.float64),
            binary=True,
            sublinear=False,
            scales=None,
            norm=None,
        )

    def times(self, matrix: Any) -> TextVector:
        """Return the vector multiplied with (outputs, new outputs)."""
        return dataclasses.replace(self, matrix=self.matrix @ matrix)

    def sums(self, column: int) -> TextSums:
        """Return it as data, for a column of the contract. Raises NotProven."""
        count, width = self.matrix.shape
        if count * width > MAX_WEIGHTS:
            option = "n_features" if isinstance(self.terms, Hashing) else "max_features"
            raise NotProven(
                f"{self.name} has {count:,} terms with {width:,} weights each, too many; limit "
                f"them by its option {option}"
            )
        dense = self.matrix.toarray() if sparse.issparse(self.matrix) else self.matrix
        dense = np.asarray(dense, dtype=np.float64)
        if not np.isfinite(dense).all() or not np.isfinite(_of(self.scales)).all():
            raise NotProven(f"the weights of {self.name} are not finite")
        weighted = np.flatnonzero(dense.any(axis=1)).astype(np.int64)
        return TextSums(
            column,
            self.options,
            self.terms,
            self.binary,
            self.sublinear,
            encoded(_of(self.scales)),
            self.norm,
            width,
            encoded(weighted),
            encoded(dense[weighted]),
        )


def text_vector(steps: Sequence[Any]) -> tuple[TextVector, list[Any]]:
    """Read a vectorizer and the steps behind it; return also those that are more than weights.

    Raises NotProven.
    """
    vectorizer, *rest = steps
    vector = _of_vectorizer(vectorizer)
    while rest and isinstance(rest[0], TfidfTransformer | Normalizer):
        vector = _weighted(vector, rest.pop(0))
    while rest and (matrix := matrix_of(rest[0])) is not None:
        vector = vector.times(matrix)
        rest.pop(0)
    return vector, rest


def _of_vectorizer(vectorizer: Any) -> TextVector:
    name = type(vectorizer).__name__
    if type(vectorizer) not in (CountVectorizer, HashingVectorizer, TfidfVectorizer):
        raise NotProven(
            f"{name} is a class of your own, which only Python can run; the options of "
            f"scikit-learn's vectorizers are compiled"
        )
    own = [each for each in OWN_FUNCTIONS if callable(getattr(vectorizer, each))]
    if own:
        raise NotProven(
            f"{name} has a function of your own for {' and '.join(own)}, which only Python can "
            f"run; options such as token_pattern, stop_words and strip_accents are compiled"
        )
    if np.dtype(vectorizer.dtype).itemsize < MIN_COUNT_BYTES:
        raise NotProven(
            f"{name} counts terms in {np.dtype(vectorizer.dtype)}, which is too small for a long "
            f"text; give it dtype=np.float32"
        )
    if vectorizer.input != "content":
        raise NotProven(f"{name} reads files (input={vectorizer.input!r}), not texts")
    least, most = map(int, vectorizer.ngram_range)
    if least < 1:
        raise NotProven(f"{name} has an ngram_range that begins below 1")
    options = TextOptions(
        vectorizer.analyzer,
        bool(vectorizer.lowercase),
        vectorizer.strip_accents or None,
        vectorizer.token_pattern or "",
        tuple(sorted(vectorizer.get_stop_words() or ())),
        least,
        most,
    )
    if isinstance(vectorizer, HashingVectorizer):
        hashing = Hashing(int(vectorizer.n_features), bool(vectorizer.alternate_sign))
        unit = sparse.identity(hashing.buckets, format="csr")
        return TextVector(
            name, options, hashing, unit, bool(vectorizer.binary), norm=vectorizer.norm
        )
    if not hasattr(vectorizer, "vocabulary_"):
        vectorizer._validate_vocabulary()
    place_of = vectorizer.vocabulary_
    terms = tuple(map(str, sorted(place_of, key=place_of.__getitem__)))
    unit = sparse.identity(len(terms), format="csr")
    vector = TextVector(name, options, terms, unit, bool(vectorizer.binary))
    return _weighted(vector, vectorizer._tfidf) if hasattr(vectorizer, "_tfidf") else vector


def _weighted(vector: TextVector, step: Any) -> TextVector:
    """Return the vector after a step that scales and norms. Raises NotProven."""
    name = type(step).__name__
    sublinear, scales = getattr(step, "sublinear_tf", False), getattr(step, "idf_", None)
    signed = isinstance(vector.terms, Hashing) and vector.terms.alternate_sign
    if sublinear and (vector.norm or vector.scales is not None or signed):
        raise NotProven(f"{name} takes logarithms of what is no count of terms")
    if vector.norm and not step.norm:
        raise NotProven(f"{name} scales what {vector.name} has divided by its norm already")
    if scales is not None and vector.scales is not None:
        scales = scales * vector.scales
    # A second norm undoes the first.
    return dataclasses.replace(
        vector,
        sublinear=vector.sublinear or sublinear,
        scales=vector.scales if scales is None else np.asarray(scales, dtype=np.float64),
        norm=step.norm,
    )


def _of(scales: np.ndarray | None) -> np.ndarray:
    return np.zeros(0) if scales is None else scales
