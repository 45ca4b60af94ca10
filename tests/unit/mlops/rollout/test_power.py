"""What a rollout could prove is known before it begins."""

import numpy as np

from mlops.rollout.plan import Plan, steps
from mlops.rollout.power import Usual, lines
from mlops.rollout.rules import Rules
from mlops.traffic_blocks import latency_bins

HISTOGRAM = np.bincount(latency_bins(20 * np.random.default_rng(0).lognormal(0, 0.3, 100_000)))
PLAN, RULES = Plan("blue", "green", steps()), Rules()


def found(rate: float) -> dict[str, str]:
    usual = Usual(rate, 0.001, HISTOGRAM / HISTOGRAM.sum())
    return dict(line.split(": ") for line in lines(usual, PLAN, RULES)[1:])


def test_more_traffic_finds_more_and_sooner():
    """One point of errors in minutes, small slowdowns never."""
    few, many = found(10), found(100)
    assert few["errors +1 points"] == "found in 10 min, at mirror 10 %"
    assert many["errors +1 points"] == "found in 2 min, at mirror 10 %"
    assert few["latency x1.3"] == many["latency x1.3"] == "never found"


def test_little_traffic_can_prove_little():
    """It says so, with the time that the wanted requests take."""
    assert found(1)["500 requests to each deployment"] == "83 min in the slowest step"
    assert found(0.01)["errors +1 points"] == "never found"
    assert found(0.01)["500 requests to each deployment"] == "more than a day in the slowest step"
