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


def test_a_row_that_fails_fails_alone():
    """The others of its turn get their answers."""

    def each(rows: Sequence[tuple[Inline, Batch]]) -> list[list[Any]]:
        return [inline(batch) for inline, batch in rows]

    def inverse(batch: Batch) -> list[Any]:
        return [1 / batch.X[0, 0].item()]

    joint, batches = JointPredict(), [Batch(np.array([[x]]), "predict") for x in (2.0, 0.0, 4.0)]
    first, second, third = (joint.add(each, inverse, batch) for batch in batches)
    assert first(batches[0]) == [0.5]
    with pytest.raises(ZeroDivisionError):
        second(batches[1])
    assert third(batches[2]) == [0.25]
