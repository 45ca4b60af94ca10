"""Random pipelines, fitted on random mixed frames: what the hunt for differing answers tries."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
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
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from random_frames import Kind, random_frame

COUNT = 80
"""Rows of a frame."""


@dataclass(frozen=True)
class RandomModel:
    """A fitted pipeline and the frame that it was fitted on."""

    estimator: Any
    frame: pd.DataFrame

    def __repr__(self) -> str:
        columns = ", ".join(f"{name}: {kind}" for name, kind in self.frame.dtypes.items())
        return f"{self.estimator!r}\non {columns}"


def random_model(rng: Random) -> RandomModel | None:
    """Return a model, or None if the steps don't fit together."""
    frame, kinds = random_frame(rng, COUNT)
    steps = [_columns(rng, kinds), *_steps(rng, BETWEEN, 0.4)]
    model, target = _model(rng, frame)
    if rng.random() < 0.95:
        steps.append(model)
    pipeline = Pipeline([(f"step{place}", step) for place, step in enumerate(steps)])
    if rng.random() < 0.15:
        pipeline.set_output(transform="pandas")
    if rng.random() < 0.1:
        pipeline = GridSearchCV(pipeline, {}, cv=2)
    with warnings.catch_warnings(action="ignore"):
        try:
            return RandomModel(pipeline.fit(frame, target), frame)
        except Exception:  # the steps are random: a scaler may get texts
            return None


def _steps(rng: Random, known: Sequence[Callable[[Random], Any]], chance: float) -> list[Any]:
    count = sum(rng.random() < chance for _ in range(2))
    return [step(rng) for step in rng.sample(known, count)]


