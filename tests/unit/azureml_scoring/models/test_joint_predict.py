"""Rows of several requests in one call."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.joint_predict import Inline, JointPredict


def test_the_first_that_asks_computes_all():
    """Each request gets its own answer; nothing is computed early or twice."""
    calls: list[int] = []

    def each(rows: Sequence[tuple[Inline, Batch]]) -> list[list[Any]]:
        calls.append(len(rows))
        return [inline(batch) for inline, batch in rows]

    def inline(batch: Batch) -> list[Any]:
        row: list[Any] = batch.X[0].tolist()
        return row

    joint, batches = JointPredict(), [Batch(np.array([[float(i)]]), "predict") for i in range(3)]
    asked = [joint.add(each, inline, batch) for batch in batches]
    assert not calls
    assert [asked[i](batches[i]) for i in (2, 0, 1, 2)] == [[2.0], [0.0], [1.0], [2.0]]
    assert calls == [3]


def test_what_is_raised_is_raised_to_each():
    """No request is left without an answer."""

    def broken(rows: Sequence[tuple[Inline, Batch]]) -> list[list[Any]]:
        raise ZeroDivisionError

    joint, batch = JointPredict(), Batch(np.ones((1, 1)), "predict")
    for predict in [joint.add(broken, list, batch) for _ in range(2)]:
        with pytest.raises(ZeroDivisionError):
            predict(batch)
