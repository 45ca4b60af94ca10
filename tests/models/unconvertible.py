"""Estimators whose converters to ONNX misbehave, each in its own way. They register themselves with
skl2onnx."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from sklearn.base import BaseEstimator, RegressorMixin


class Doubling(RegressorMixin, BaseEstimator):
    n_features_in_ = 2

    def fit(self, X: Any, y: Any) -> Doubling:
        return self

    def predict(self, X: Any) -> Any:
        return np.asarray(X)[:, 0] * 2


class Endless(Doubling):
    """Notes the converting process in the file that NOTE names."""


class Busy(Doubling):
    """Never stops computing."""


class Dying(Doubling):
    """Ends the process as ``how`` says: with a status, or by a signal if it is negative."""

    def __init__(self, how: int = 3) -> None:
        self.how = how


class Homebound(Doubling):
    """Pickles, but can't be read elsewhere."""

    def __reduce__(self) -> Any:
        return _only_here, (os.getpid(),)


def _only_here(process: int) -> Doubling:
    if os.getpid() != process:
        raise ModuleNotFoundError("no such module in this process")
    return Homebound()


def _endless(scope: Any, operator: Any, container: Any) -> None:
    if note := os.environ.get("NOTE"):
        Path(note).write_text(str(os.getpid()))
    while True:
        time.sleep(0.01)


def _busy(scope: Any, operator: Any, container: Any) -> None:
    while True:
        pass


def _dying(scope: Any, operator: Any, container: Any) -> None:
    how = operator.raw_operator.how
    if how < 0:
        os.kill(os.getpid(), -how)
    os._exit(how)


def _shapes(operator: Any) -> None:
    pass


update_registered_converter(Endless, "Endless", _shapes, _endless)
update_registered_converter(Busy, "Busy", _shapes, _busy)
update_registered_converter(Dying, "Dying", _shapes, _dying)