NUMBER_STEPS: list[Callable[[Random], Any]] = [
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

IMPUTERS: list[Callable[[Random], Any]] = [
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

BETWEEN: list[Callable[[Random], Any]] = [
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


def _encoder(rng: Random, gaps: bool) -> Any:
    encoder = rng.choice(ENCODERS)(rng)
    if rng.random() < 0.15:
        encoder = FeatureUnion([("first", encoder), ("second", rng.choice(ENCODERS)(rng))])
    if gaps and rng.random() < 0.4:
        return make_pipeline(_filled(rng), encoder)
    if isinstance(encoder, OrdinalEncoder) and rng.random() < 0.3:
        return make_pipeline(encoder, StandardScaler())
    return encoder


def _for_numbers(rng: Random, gaps: bool) -> Any:
    steps = _steps(rng, NUMBER_STEPS, 0.6)
    if gaps and rng.random() < 0.9:
        steps.insert(rng.choice([0, 0, len(steps)]), rng.choice(IMPUTERS)(rng))
    made = make_pipeline(*steps) if steps else "passthrough"
    if gaps and steps and rng.random() < 0.15:
        return FeatureUnion([("values", made), ("gaps", MissingIndicator(features="all"))])
    return made


def _for_text(rng: Random) -> Any:
    return rng.choice(
        [
            CountVectorizer(token_pattern=r"(?u)\b\w+\b"),
            TfidfVectorizer(analyzer="char", ngram_range=(1, 2)),
            HashingVectorizer(n_features=8),
        ]
    )


def _columns(rng: Random, kinds: dict[str, Kind], depth: int = 0) -> Any:
    """Return a ColumnTransformer, perhaps one in another or beside another."""
    if depth < 2 and rng.random() < 0.15:
        return FeatureUnion([(str(n), _columns(rng, kinds, depth + 2)) for n in range(2)])
    groups: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        groups.setdefault(_treatment(rng, kind), []).append(name)
    parts: list[tuple[str, Any, Any]] = []
    for treatment, names in groups.items():
        gaps = any(kinds[name].gaps for name in names)
        if treatment == "encoded":
            part = _encoder(rng, gaps)
        elif treatment == "number":
            part = _for_numbers(rng, gaps)
        elif treatment == "text":
            parts += [(f"text {name}", _for_text(rng), name) for name in names]
            continue
        else:
            part = treatment
        if depth < 2 and rng.random() < 0.1 and not isinstance(part, str):
            part = ColumnTransformer([("inner", part, names)], remainder="drop")
        parts.append((treatment, part, _selected(rng, names, [*kinds])))
    rng.shuffle(parts)
    return ColumnTransformer(
        parts,
        remainder=rng.choice(["drop", "drop", "passthrough"]),
        sparse_threshold=rng.choice([0.0, 0.3, 1.0]),
        transformer_weights={parts[0][0]: 0.5} if rng.random() < 0.05 else None,
        verbose_feature_names_out=rng.random() < 0.7,
    )


def _treatment(rng: Random, kind: Kind) -> str:
    if rng.random() < 0.08:
        return "drop"
    if kind.number and kind.few:
        return rng.choice(["number", "encoded"])
    if kind.number:
        return "number"
    return "encoded" if rng.random() < 0.95 or kind.gaps else "text"


def _selected(rng: Random, names: list[str], every: list[str]) -> Any:
    """Return one of the ways to name columns."""
    places = [every.index(name) for name in names]
    return rng.choice(
        [
            names,
            names,
            places,
            [name in names for name in every],
            make_column_selector("^(" + "|".join(map(re.escape, names)) + ")$"),
            lambda frame, names=names: [name for name in names if name in frame],
        ]
        if len(every) > len(names)
        else [names, places, slice(None)]
    )


def _model(rng: Random, frame: pd.DataFrame) -> tuple[Any, Any]:
    """Return an unfitted model and a target for it."""
    generator = np.random.default_rng(rng.getrandbits(32))
    codes = np.array([pd.factorize(frame[name])[0] for name in frame]).T
    score = codes @ generator.normal(size=codes.shape[1]) + generator.normal(size=len(codes))
    model = rng.choice(MODELS)(rng)
    return model, _target_for(rng, model, score)


def _target_for(rng: Random, model: Any, score: np.ndarray) -> np.ndarray:
    if isinstance(model, MultiOutputRegressor):
        return np.c_[score, -score]
    if is_regressor(model):
        return np.exp(score / 50) if isinstance(model, TransformedTargetRegressor) else score
    binary = isinstance(model, FixedThresholdClassifier) or rng.random() < 0.5
    classes = np.digitize(score, np.quantile(score, [0.5] if binary else [0.3, 0.6]))
    labels = rng.choice([[0, 1, 2], ["no", "yes", "perhaps"], [3, 10, 7]])
    return classes == 1 if binary and rng.random() < 0.2 else np.array(labels)[classes]


def _xgboost(rng: Random) -> Any:
    from xgboost import XGBRegressor

    return XGBRegressor(n_estimators=5, max_depth=3, n_jobs=1)


def _lightgbm(rng: Random) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=5, min_child_samples=5, verbose=-1, n_jobs=1)


def _catboost(rng: Random) -> Any:
    from catboost import CatBoostRegressor

    return CatBoostRegressor(
        iterations=5, depth=3, verbose=False, thread_count=1, allow_writing_files=False
    )


MODELS: list[Callable[[Random], Any]] = [
    lambda rng: LogisticRegression(max_iter=300),
    lambda rng: LogisticRegression(max_iter=300),
    lambda rng: LinearRegression(),
    lambda rng: Ridge(),
    lambda rng: LinearSVC(),
    lambda rng: SVC(),
    lambda rng: DecisionTreeClassifier(max_depth=5, random_state=0),
    lambda rng: DecisionTreeRegressor(max_depth=5, random_state=0),
    lambda rng: RandomForestClassifier(5, random_state=0),
    lambda rng: ExtraTreesRegressor(5, random_state=0),
    lambda rng: GradientBoostingClassifier(n_estimators=3, random_state=0),
    lambda rng: HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
    lambda rng: HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5),
    _xgboost,
    _lightgbm,
    _catboost,
    lambda rng: KNeighborsClassifier(),
    lambda rng: MLPClassifier((4,), max_iter=20, random_state=0),
    lambda rng: GaussianNB(),
    lambda rng: KMeans(2, n_init=1, random_state=0),
    lambda rng: IsolationForest(5, random_state=0),
    lambda rng: MultiOutputRegressor(Ridge()),
    lambda rng: VotingRegressor([("one", Ridge()), ("other", DecisionTreeRegressor(max_depth=2))]),
    lambda rng: StackingClassifier(
        [("one", LogisticRegression()), ("other", DecisionTreeClassifier(max_depth=2))], cv=2
    ),
    lambda rng: CalibratedClassifierCV(LogisticRegression(), cv=2),
    lambda rng: FixedThresholdClassifier(LogisticRegression(), threshold=0.3),
    lambda rng: TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp),
]
