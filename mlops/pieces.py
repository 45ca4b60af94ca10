"""Tells a model that is in pieces, such as a vectorizer and a classifier in two files, from a whole one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from contract import TEXT
from errors import StartupError
from mlops.sample import dtype_of

PIPELINE = """save both as one Pipeline, fitted as they are:

    model = sklearn.pipeline.make_pipeline({first}, {last})
    joblib.dump(model, "model.joblib")"""


def check_whole(estimator: Any, frame: pd.DataFrame, say: Callable[[str], None]) -> None:
    """Raises StartupError where another piece is needed to answer; says so where it may be."""
    if isinstance(estimator, tuple | list | dict):
        _check_collection(estimator)
    if (count := getattr(estimator, "n_features_in_", None) or 1) > 1 and _only_texts(frame):
        raise StartupError(
            f"The model takes {count:,} numbers and the sample has one column of text: what makes the one of the other "
            f"is not in the model; {PIPELINE.format(first='vectorizer', last='model')}"
        )
    if hasattr(estimator, "transform") and not hasattr(estimator, "predict"):
        example = PIPELINE.format(first=type(estimator).__name__.lower(), last="model").replace("\n", "\n  ")
        say(f"  note: it only transforms; if another model takes its answers, {example}")


def _check_collection(pieces: tuple[Any, ...] | list[Any] | dict[Any, Any]) -> None:
    by_key = pieces if isinstance(pieces, dict) else dict(enumerate(pieces))
    named = {f"pieces[{key!r}]": piece for key, piece in by_key.items()}
    first = next((name for name, piece in named.items() if _transforms(piece)), None)
    last = next((name for name, piece in named.items() if hasattr(piece, "predict")), None)
    if first is None or last is None:
        return
    kinds = ", ".join(type(piece).__name__ for piece in named.values())
    raise StartupError(
        f"The model file holds {len(named)} things ({kinds}), and a service asks one; "
        f"{PIPELINE.format(first=first, last=last)}"
    )


def _transforms(piece: Any) -> bool:
    return hasattr(piece, "transform") and not hasattr(piece, "predict")


def _only_texts(frame: pd.DataFrame) -> bool:
    return len(frame.columns) == 1 and dtype_of(frame.columns[0], frame.iloc[:, 0]) == TEXT
