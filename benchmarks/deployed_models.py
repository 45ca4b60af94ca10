"""Models as people deploy them, each as a packaged folder, and as an expert would serve it by hand.

The folder holds ``by_hand.*`` for peers/by-hand: the library's own file, or the ONNX that skl2onnx
makes with one input a column.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import in_process  # noqa: F401  puts tests/ and src/ on the path
import joblib
import numpy as np
import pandas as pd
from servers import BUILD
from sklearn.datasets import make_classification

import mixed_models
from mlops.package import package

TREES = 300
TRAINING_ROWS = 2_000
CHECKED_ROWS = 100
TEXT = "text"
"""Name of the only column of a model of texts."""


@dataclass(frozen=True)
class DeployedModel:
    """A model to measure. ``make``: fits it and returns the rows to ask; ``by_hand``: writes the
    file of the service written by hand. ``over_guide``, ``over_by_hand``: the ratios to reach."""

    title: str
    make: Callable[[], tuple[Any, pd.DataFrame]]
    by_hand: Callable[[Any, pd.DataFrame, Path], None]
    over_guide: float
    over_by_hand: float
    rows: int = 1


@dataclass(frozen=True)
class Packaged:
    """A packaged model. ``asked``: the rows to measure; ``checked``: those to compare, and
    ``expected``: the estimator's predictions for them."""

    folder: Path
    asked: pd.DataFrame
    checked: pd.DataFrame
    expected: list[Any]


def packaged(name: str, model: DeployedModel) -> Packaged:
    """Fit and package a model below build/. Raises StartupError if it can't be packaged."""
    folder = BUILD / "models" / name
    shutil.rmtree(folder, ignore_errors=True)  # packaging replaces nothing but its own files
    estimator, frame = model.make()
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.pkl"
        joblib.dump(estimator, file)
        package(file, frame, folder, name=name, version="1", force=True)
    if not (folder / "model.pkl").exists():  # the guide's script reads this name
        shutil.copy(next(folder.glob("model.*")), folder / "model.pkl")
    model.by_hand(estimator, frame, folder)
    checked = frame.head(CHECKED_ROWS)
    if list(frame) == [TEXT]:
        X = checked[TEXT]
    else:
        X = checked if _has_names(frame) else checked.to_numpy()
    return Packaged(folder, frame.head(model.rows), checked, estimator.predict(X).tolist())


def body(frame: pd.DataFrame, *, texts_alone: bool) -> bytes:
    """Return a request: rows, with the names of the columns if they have names.

    ``texts_alone``: send a column of texts as a list of texts, as its vectorizer takes it.
    """
    document = json.loads(frame.to_json(orient="split", index=False))
    if texts_alone and list(frame) == [TEXT]:
        document = {"data": frame[TEXT].tolist()}
    elif not _has_names(frame):
        del document["columns"]
    return json.dumps(document).encode()


def _has_names(frame: pd.DataFrame) -> bool:
    return isinstance(frame.columns[0], str)


def _numbers() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(5_000, 20, n_informative=10, random_state=0)
    return X.round(4), y


def _numeric(make: Callable[[], Any]) -> Callable[[], tuple[Any, pd.DataFrame]]:
    def fitted() -> tuple[Any, pd.DataFrame]:
        X, y = _numbers()
        return make().fit(X, y), pd.DataFrame(X)

    return fitted


def _lightgbm() -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=TREES, n_jobs=1, verbose=-1)


def _xgboost() -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=TREES, n_jobs=1)


def _catboost() -> Any:
    from catboost import CatBoostClassifier

    return CatBoostClassifier(TREES, thread_count=1, verbose=False, allow_writing_files=False)


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(200, random_state=0)


def _texts() -> tuple[Any, pd.DataFrame]:
    """A hundred words a text, of a vocabulary that thins out as a language's does."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rng = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(20_000)])
    chosen = np.minimum(rng.zipf(1.3, (TRAINING_ROWS, 100)), len(words)) - 1
    frame = pd.DataFrame({TEXT: [" ".join(row) for row in words[chosen]]})
    target = (chosen % 7 == 3).sum(axis=1) > (chosen % 7 == 4).sum(axis=1)
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    return pipeline.fit(frame[TEXT], target.astype(int)), frame


def _lightgbm_file(estimator: Any, _: pd.DataFrame, folder: Path) -> None:
    estimator.booster_.save_model(folder / "by_hand.txt")


def _xgboost_file(estimator: Any, _: pd.DataFrame, folder: Path) -> None:
    estimator.save_model(folder / "by_hand.ubj")


def _catboost_file(estimator: Any, _: pd.DataFrame, folder: Path) -> None:
    estimator.save_model(str(folder / "by_hand.cbm"))


def _onnx(estimator: Any, frame: pd.DataFrame, folder: Path) -> None:
    """Convert with one input a column, as skl2onnx's documentation does for a DataFrame."""
    from onnx.helper import make_attribute
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import (
        FloatTensorType,
        Int64TensorType,
        StringTensorType,
    )

    def kind(column: pd.Series) -> Any:
        if column.dtype == bool or column.dtype.kind == "i":  # its encoders take no booleans
            return Int64TensorType([None, 1])
        return (
            FloatTensorType([None, 1]) if column.dtype.kind == "f" else StringTensorType([None, 1])
        )

    inputs = (
        [(name, kind(frame[name])) for name in frame]
        if _has_names(frame)
        else [("X", FloatTensorType([None, frame.shape[1]]))]
    )
    graph = to_onnx(estimator, initial_types=inputs, options={"zipmap": False})
    for node in graph.graph.node:
        if node.op_type == "StringNormalizer":
            node.attribute.append(make_attribute("locale", "C"))  # unset, it is en_US
    (folder / "by_hand.onnx").write_bytes(graph.SerializeToString())


MODELS = {
    "mixed-logistic": DeployedModel(
        "7 mixed columns, one-hot, logistic", mixed_models.logistic, _onnx, 60, 2
    ),
    "mixed-boosting": DeployedModel(
        "20 mixed columns, ordinal, HistGradientBoosting 300",
        lambda: mixed_models.boosting(trees=TREES, count=TRAINING_ROWS),
        _onnx,
        60,
        2,
    ),
    "lightgbm": DeployedModel("LightGBM 300", _numeric(_lightgbm), _lightgbm_file, 15, 2),
    "xgboost": DeployedModel("XGBoost 300", _numeric(_xgboost), _xgboost_file, 15, 2),
    "catboost": DeployedModel("CatBoost 300", _numeric(_catboost), _catboost_file, 15, 2),
    "text": DeployedModel("Tfidf + logistic, 100 words", _texts, _onnx, 10, 1),
    "forest": DeployedModel("forest of 200", _numeric(_forest), _onnx, 1.5, 1.5, rows=100),
}
