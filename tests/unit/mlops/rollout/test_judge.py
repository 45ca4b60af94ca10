"""Verdicts on simulated requests: a sound deployment passes, a worse one is found, chance is taken
for neither."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.rollout.agreement import Agreement
from mlops.rollout.judge import Finding, Rules, Standing, breaches, judge, proven
from mlops.rollout.request_tally import RequestTally
from mlops.slo import Slo
from mlops.traffic_blocks import Observation, blocks_of

RULES = Rules()


def tally(
    rng: np.random.Generator, requests: int, *, median: float = 20.0, failing: float = 0.0
) -> RequestTally:
    """Latencies with a long tail, as those of services are."""
    latencies = median * rng.lognormal(0, 0.5, requests)
    failed = int((rng.random(requests) < failing).sum())
    return RequestTally(requests, failed, 0, latencies[failed:])


def verdict(
    new: RequestTally, old: RequestTally, agreement: Agreement | None = None, rules: Rules = RULES
) -> dict[str, Finding]:
    return {finding.check: finding for finding in judge(new, old, agreement, rules)}


def test_one_as_good_as_the_old_is_proven():
    """It needs enough requests."""
    rng = np.random.default_rng(1)
    assert proven(judge(tally(rng, 600), tally(rng, 600), Agreement(100, 100), RULES))


def test_nothing_is_proven_with_few_requests():
    """This holds for each of the two."""
    rng = np.random.default_rng(2)
    for new, old in ((499, 5000), (5000, 499), (0, 0)):
        findings = judge(tally(rng, new), tally(rng, old), None, RULES)
        assert not proven(findings)
        assert not breaches(findings)


def test_few_requests_are_enough_to_find_one_that_always_fails():
    """It is not left in service until there are more."""
    rng = np.random.default_rng(3)
    new = RequestTally(4, 4, 0, np.array([]))
    assert verdict(new, tally(rng, 400))["errors"].standing is Standing.BREACH


@pytest.mark.parametrize(
    ("check", "worse"),
    [
        ("errors", {"failing": 0.04}),
        ("errors against the old one", {"failing": 0.04}),
        ("P95", {"median": 120.0}),
        ("P99", {"median": 220.0}),
        ("P95 against the old one", {"median": 50.0}),
    ],
)
def test_a_worse_one_is_found(check: str, worse: dict[str, float]):
    """The check that is made for it finds it."""
    rng = np.random.default_rng(4)
    assert verdict(tally(rng, 1000, **worse), tally(rng, 1000))[check].standing is Standing.BREACH


def test_a_little_slower_is_allowed():
    """The new one may be as much slower as the rules say, and no more."""
    rng = np.random.default_rng(5)
    new, old = tally(rng, 3000, median=30.0), tally(rng, 3000, median=20.0)
    assert (
        verdict(new, old, rules=Rules(slower_by=0.5))["P95 against the old one"].standing
        is Standing.FINE
    )
    strict = Rules(slower_by=0.0, slower_by_ms=0.0)
    assert verdict(new, old, rules=strict)["P95 against the old one"].standing is Standing.BREACH


def test_just_beyond_the_objective_is_neither_proven_nor_a_breach():
    """More requests will tell."""
    new, old = (
        RequestTally(500, 6, 0, np.full(494, 20.0)),
        RequestTally(500, 6, 0, np.full(494, 20.0)),
    )
    assert verdict(new, old)["errors"].standing is Standing.OPEN


def test_what_the_client_did_wrong_is_no_error_of_the_deployment():
    """Unless the old one takes what the new one refuses."""
    rng = np.random.default_rng(6)
    new, old = (RequestTally(1000, 0, 100, tally(rng, 900).latencies) for _ in range(2))
    assert not breaches(judge(new, old, None, RULES))
    assert breaches(judge(new, tally(rng, 1000), None, RULES))[0].startswith(
        "refusals 10.00% against 0.00%"
    )


@pytest.mark.parametrize(
    ("agreement", "standing"),
    [
        (Agreement(200, 200), Standing.FINE),
        (Agreement(150, 200), Standing.BREACH),
        (Agreement(192, 200), Standing.OPEN),
        (None, Standing.UNCHECKED),
    ],
)
def test_predictions_are_judged_by_what_their_interval_decides(
    agreement: Agreement | None, standing: Standing
):
    """Rows that leave it open are no proof, and no breach."""
    rng = np.random.default_rng(7)
    assert verdict(tally(rng, 600), tally(rng, 600), agreement)["predictions"].standing is standing


@pytest.mark.slow
def test_chance_alone_hardly_ever_ends_a_rollout():
    """Two hundred rollouts of twins, each looked at ten times while requests come in: one breach at
    most."""
    rng = np.random.default_rng(8)
    broken = 0
    for _ in range(200):
        new, old = tally(rng, 1000, failing=0.005), tally(rng, 1000, failing=0.005)
        looks = (_first(new, n) for n in range(100, 1001, 100))
        broken += any(
            breaches(judge(look, _first(old, look.requests), None, RULES)) for look in looks
        )
    assert broken <= 1


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 200, 400, 422, 429, 500, 503, 504]), st.floats(0, 1e6)),
        max_size=60,
    )
)
def test_any_requests_can_be_judged(seen: list[tuple[int, float]]):
    """There may be none, one, or only failures. What is proven is never a breach too."""
    observed = RequestTally.of(
        blocks_of(Observation(0.0, "green", status, latency) for status, latency in seen)
    )
    findings = judge(observed, observed, None, Rules(Slo(), requests=1))
    assert not (breaches(findings) and proven(findings))
    assert (
        observed.requests
        == len(seen)
        == observed.failed + observed.refused + len(observed.latencies)
    )


def _first(whole: RequestTally, requests: int) -> RequestTally:
    """The first of them, failures spread evenly."""
    failed = whole.failed * requests // whole.requests
    return RequestTally(requests, failed, 0, whole.latencies[: requests - failed])
