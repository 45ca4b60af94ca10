"""Estimators that only multiply by a matrix and add, or pick the largest of such sums."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import AffinityPropagation, Birch, FeatureAgglomeration, MeanShift
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical
from sklearn.decomposition import PCA, FactorAnalysis, FastICA
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.random_projection import SparseRandomProjection
from sklearn.svm import LinearSVC


def _affine(function: Any, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix (inputs, outputs) and the offset of a function that has such."""
    offset = np.asarray(function(np.zeros((1, width))), dtype=np.float64)
    each = np.asarray(function(np.eye(width)), dtype=np.float64)
    return each - offset, offset[0]


def _transformer(estimator: Any) -> Any:
    matrix, offset = _affine(estimator.transform, estimator.n_features_in_)
    if offset.any():
        # Of the offset only its part in the space of the outputs matters.
        mean = -np.linalg.lstsq(matrix.T, offset, rcond=None)[0]
    else:
        mean = np.zeros(len(matrix))
    simple = PCA(matrix.shape[1], whiten=False)
    simple.components_, simple.mean_ = matrix.T, mean
    simple.n_components_, simple.n_features_in_ = matrix.shape[::-1]
    return simple


def _regressor(estimator: Any) -> Any:
    matrix, offset = _affine(estimator.predict, estimator.n_features_in_)
    simple = LinearRegression()
    simple.coef_, simple.intercept_ = matrix.T, offset
    simple.n_features_in_ = len(matrix)
    return simple


def _classifier(coefficients: np.ndarray, offsets: np.ndarray, classes: np.ndarray) -> Any:
    simple = Perceptron()
    simple.coef_, simple.intercept_, simple.classes_ = coefficients, offsets, classes
    simple.n_features_in_ = coefficients.shape[1]
    return simple


def _signs(classifier: Any) -> Any:
    intercept = np.broadcast_to(classifier.intercept_, len(classifier.coef_)).astype(float)
    return _classifier(classifier.coef_, intercept, classifier.classes_)


def _against_the_rest(classifier: Any) -> LogisticRegression | None:
    """Return one classifier for all classes: the label is that of the largest score, the
    probabilities are each class's own, scaled to a sum of 1."""
    members = classifier.estimators_
    if classifier.multilabel_ or any(type(member) is not LogisticRegression for member in members):
        return None
    simple = LogisticRegression()
    simple.multi_class = "ovr"  # of older versions; skl2onnx still knows it
    simple.coef_ = np.vstack([member.coef_ for member in members])
    simple.intercept_ = np.concatenate([np.ravel(member.intercept_) for member in members])
    simple.classes_, simple.n_features_in_ = classifier.classes_, simple.coef_.shape[1]
    return simple


def _nearest(centers: np.ndarray, labels: np.ndarray) -> Any:
    """Return a classifier by the nearest center: the one with the largest x·c - |c|²/2."""
    offsets = -(centers**2).sum(axis=1) / 2
    if len(centers) == 1:
        centers, offsets, labels = np.r_[centers, centers], offsets[[0, 0]], labels[[0, 0]]
    if len(centers) == 2:  # scikit-learn has one line of coefficients for two classes
        centers, offsets = centers[1:] - centers[:1], offsets[1:] - offsets[:1]
    return _classifier(centers, offsets, labels)


def _cluster(clusterer: Any) -> Any:
    centers = clusterer.cluster_centers_
    return _nearest(centers, np.arange(len(centers)))


def _subcluster(clusterer: Any) -> Any:
    return _nearest(clusterer.subcluster_centers_, clusterer.subcluster_labels_.astype(np.int64))


EQUIVALENTS = {
    **dict.fromkeys(
        [FactorAnalysis, FastICA, FeatureAgglomeration, PLSSVD, SparseRandomProjection],
        _transformer,
    ),
    **dict.fromkeys([CCA, PLSCanonical], _regressor),
    **dict.fromkeys([LinearSVC, RidgeClassifier, RidgeClassifierCV], _signs),
    **dict.fromkeys([AffinityPropagation, MeanShift], _cluster),
    Birch: _subcluster,
    OneVsRestClassifier: _against_the_rest,
}
