"""Trees that were fitted on data with gaps, without infinite thresholds.

Such a tree tells values from gaps by ``value <= infinity``. Its values are float32, so ``value <=
the largest float32`` says the same.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.tree._tree import Tree

LARGEST = float(np.finfo(np.float32).max)


def _finite(tree: Any) -> Any:
    if np.isfinite(tree.threshold).all():
        return None
    finite = copy.deepcopy(tree)
    np.clip(finite.threshold, -LARGEST, LARGEST, out=finite.threshold)
    return finite


EQUIVALENTS = {Tree: _finite}
