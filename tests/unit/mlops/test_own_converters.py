"""Transformers of numbers and kernels that skl2onnx does not convert, or in float32 only."""

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import BisectingKMeans
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.feature_selection import RFE, GenericUnivariateSelect, SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler, SkewedChi2Sampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    SplineTransformer,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor

import support
from azureml_scoring.models.estimators.estimator_contract import contract_of
from converted_models import compared, converted
from mlops.convert import convert
from mlops.parity import NotProven

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

FRAME, LABELS = support.diabetes()
X, y = FRAME.to_numpy()[:, :6], LABELS.to_numpy()
SMALL = (X - X.mean(axis=0)) / X.std(axis=0)
GAPS = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
EMPTY = np.where(np.arange(X.shape[1]) == 2, np.nan, GAPS)
AMOUNT = X[:, 3]
QUANTILES = {"quantile_method": "averaged_inverted_cdf"}

FLOAT64: dict[str, tuple[Any, np.ndarray, np.ndarray | None]] = {
    "filled with means": (make_pipeline(SimpleImputer(), Ridge()), GAPS, AMOUNT),
    "filled, with an indicator": (
        make_pipeline(SimpleImputer(strategy="median", add_indicator=True), Ridge()),
        GAPS,
        AMOUNT,
    ),
    "an empty column left out": (make_pipeline(SimpleImputer(), Ridge()), EMPTY, AMOUNT),
    "an empty column kept": (
        make_pipeline(SimpleImputer(keep_empty_features=True, add_indicator=True), Ridge()),
        EMPTY,
        AMOUNT,
    ),
    "another mark of a gap": (SimpleImputer(missing_values=1, strategy="mean"), X, None),
    "filled, scaled, logistic": (
        make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
        GAPS,
        y,
    ),
    "bins in order": (KBinsDiscretizer(4, encode="ordinal", **QUANTILES), X, None),
    "bins as columns": (KBinsDiscretizer(4, encode="onehot-dense", **QUANTILES), X, None),
    "bins of one value": (
        make_pipeline(
            KBinsDiscretizer(3, strategy="uniform"), DecisionTreeRegressor(random_state=0)
        ),
        np.c_[X, np.ones(len(X))],
        AMOUNT,
    ),
    "bins of nothing but one value": (
        make_pipeline(KBinsDiscretizer(3, strategy="uniform"), Ridge()),
        np.ones((99, 2)),
        X[:99, 0],
    ),
    **{
        f"rows of one size, {norm}": (Normalizer(norm), SMALL, None) for norm in ("l1", "l2", "max")
    },
    "powers": (PowerTransformer(), SMALL, None),
    "powers of positive numbers": (
        PowerTransformer("box-cox", standardize=False),
        1 + np.abs(SMALL),
        None,
    ),
    "ones above a threshold": (Binarizer(threshold=1.0), X, None),
    "products": (make_pipeline(PolynomialFeatures(3), Ridge()), X, AMOUNT),
    "products without powers": (
        make_pipeline(PolynomialFeatures(interaction_only=True, include_bias=False), Ridge()),
        X,
        AMOUNT,
    ),
    "products of two and three": (PolynomialFeatures((2, 3), include_bias=False), SMALL, None),
    **{
        f"splines, {kind}": (SplineTransformer(5, extrapolation=kind), X[:, [0, 2, 3]], None)
        for kind in ("constant", "linear", "continue", "periodic")
    },
    "splines within the knots": (
        SplineTransformer(
            4, knots=np.array([[-99.0] * 3, [30] * 3, [999] * 3]), degree=2, extrapolation="error"
        ),
        X[:, [0, 2, 3]],
        None,
    ),
    "splines of quantiles": (
        make_pipeline(
            SplineTransformer(5, degree=1, knots="quantile", include_bias=False), Ridge()
        ),
        X[:, [0, 2, 3]],
        AMOUNT,
    ),
    **{
        f"a kernel, {kind}": (KernelRidge(kernel=kind, gamma=0.1), SMALL, AMOUNT)
        for kind in ("linear", "rbf", "poly", "sigmoid")
    },
    "a kernel for two targets": (KernelRidge(kernel="rbf"), SMALL, X[:, :2]),
    "part of a kernel": (
        make_pipeline(Nystroem(n_components=9, random_state=0), Ridge()),
        SMALL,
        AMOUNT,
    ),
    "waves": (RBFSampler(n_components=9, random_state=0), SMALL, None),
    "waves of logarithms": (
        SkewedChi2Sampler(skewedness=9, n_components=9, random_state=0),
        SMALL,
        None,
    ),
    "a step that does nothing": (
        make_pipeline(StandardScaler(), "passthrough", Ridge()),
        X,
        AMOUNT,
    ),
    "the first column alone": (make_pipeline(SelectKBest(k=1), Ridge()), X, X[:, 0]),
    "the best of each": (make_pipeline(GenericUnivariateSelect(param=50), Ridge()), X, X[:, 0]),
    "an elimination between steps": (
        make_pipeline(StandardScaler(), RFE(Ridge(), n_features_to_select=2), LogisticRegression()),
        X,
        y,
    ),
    "the most frequent": (DummyClassifier(strategy="most_frequent"), X, y),
    "the shares": (DummyClassifier(), X, np.digitize(X[:, 2], [24, 28])),
    "each class against the rest": (
        OneVsRestClassifier(LogisticRegression(max_iter=2000)),
        SMALL,
        np.digitize(X[:, 2], [24, 28]),
    ),
    "one class against the rest": (OneVsRestClassifier(LogisticRegression()), SMALL, y),
    "clusters cut in two": (BisectingKMeans(5, random_state=0), X, None),
    "the mean": (DummyRegressor(), X, X[:, :2]),
}


@pytest.mark.parametrize("name", FLOAT64)
def test_it_is_compiled_in_the_floats_of_scikit_learn(name: str):
    """New rows get equal answers, with gaps where the fit had some."""
    unfitted, rows, target = FLOAT64[name]
    model = compared(unfitted.fit(rows, target), rows)
    assert model.dtype == "float64"
    assert model.missing or not np.isnan(rows).any()


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (KernelRidge(kernel="laplacian"), "the kernel laplacian"),
        (SplineTransformer(degree=0), "a SplineTransformer of degree 0"),
    ],
)
def test_a_form_without_a_converter_is_named(estimator: Any, reason: str):
    """The kernel or the form, not an exception of the converter's."""
    estimator.fit(SMALL, AMOUNT)
    with pytest.raises(NotProven, match=f"there is no ONNX converter for {reason}"):
        convert(estimator, contract_of(estimator), SMALL, converted(estimator, SMALL.shape[1]))
