"""Answers are alike where a retrained model may differ, on the scale of what the old one answers:
whatever their distribution, and however many numbers an answer has."""

from typing import Any

import numpy as np
import pytest

from mlops.rollout.answer_scale import AnswerScale

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(50, 10, 1000)
SKEWED = RNG.lognormal(0, 2, 1000)
ZEROS = np.where(RNG.random(1000) < 0.8, 0.0, RNG.lognormal(3, 1, 1000))
TWO = RNG.choice([10.0, 20.0], 1000)
CONSTANT = np.full(1000, 7.25)


def share_alike(old: Any, new: Any) -> float:
    """``old``, ``new``: answers as arrays, or lists of anything."""
    before, after = (part.tolist() if hasattr(part, "tolist") else part for part in (old, new))
    scale = AnswerScale(before)
    return float(np.mean([scale.alike(*pair) for pair in zip(after, before, strict=True)]))


@pytest.mark.parametrize("old", [NORMAL, SKEWED, ZEROS, TWO, CONSTANT, NORMAL[:1], NORMAL[:3]])
def test_float_noise_never_differs(old: np.ndarray):
    """float32 keeps seven digits, for any answers: constant ones, one row, several outputs."""
    assert share_alike(old, old.astype("float32").astype(float)) == 1
    several = np.column_stack([old, old[::-1], np.full(len(old), 3.3)])
    assert share_alike(several, several.astype("float32").astype(float)) == 1


@pytest.mark.parametrize("old", [NORMAL, SKEWED, ZEROS + 1, TWO, CONSTANT, NORMAL[:1]])
def test_halved_answers_differ(old: np.ndarray):
    """In nearly all rows: a few large answers do not hide the many small ones."""
    assert share_alike(old, old / 2) < 0.11


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (NORMAL, NORMAL + 0.03 * 10 * RNG.normal(size=1000)),
        (SKEWED, SKEWED * np.exp(0.03 * 2 * RNG.normal(size=1000))),
        (TWO, TWO + 0.2),
    ],
)
def test_a_model_that_was_trained_anew_may_differ_a_little(old: np.ndarray, new: np.ndarray):
    """By three hundredths of a standard deviation, on the scale of a skewed target too."""
    assert share_alike(old, new) > 0.98


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (["a", "b", "c"], ["a", "b", "x"], 2),
        ([1, 2, 3], [1, 2, 4], 2),
        ([1, 0, 1], [1.0, 0.0, 1.0], 0),
        ([True, False], [1, 0], 0),
        ([1.0, 2.0, 3.0], [1, 2, "3"], 2),
        ([[1.0, 0.0], [2.0, 5.0], [3.0, 9.0]], [[1.01, 0.1], [2.0, 5.0], [3.0, 1.0]], 2),
        ([[1.0, "a"], [2.0, "b"], [3.0, "c"]], [[1.01, "a"], [2.0, "x"], [3.0]], 1),
        ([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0], 0),
        ([[[1.0]], [[2.0]], [[3.0]]], [[[1.01]], [[2.0]], [[9.0]]], 2),
        ([{"p": 1.0, "of": "a"}, {"p": 2.0, "of": "b"}], [{"p": 1.01, "of": "a"}, {"p": 2.0}], 1),
        ([[], []], [[], [1]], 1),
        ([[1.0, None], [2.0, 3.0]], [[1.0, None], [2.0, None]], 1),
    ],
)
def test_an_answer_of_several_values_is_alike_if_each_is(
    old: list[object], new: list[object], same: int
):
    """Labels and the shape must be the same."""
    assert share_alike(old, new) == pytest.approx(same / len(old))
