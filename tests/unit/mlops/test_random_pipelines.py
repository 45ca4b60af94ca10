"""The hunt for differing answers: random pipelines over random mixed frames.

A few of them in each run of the tests; ``make parity-hunt`` goes on for minutes.
"""

from __future__ import annotations

import itertools
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from packaged_answers import PackagedAnswers, Refused
from random_pipelines import RandomModel, random_model

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

MAX_SHOWN = 5
"""Differences shown of one pipeline."""


@pytest.mark.timeout(600)
@settings(
    max_examples=3,
    phases=[Phase.generate],  # a smaller seed makes no simpler pipeline
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(st.integers(0, 10**9))
def test_a_random_pipeline_answers_as_before_it_was_packaged(seed: int):
    """Whatever its columns and steps are: known values, unseen ones, missing ones and extremes.

    ``pytest --parity-seed`` tries the seed of a failure again.
    """
    model = random_model(Random(seed))
    assume(model is not None)
    assert model
    _, differences = _tried(model)
    assert not differences


@pytest.mark.timeout(0)
def test_the_hunt_finds_nothing(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]):
    """``make parity-hunt`` tries pipelines for minutes, and names the seed of each that differs."""
    minutes, seed = map(pytestconfig.getoption, ("--parity-hunt", "--parity-seed"))
    if minutes is None and seed is None:
        pytest.skip("this is `make parity-hunt`")
    end = time.monotonic() + 60 * (minutes or 0)
    seeds = itertools.count(time.time_ns() // 1000 % 10**9) if seed is None else [seed]
    outcomes, differing = Counter[str](), list[int]()
    for each in seeds:
        if seed is None and time.monotonic() > end:
            break
        model = random_model(Random(each))
        outcome, differences = _tried(model) if model else ("not fitted", [])
        outcomes[outcome] += 1
        if differences:
            differing.append(each)
            with capsys.disabled():
                print(f"\n--parity-seed {each}", model, *differences[:MAX_SHOWN], sep="\n")
    with capsys.disabled():
        print(f"\n{dict(outcomes)}")
    assert not differing


def _tried(model: RandomModel) -> tuple[str, list[str]]:
    """Return what became of a model, in a word, and where its answers differ."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            packaged = PackagedAnswers(model.estimator, model.frame, Path(folder))
            differences = list(packaged.differences())
        except Refused:
            return "refused", []
        except Exception:
            return "failed", [traceback.format_exc()]
    return "compiled" if packaged.reason is None else "by the estimator", differences
