"""Packaging without the processes that it starts, each of which takes seconds.

test_converter.py and test_own_code.py test those.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from mlops.converter import Convert, converter, hand_over
from mlops.graphs import Converted, onnx_graphs
from mlops.say import Say

__all__ = ["converter", "one_process"]  # the first as it is for users


@contextlib.contextmanager
def one_process() -> Iterator[None]:
    """Convert, and try to load the artifact, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        # mlops.package, which loads for seconds, takes it from there when a test imports it.
        patch.setattr("mlops.converter.converter", _converter)
        if package := sys.modules.get("mlops.package"):
            patch.setattr(package, "converter", _converter)
        patch.setattr("mlops.fresh_process.check_loads", lambda *_: None)
        yield


def _converter() -> AbstractContextManager[Convert]:
    return contextlib.nullcontext(_converted)


def _converted(estimator: Any, width: int, say: Say) -> Iterator[Converted]:
    file = io.BytesIO()
    hand_over(estimator, file)
    return onnx_graphs(pickle.load(file), width)
