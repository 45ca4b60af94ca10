"""Models for the differential sweep: each estimator of scikit-learn on data that suits it, and
pipelines of several."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  it makes two classes known
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import f_regression
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators, get_tags

Fitted = tuple[Any, pd.DataFrame]
"""A model and the rows that it was fitted on."""

RNG = np.random.default_rng(0)
COUNT = 120
NUMBERS = pd.DataFrame(
    {
        "size": RNG.normal(50, 9, COUNT).round(3),
        "share": RNG.uniform(0, 1, COUNT).round(4),
        "branch": RNG.choice([3.0, 5.0, 9.0], COUNT),
        "rooms": RNG.choice([1.0, 2.0, 3.0, 4.0], COUNT),
    }
)
CODES = NUMBERS[["branch", "rooms"]]
WHOLE = CODES.astype("int64")
GAPS = NUMBERS.mask(RNG.random(NUMBERS.shape) < 0.1)
MIXED = NUMBERS.assign(
    city=RNG.choice(["Paris", "Rome", "Oslo"], COUNT), member=RNG.choice([True, False], COUNT)
)
TEXTS = pd.DataFrame(
    {"text": RNG.choice(["good day", "bad day", "good night", "a bad night"], COUNT)}
)

AMOUNT = (NUMBERS["size"] + 10 * NUMBERS["share"] + NUMBERS["branch"]).to_numpy()
CLASS = np.digitize(AMOUNT, np.quantile(AMOUNT, [0.4, 0.7]))
BOTH = np.c_[CLASS, CLASS[::-1]]
AMOUNTS = np.c_[AMOUNT, AMOUNT[::-1]]

ARGUMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "ColumnTransformer": lambda: {
        "transformers": [("scaled", StandardScaler(), ["size", "share"])]
    },
    "FeatureUnion": lambda: {
        "transformer_list": [("scaled", StandardScaler()), ("components", PCA(2))]
    },
    "FunctionTransformer": lambda: {"func": np.abs},
    "HashingVectorizer": lambda: {"n_features": 64},
    "MissingIndicator": lambda: {"features": "all"},
    "Pipeline": lambda: {"steps": [("scaled", StandardScaler()), ("model", Ridge())]},
    "GenericUnivariateSelect": lambda: {"param": 50},
    **dict.fromkeys(
        ["SelectFdr", "SelectFpr", "SelectFwe", "SelectPercentile"],
        lambda: {"score_func": f_regression},
    ),
    "GridSearchCV": lambda: {"estimator": Ridge(), "param_grid": {"alpha": [0.1, 1.0]}},
    "HalvingGridSearchCV": lambda: {"estimator": Ridge(), "param_grid": {"alpha": [0.1, 1.0]}},
    "RandomizedSearchCV": lambda: {
        "estimator": Ridge(),
        "param_distributions": {"alpha": [0.1, 1.0]},
        "n_iter": 2,
    },
    "HalvingRandomSearchCV": lambda: {
        "estimator": Ridge(),
        "param_distributions": {"alpha": [0.1, 1.0]},
    },
    "FrozenEstimator": lambda: {"estimator": Ridge().fit(NUMBERS, AMOUNT)},
    "RANSACRegressor": lambda: {"estimator": Ridge(), "min_samples": 20, "random_state": 0},
    "SparseCoder": lambda: {"dictionary": np.eye(4)},
}
"""Arguments of classes that can't be made from their signature alone, or not in a second."""


class NotFitted(Exception):
    """No target fits; the message says why."""


def every() -> dict[str, Callable[[], Fitted]]:
    """Return name -> a function that fits the model. It raises NotFitted if that fails."""
    alone = {name: _fitting(name, kind) for name, kind in all_estimators()}
    return alone | {name: _fitting_pipeline(*known) for name, known in PIPELINES.items()}


def _fitting(name: str, kind: Any) -> Callable[[], Fitted]:
    def fit() -> Fitted:
        estimator = kind(**_arguments(name, kind))
        frame = _suitable(estimator)
        X: Any = frame["text"] if frame is TEXTS else frame
        with warnings.catch_warnings(action="ignore"):
            return _fit(estimator, X), frame

    return fit


def _fitting_pipeline(estimator: Any, frame: pd.DataFrame, target: Any) -> Callable[[], Fitted]:
    def fit() -> Fitted:
        with warnings.catch_warnings(action="ignore"):
            return estimator.fit(frame["text"] if frame is TEXTS else frame, target), frame

    return fit


def _arguments(name: str, kind: Any) -> dict[str, Any]:
    known = inspect.signature(kind).parameters
    arguments = ARGUMENTS.get(name, dict)()
    if not arguments and "estimator" in known:
        classifier = "Classifi" in name or name in ("SelfTrainingClassifier", "ClassifierChain")
        arguments["estimator"] = LogisticRegression(max_iter=500) if classifier else Ridge()
    if "estimators" in known:
        of = LogisticRegression(max_iter=500) if "Classifier" in name else Ridge()
        arguments["estimators"] = [("one", of), ("other", make_pipeline(StandardScaler(), of))]
    small = {"n_estimators": 5, "max_iter": 50, "random_state": 0, "n_components": 2, "n_init": 1}
    return arguments | {argument: value for argument, value in small.items() if argument in known}


def _suitable(estimator: Any) -> pd.DataFrame:
    tags = get_tags(estimator).input_tags
    if tags.string and not tags.two_d_array:
        return TEXTS
    if tags.one_d_array and not tags.two_d_array:
        return NUMBERS[["size"]]
    if tags.categorical:
        return WHOLE
    fills = hasattr(estimator, "predict") or "Imputer" in type(estimator).__name__
    return GAPS if tags.allow_nan and fills else NUMBERS


