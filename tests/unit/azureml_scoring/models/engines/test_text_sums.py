"""The sums over a text's terms are those of scikit-learn's matrices."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from azureml_scoring.errors import StartupError
from azureml_scoring.models.engines.column_tables import ColumnTables
from azureml_scoring.models.engines.table_encoder import TableEncoder
from azureml_scoring.models.engines.text_sums import TextEncoder, TextSums, encoded
from mlops.text_vector import text_vector

TEXTS = [
    "The quick brown fox jumps over the lazy dog",
    "the dog, the DOG and the fox: quick, quick",
    "Élan vital à la carte; très joli, très bien",
    "one two three one two one",
    "brown bread and butter, brown sugar",
]
ASKED = [
    *TEXTS,
    "",
    "nothing known here",
    "fox " * 50,
    "dog fox dog très one quick brown bread",
    "of the to and",
    "日本語 😀",
]
VECTORIZERS: dict[str, Any] = {
    "counts": CountVectorizer(),
    "once each": CountVectorizer(binary=True, ngram_range=(1, 2)),
    "weighted": TfidfVectorizer(),
    "weighted by logarithms": TfidfVectorizer(sublinear_tf=True, norm="l1", smooth_idf=False),
    "frequencies": TfidfVectorizer(use_idf=False, stop_words="english", strip_accents="ascii"),
    "letters": TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4)),
    "own words": TfidfVectorizer(vocabulary=["fox", "dog", "très"]),
    "counted, then weighted": make_pipeline(CountVectorizer(), TfidfTransformer(sublinear_tf=True)),
    "by the largest": make_pipeline(CountVectorizer(), Normalizer("max")),
    "hashed": HashingVectorizer(n_features=16),
    "hashed, without signs": HashingVectorizer(n_features=2**10, alternate_sign=False, norm=None),
    "hashed, once each": HashingVectorizer(n_features=8, binary=True, norm="l1"),
    "hashed, then weighted": make_pipeline(
        HashingVectorizer(n_features=64, alternate_sign=False, norm=None), TfidfTransformer()
    ),
}


def made(name: str, width: int) -> tuple[Any, TextSums, np.ndarray]:
    vectorizer = VECTORIZERS[name]
    count = vectorizer.fit_transform(TEXTS).shape[1]
    weights = np.random.default_rng(0).normal(size=(count, width))
    steps = [step for _, step in getattr(vectorizer, "steps", [("", vectorizer)])]
    vector, rest = text_vector(steps)
    assert not rest
    return vectorizer, vector.times(weights).sums(0), weights


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("name", VECTORIZERS)
def test_a_text_has_the_sums_of_scikit_learn(name: str, width: int):
    """Alone it has the same ones as beside others, to the last bit."""
    vectorizer, sums, weights = made(name, width)
    expected = vectorizer.transform(ASKED) @ weights
    encoder = TextEncoder(sums)
    together = encoder(ASKED)
    np.testing.assert_allclose(together, expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(np.vstack([encoder([text]) for text in ASKED]), together)


def test_the_file_holds_what_the_fit_knew():
    """Written and read, it is the same."""
    sums = tuple(made(name, 2)[1] for name in ("weighted", "hashed"))
    tables = ColumnTables((), (), (), sums)
    assert ColumnTables.of(tables.to_bytes(), "tables.json") == tables
    assert tables.width == 4


DAMAGED: dict[str, dict[str, Any]] = {
    "a weight too few": {"weights": encoded(np.ones(3))},
    "a weight of no term": {"weighted": encoded(np.array([99])), "weights": encoded(np.ones(2))},
    "no base64": {"weights": "?"},
    "infinite": {"scales": encoded(np.full(23, np.inf))},
    "another number of scales": {"scales": encoded(np.ones(2))},
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_at_start(name: str):
    """With the command that mends it."""
    sums = dataclasses.replace(made("weighted", 2)[1], **DAMAGED[name])
    with pytest.raises(StartupError, match="package the model again"):
        ColumnTables.of(ColumnTables((), (), (), (sums,)).to_bytes(), "tables.json")


def test_long_texts_are_not_for_the_event_loop():
    """How long depends on how many terms a text has, and on how many texts there are."""

    def quick(name: str, characters: int, texts: int = 1) -> bool:
        X = np.array([["x" * characters]] * texts, dtype=object)
        return TableEncoder(ColumnTables((), (), (), (made(name, 1)[1],))).quick(X)

    assert quick("weighted", 15_000)
    assert not quick("weighted", 25_000)
    assert not quick("once each", 15_000)
    assert not quick("letters", 5_000)
    assert quick("weighted", 100, 40)
    assert not quick("weighted", 100, 60)
