"""Generates texts that prove a compiled vectorizer: like the sample's, of its terms, and unlike
those of the fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from azureml_scoring.inputs.feature import TEXT, Feature
from azureml_scoring.models.engines.text_sums import Hashing
from mlops.finite_columns import FiniteColumn, finite_column

CHANGED_TEXTS = 60
"""Texts of the sample, each of which is changed in every way."""

TEXTS_OF_TERMS = 400
MAX_TERMS = 60
"""Terms of one text."""

Change = Callable[[np.ndarray, np.random.Generator], str]

ACCENTS = str.maketrans("aeioucnyAEIOUCNY", "àéîöüçñýÀÉÎÖÜÇÑÝ")
COMBINED = {ord(letter): f"{letter}\u0301" for letter in "aeiouAEIOU"}

CHANGES: tuple[Change, ...] = (
    lambda words, rng: " ".join(rng.permutation(words)),
    lambda words, rng: " ".join(rng.choice(words, 2 * len(words))),
    lambda words, rng: " ".join(words).upper(),
    lambda words, rng: "  \t".join(words).title(),
    lambda words, rng: ", ".join(words) + "!?",
    lambda words, rng: "-".join(words),
    lambda words, rng: "_".join(words),
    lambda words, rng: "".join(words),
    lambda words, rng: " ".join([*words, "zqxv", *words, "zqxv"]),
    lambda words, rng: " ".join(words).translate(ACCENTS),
    lambda words, rng: " ".join(words).translate(COMBINED),
    lambda words, rng: " ".join(f"{word} {number}" for number, word in enumerate(words)),
    lambda words, rng: " 😀 ".join(words),
    lambda words, rng: " ".join(words)[: int(rng.integers(1, 40))],
)
"""Words of a text -> another text."""

ODD_TEXTS = (
    "\n", "\t \n", "\x00", "!", "...", "I", "a b c", "1 22 3.14 1e5", "a_b __ _", "it's o'clock",
    "ﬁ Ⅳ ² ½ Å", "\u017f K İ \u0131 ŉ ß ẞ", "e\u0301 \u0301 \u200d\u200b\u00ad",
    "\u00a0\u2003a\u2028b\u0085c", "İstanbul STRASSE straße", "日本語のテキスト 中文",
    "العربية हिन्दी", "👩‍👩‍👧 ☕️ 🇨🇭",
    "ab" * 3_000, "word " * 1_500, "é" * 2_000,
)  # fmt: skip


def text_column(
    place: int, feature: Feature, sample: Sequence[str], terms: tuple[str, ...] | Hashing
) -> FiniteColumn:
    """Return a column of texts to try.

    ``sample``: its texts; ``terms``: those that the vectorizer knows.
    """
    column = finite_column(place, feature, list(dict.fromkeys(sample)))
    if feature.dtype != TEXT:
        return column
    rng = np.random.default_rng(0)
    texts = [np.array(parts, object) for text in column.known if (parts := str(text).split())]
    texts = texts or [np.array(["text"], object)]
    words = np.concatenate(texts) if isinstance(terms, Hashing) else np.array(terms, object)
    others = [
        *column.others,
        *ODD_TEXTS,
        *(
            change(texts[k], rng)
            for k in rng.choice(len(texts), CHANGED_TEXTS)
            for change in CHANGES
        ),
        *(
            " ".join(rng.choice(words, int(rng.integers(1, MAX_TERMS))))
            for _ in range(TEXTS_OF_TERMS)
        ),
    ]
    known = set(column.known)
    return dataclasses.replace(
        column, others=[text for text in dict.fromkeys(others) if text not in known]
    )
