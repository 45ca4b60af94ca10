"""Estimators whose parameters ask for an output that ONNX lacks, and that nothing depends on."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sklearn.ensemble import RandomTreesEmbedding, VotingClassifier
from sklearn.preprocessing import KBinsDiscretizer


def _with(**parameters: Any) -> Callable[[Any], Any]:
    def changed(estimator: Any) -> Any:
        if all(getattr(estimator, name) == value for name, value in parameters.items()):
            return None
        other = copy.copy(estimator)
        vars(other).update(parameters)
        return other

    return changed


def _dense_bins(bins: Any) -> Any:
    return _with(encode="onehot-dense")(bins) if bins.encode == "onehot" else None


EQUIVALENTS = {
    KBinsDiscretizer: _dense_bins,
    RandomTreesEmbedding: _with(sparse_output=False),
    VotingClassifier: _with(flatten_transform=False),
}