def _fit(estimator: Any, X: Any) -> Any:
    """Fit with the first kind of target that the estimator takes."""
    reasons = []
    classes, amounts = (CLASS, CLASS > 0, BOTH), (AMOUNT, AMOUNTS)
    for target in (
        (*classes, *amounts) if get_tags(estimator).classifier_tags else (*amounts, *classes)
    ):
        try:
            return estimator.fit(X, target)
        except Exception as error:
            reasons.append(error)
    raise NotFitted(str(reasons[0])) from reasons[0]


PIPELINES: dict[str, tuple[Any, pd.DataFrame, Any]] = {
    "OrdinalEncoder, Ridge": (make_pipeline(OrdinalEncoder(), Ridge()), CODES, AMOUNT),
    "OrdinalEncoder of whole numbers, Ridge": (
        make_pipeline(OrdinalEncoder(), Ridge()),
        WHOLE,
        AMOUNT,
    ),
    "OrdinalEncoder for unknown codes, forest": (
        make_pipeline(
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            RandomForestClassifier(5, random_state=0),
        ),
        CODES,
        CLASS,
    ),
    "OneHotEncoder, Ridge": (make_pipeline(OneHotEncoder(), Ridge()), CODES, AMOUNT),
    "OneHotEncoder, logistic": (
        make_pipeline(OneHotEncoder(sparse_output=False), LogisticRegression()),
        WHOLE,
        CLASS,
    ),
    "OneHotEncoder for unknown codes, Ridge": (
        make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()),
        CODES,
        AMOUNT,
    ),
    "OneHotEncoder of rare codes, Ridge": (
        make_pipeline(
            OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=30), Ridge()
        ),
        CODES,
        AMOUNT,
    ),
    "TargetEncoder, Ridge": (make_pipeline(TargetEncoder(random_state=0), Ridge()), CODES, AMOUNT),
    "codes and numbers by column, logistic": (
        make_pipeline(
            make_column_transformer(
                (OneHotEncoder(handle_unknown="ignore"), ["branch", "rooms"]),
                (StandardScaler(), ["size", "share"]),
            ),
            LogisticRegression(),
        ),
        NUMBERS,
        CLASS,
    ),
    "codes by place, boosting": (
        make_pipeline(
            ColumnTransformer([("codes", OrdinalEncoder(), [2, 3])], remainder="passthrough"),
            GradientBoostingClassifier(n_estimators=5, random_state=0),
        ),
        NUMBERS,
        CLASS,
    ),
    "texts and numbers by column, logistic": (
        make_pipeline(
            make_column_transformer(
                (OneHotEncoder(), ["city", "member"]), (MinMaxScaler(), ["size", "rooms"])
            ),
            LogisticRegression(),
        ),
        MIXED,
        CLASS,
    ),
    "SimpleImputer, StandardScaler, logistic": (
        make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
        GAPS,
        CLASS,
    ),
    "SimpleImputer with indicator, Ridge": (
        make_pipeline(SimpleImputer(add_indicator=True), Ridge()),
        GAPS,
        AMOUNT,
    ),
    "SimpleImputer of the most frequent, tree": (
        make_pipeline(
            SimpleImputer(strategy="most_frequent"),
            DecisionTreeClassifier(max_depth=4, random_state=0),
        ),
        GAPS,
        CLASS,
    ),
    "KNNImputer, Ridge": (make_pipeline(KNNImputer(), Ridge()), GAPS, AMOUNT),
    "gaps and values, Ridge": (
        make_pipeline(make_union(SimpleImputer(), MissingIndicator(features="all")), Ridge()),
        GAPS,
        AMOUNT,
    ),
    "KBinsDiscretizer, Ridge": (
        make_pipeline(KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"), Ridge()),
        NUMBERS,
        AMOUNT,
    ),
    "PolynomialFeatures, Ridge": (make_pipeline(PolynomialFeatures(2), Ridge()), NUMBERS, AMOUNT),
    "Normalizer, logistic": (make_pipeline(Normalizer(), LogisticRegression()), NUMBERS, CLASS),
    "Binarizer, tree": (
        make_pipeline(Binarizer(threshold=3), DecisionTreeClassifier(random_state=0)),
        NUMBERS,
        CLASS,
    ),
    "PCA, SVC": (make_pipeline(StandardScaler(), PCA(2), SVC()), NUMBERS, CLASS),
    "FeatureUnion, forest": (
        Pipeline(
            [
                ("both", FeatureUnion([("scaled", StandardScaler()), ("components", PCA(2))])),
                ("forest", RandomForestClassifier(5, random_state=0)),
            ]
        ),
        NUMBERS,
        CLASS,
    ),
    "StandardScaler, logistic of words": (
        make_pipeline(StandardScaler(), LogisticRegression()),
        NUMBERS,
        np.array(["low", "middle", "high"])[CLASS],
    ),
    "histogram boosting with gaps": (HistGradientBoostingClassifier(max_iter=5), GAPS, CLASS),
    "words counted, logistic": (
        make_pipeline(CountVectorizer(), LogisticRegression()),
        TEXTS,
        CLASS,
    ),
    "words weighted, Ridge": (make_pipeline(TfidfVectorizer(), Ridge()), TEXTS, AMOUNT),
}
"""Name -> an unfitted pipeline, the rows to fit it on and their target."""
