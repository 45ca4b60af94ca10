"""Predictions are hardly ever judged wrongly: the simulation of docs/rollout.md, in small.

The chance of a verdict is exact in test_agreement.py; here a rollout's own comparison finds out
what differs and what does not.
"""

import pytest

from benchmarks.signals.predictions import cases, verdicts

CASES = {case.title: case for case in cases()}
TRIALS = 6


@pytest.mark.parametrize(
    "case",
    [
        "8 % of the labels differ",
        "8 %, 200 rows by `--sample`",
        "skewed target, 8 % of the answers halved",
        "5 % answered by chance, 8 % differ",
    ],
)
def test_predictions_of_which_8_per_cent_differ_are_not_accepted(case: str):
    """With the default sample, with few rows, with a skewed target, and of a model that differs
    from itself."""
    assert verdicts(CASES[case], TRIALS)["agree"] == 0


@pytest.mark.parametrize(
    "case", ["20 % of the labels differ", "skewed target, 100 % of the answers halved"]
)
def test_what_clearly_differs_is_rolled_back(case: str):
    """Whatever the seed."""
    assert verdicts(CASES[case], TRIALS)["differ"] == TRIALS


@pytest.mark.parametrize(
    "case",
    [
        "0 % of the labels differ",
        "skewed target, trained anew",
        "three outputs, one constant, float32",
        "5 % answered by chance, the same model",
    ],
)
def test_what_a_sound_model_differs_by_is_accepted(case: str):
    """Float noise, small differences of a model trained anew, and chance that the old one has
    too."""
    assert verdicts(CASES[case], TRIALS)["agree"] == TRIALS
