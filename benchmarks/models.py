"""The models that every server serves, trained once a run and packaged as our users do."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from servers import BUILD, REPOSITORY
from sklearn.datasets import load_diabetes, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(REPOSITORY))

from mlops.package import package

LOGISTIC, FOREST = "logistic", "forest"
TITLES = {LOGISTIC: "logistic regression", FOREST: "forest of 200 trees"}
WIDTHS = {f"width-{width}": width for width in (10, 100, 1000)}


@dataclass(frozen=True)
class Trained:
    """A packaged model. ``folder`` holds model.pkl, model.onnx and our manifest; ``expected`` are
    the predictions for ``rows``."""

    folder: Path
    rows: list[list[float]]
    expected: list[Any]


def train(name: str) -> Trained:
    """Train and package a model. Raises StartupError if it can't be packaged."""
    X, y = _synthetic(WIDTHS[name]) if name in WIDTHS else diabetes()
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    # It is fitted without column names: with them, scikit-learn would warn at each request of the
    # peers, which pass arrays.
    estimator = (RandomForestClassifier(200, random_state=0) if name == FOREST else linear).fit(
        X, y
    )
    model = packaged(name, estimator, X)
    if not (model.folder / "model.onnx").exists():
        print(
            f"note: {name} was not compiled to ONNX; servers that need it will not start",
            file=sys.stderr,
        )
    return model


def packaged(name: str, estimator: Any, X: np.ndarray) -> Trained:
    """Package an estimator for ``X``. Raises StartupError if it can't be packaged."""
    folder = BUILD / "models" / name
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.pkl"
        joblib.dump(estimator, file)
        package(file, pd.DataFrame(X), folder, name=name, version="1", force=True)
    return Trained(folder, X[:100].tolist(), estimator.predict(X[:100]).tolist())


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """Return the data of mlops/demo.py."""
    data = load_diabetes(scaled=False)
    return data.data, (data.target > np.median(data.target)).astype(int)


def _synthetic(width: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(1000, width, n_informative=8, random_state=0)
    return X.round(4), y
