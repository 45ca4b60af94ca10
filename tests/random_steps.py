"""Random steps of pipelines: for numbers, for few values and for texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

Step = Callable[[Random], Any]


def some(rng: Random, known: Sequence[Step], chance: float) -> list[Any]:
    """Return up to two steps."""
    count = sum(rng.random() < chance for _ in range(2))
    return [step(rng) for step in rng.sample(known, count)]


NUMBER_STEPS: list[Step] = [
    lambda rng: StandardScaler(with_mean=rng.random() < 0.8, with_std=rng.random() < 0.9),
    lambda rng: MinMaxScaler(clip=rng.random() < 0.3),
    lambda rng: RobustScaler(),
    lambda rng: MaxAbsScaler(),
    lambda rng: QuantileTransformer(
        n_quantiles=20, output_distribution=rng.choice(["uniform", "normal"]), random_state=0
    ),
    lambda rng: PowerTransformer(standardize=rng.random() < 0.7),
    lambda rng: KBinsDiscretizer(
        rng.randint(2, 5),
        encode=rng.choice(["onehot", "onehot-dense", "ordinal"]),
        strategy=rng.choice(["uniform", "quantile"]),
        quantile_method="averaged_inverted_cdf",
    ),
    lambda rng: PolynomialFeatures(
        rng.randint(1, 3), interaction_only=rng.random() < 0.3, include_bias=rng.random() < 0.5
    ),
    lambda rng: SplineTransformer(
        rng.randint(3, 5),
        degree=rng.randint(1, 3),
        extrapolation=rng.choice(["constant", "linear", "continue", "periodic"]),
        include_bias=rng.random() < 0.5,
    ),
    lambda rng: Binarizer(threshold=rng.choice([0.0, 1.0, 0.1])),
    lambda rng: Normalizer(rng.choice(["l1", "l2", "max"])),
    lambda rng: FunctionTransformer(rng.choice([None, np.abs, np.tanh, np.square])),
    lambda rng: PCA(1),
    lambda rng: VarianceThreshold(),
]

IMPUTERS: list[Step] = [
    lambda rng: SimpleImputer(
        strategy=rng.choice(["mean", "median", "most_frequent"]),
        add_indicator=rng.random() < 0.4,
        keep_empty_features=rng.random() < 0.2,
    ),
    lambda rng: SimpleImputer(
        strategy="constant", fill_value=rng.choice([-1, 0]), add_indicator=rng.random() < 0.3
    ),
    lambda rng: KNNImputer(n_neighbors=3, add_indicator=rng.random() < 0.2),
]

BETWEEN: list[Step] = [
    lambda rng: StandardScaler(with_mean=False),
    lambda rng: StandardScaler(),
    lambda rng: MaxAbsScaler(),
    lambda rng: SelectKBest(k=rng.choice([1, 2, "all"])),
    lambda rng: TruncatedSVD(2, random_state=0),
    lambda rng: VarianceThreshold(),
    lambda rng: "passthrough",
    lambda rng: PolynomialFeatures(2, include_bias=False),
]


def _one_hot(rng: Random) -> Any:
    rare = rng.random() < 0.3
    return OneHotEncoder(
        handle_unknown=rng.choice(["error", "ignore", "ignore", "infrequent_if_exist"]),
        drop=rng.choice([None, None, None, "first", "if_binary"]),
        min_frequency=rng.choice([None, 5, 0.1]) if rare else None,
        max_categories=rng.choice([None, 3]) if rare else None,
        sparse_output=rng.random() < 0.5,
    )


def _ordinal(rng: Random) -> Any:
    rare = {"min_frequency": rng.choice([4, 0.15])} if rng.random() < 0.2 else {}
    if rng.random() < 0.3:
        return OrdinalEncoder(**rare)
    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=rng.choice([-1, -1, np.nan]),
        encoded_missing_value=rng.choice([np.nan, -2]),
        **rare,
    )


def _target(rng: Random) -> Any:
    return TargetEncoder(smooth=rng.choice(["auto", 5.0]), random_state=0)


def _filled(rng: Random) -> Any:
    return SimpleImputer(
        strategy=rng.choice(["most_frequent", "constant"]),
        fill_value=None,
        missing_values=rng.choice([np.nan, np.nan, None, pd.NA]),
    )


ENCODERS = [_one_hot, _one_hot, _ordinal, _target]


def encoder(rng: Random, gaps: bool) -> Any:
    """Return an encoder of few values, perhaps two, perhaps behind an imputer."""
    made = rng.choice(ENCODERS)(rng)
    if rng.random() < 0.15:
        made = FeatureUnion([("first", made), ("second", rng.choice(ENCODERS)(rng))])
    if gaps and rng.random() < 0.4:
        return make_pipeline(_filled(rng), made)
    if isinstance(made, OrdinalEncoder) and rng.random() < 0.3:
        return make_pipeline(made, StandardScaler())
    return made


def for_numbers(rng: Random, gaps: bool) -> Any:
    """Return steps for columns of numbers, most of them with an imputer if there are gaps."""
    steps = some(rng, NUMBER_STEPS, 0.6)
    if gaps and rng.random() < 0.9:
        steps.insert(rng.choice([0, 0, len(steps)]), rng.choice(IMPUTERS)(rng))
    made = make_pipeline(*steps) if steps else "passthrough"
    if gaps and steps and rng.random() < 0.15:
        return FeatureUnion([("values", made), ("gaps", MissingIndicator(features="all"))])
    return made


def for_text(rng: Random) -> Any:
    return rng.choice(
        [
            CountVectorizer(token_pattern=r"(?u)\b\w+\b"),
            TfidfVectorizer(analyzer="char", ngram_range=(1, 2)),
            HashingVectorizer(n_features=8),
        ]
    )
