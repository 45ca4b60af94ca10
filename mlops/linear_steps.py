"""Steps of a pipeline that only multiply: a model's weights can be multiplied with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_selection import SelectorMixin
from sklearn.preprocessing import MaxAbsScaler, RobustScaler, StandardScaler
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

PROJECTIONS = (TruncatedSVD, GaussianRandomProjection, SparseRandomProjection)
CENTERING = {MaxAbsScaler: None, StandardScaler: "with_mean", RobustScaler: "with_centering"}
"""Scalers, and the option by which they also subtract."""


def matrix_of(step: Any) -> Any | None:
    """Return what a fitted step multiplies its input with, (inputs, outputs), dense or sparse; None
    if it does more."""
    if isinstance(step, SelectorMixin) and type(step).__module__.startswith("sklearn."):
        chosen = step.get_support(indices=True)
        unit = sparse.identity(len(step.get_support()), format="csc")
        return unit[:, chosen].tocsr()
    if type(step) in PROJECTIONS:
        return step.components_.T
    if type(step) in CENTERING:
        option = CENTERING[type(step)]
        if (option and getattr(step, option)) or getattr(step, "clip", False):
            return None
        scale = np.ones(step.n_features_in_) if step.scale_ is None else step.scale_
        return sparse.diags_array(1.0 / scale, format="csr")
    return None
