"""Texts as people write them, with numbers beside them, for models that read their words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MOODS = {
    0: "late broken refund never angry worst rude cold missing slow wait dirty",
    1: "great quick friendly lovely thanks perfect warm clean again best happy café",
}
FILLERS = "the a of and to order delivery shop 2 24 app day it's was is very not I driver box"


def reviews(
    count: int = 300, words: int = 12, vocabulary: int = 0
) -> tuple[pd.DataFrame, np.ndarray]:
    """A text, two numbers and a city; and whether the customer was happy.

    words: of two texts in three; the third has fewer.
    vocabulary: how many rare words there are beside.
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, count)
    others = [*FILLERS.split() * 3, *(f"word{number}" for number in range(vocabulary))]
    choices = [
        np.array(MOODS[happy].split() * 2 + MOODS[1 - happy].split() + others) for happy in MOODS
    ]
    lengths = [int(rng.integers(1, words)) if row % 3 == 2 else words for row in range(count)]
    texts = [
        " ".join(rng.choice(choices[happy], length)).capitalize() + "."
        for happy, length in zip(target.tolist(), lengths, strict=True)
    ]
    frame = pd.DataFrame(
        {
            "text": texts,
            "price": rng.lognormal(3, 1, count).round(2),
            "stars": rng.integers(1, 6, count),
            "city": rng.choice(["Paris", "Rome", "Oslo"], count),
        }
    )
    return frame, target


def logistic(count: int = 300, words: int = 12, vocabulary: int = 0) -> tuple[Any, pd.DataFrame]:
    """Weighted words and a logistic regression, fitted on a Series."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    frame, target = reviews(count, words, vocabulary)
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression())
    return estimator.fit(frame["text"], target), frame[["text"]]


def beside_numbers() -> tuple[Any, pd.DataFrame]:
    """Words and letters of a text, numbers and a city, and a logistic regression."""
    from sklearn.compose import make_column_transformer
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame, target = reviews()
    columns = make_column_transformer(
        (StandardScaler(), ["price", "stars"]),
        (make_union(TfidfVectorizer(), CountVectorizer(analyzer="char", max_features=40)), "text"),
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(frame, target), frame
