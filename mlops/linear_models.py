"""Linear models of scikit-learn, alone or as members of others, and how their weights are replaced.

A model whose weights are W answers to x as one with other weights V answers to y, if Vy is Wx. So
the columns of a text can become few: one for each sum that a model makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import LinearSVC, LinearSVR

MEMBERS = {
    "CalibratedClassifierCV": "calibrated_classifiers_",
    "FixedThresholdClassifier": "estimator_",
    "FrozenEstimator": "estimator",
    "MultiOutputClassifier": "estimators_",
    "MultiOutputRegressor": "estimators_",
    "OneVsRestClassifier": "estimators_",
    "SelfTrainingClassifier": "estimator_",
    "TransformedTargetRegressor": "regressor_",
    "TunedThresholdClassifierCV": "estimator_",
    "VotingClassifier": "estimators_",
    "VotingRegressor": "estimators_",
    "_CalibratedClassifier": "estimator",
}
"""Class -> the attribute that holds those which get its input."""

NAIVE_BAYES, NETWORKS = (MultinomialNB, ComplementNB), (MLPClassifier, MLPRegressor)


def linear_models(model: Any) -> list[Any]:
    """Return the linear models that get the input of a fitted model; none if others get it too."""
    members = list(_members(model))
    return [] if any(member is None for member in members) else members


def weights(model: Any) -> np.ndarray:
    """Return the weights of a linear model: (inputs, sums)."""
    if type(model) in NAIVE_BAYES:
        return np.asarray(model.feature_log_prob_).T
    if type(model) in NETWORKS:
        return np.asarray(model.coefs_[0])
    coefficients = model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_
    return np.atleast_2d(np.asarray(coefficients)).T


def replace_weights(model: Any, replacement: np.ndarray) -> None:
    """Give a linear model other weights, and so another number of inputs."""
    if type(model) in NAIVE_BAYES:
        model.feature_log_prob_ = replacement.T
    elif type(model) in NETWORKS:
        model.coefs_ = [replacement, *model.coefs_[1:]]
    else:
        model.coef_ = replacement.T if np.ndim(model.coef_) == 2 else replacement[:, 0]


def replace_width(model: Any, width: int) -> None:
    """Tell a model and its members how many inputs they have now."""
    for each in _with_members(model):
        if "n_features_in_" in vars(each):
            each.n_features_in_ = width


def naive_bayes_of_counts(model: BernoulliNB) -> MultinomialNB:
    """Return a model that answers the same to 0 and 1: the weight of an absent term is part of its
    intercept."""
    absent = np.log1p(-np.exp(model.feature_log_prob_))
    simple = MultinomialNB()
    simple.feature_log_prob_ = model.feature_log_prob_ - absent
    simple.class_log_prior_ = model.class_log_prior_ + absent.sum(axis=1)
    for name in ("classes_", "class_count_", "feature_count_", "n_features_in_"):
        setattr(simple, name, getattr(model, name))
    return simple


def _members(model: Any) -> Iterator[Any]:
    """Yield linear models; None for one that is not linear."""
    module = type(model).__module__
    if type(model).__name__ in MEMBERS and module.startswith("sklearn."):
        for inner in _inner(model):
            yield from _members(inner)
    else:
        known = type(model) in (*NAIVE_BAYES, *NETWORKS, LinearSVC, LinearSVR)
        other = module.startswith("sklearn.linear_model.") and "coef_" in vars(model)
        yield model if known or other else None


def _with_members(model: Any) -> Iterator[Any]:
    yield model
    if type(model).__name__ in MEMBERS:
        for inner in _inner(model):
            yield from _with_members(inner)


def _inner(model: Any) -> list[Any]:
    inner = getattr(model, MEMBERS[type(model).__name__])
    return list(inner) if isinstance(inner, list | tuple | np.ndarray) else [inner]
