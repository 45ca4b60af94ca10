"""Verdicts on simulated requests: a sound deployment passes, a worse one is found, chance is taken
for neither."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.rollout.agreement import Agreement
from mlops.rollout.finding import Finding, Standing, breaches
from mlops.rollout.judge import judge
from mlops.rollout.request_tally import RequestTally
from mlops.rollout.rules import Rules
from mlops.slo import Slo
from mlops.traffic_blocks import Observation, blocks_of, latency_bins

RULES = Rules()
BLOCKS = 24
"""Four minutes of blocks."""


def tally(
    rng: np.random.Generator,
    requests: int,
    *,
    median: float = 20.0,
    failing: float = 0.0,
    refused: float = 0.0,
) -> RequestTally:
    """Latencies with a long tail, as those of services are, at an even rate."""
    statuses = rng.choice([200, 500, 400], requests, p=[1 - failing - refused, failing, refused])
    latencies = median * rng.lognormal(0, 0.5, requests)
    times = np.linspace(0, 10 * BLOCKS, requests, endpoint=False)
    drawn = zip(times, statuses, latencies, strict=True)
    return RequestTally.of(
        blocks_of(Observation(float(at), "green", int(status), ms) for at, status, ms in drawn)
    )


def spell(tally: RequestTally, begin_s: float, end_s: float, median: float) -> RequestTally:
    """The same requests, but slow for a while."""
    within = (tally.at >= begin_s) & (tally.at < end_s)
    histogram = np.zeros((tally.at.size, max(latency_bins(median) + 1, tally.histogram.shape[1])))
    histogram[:, : tally.histogram.shape[1]] = tally.histogram
    histogram[within] = 0
    histogram[within, latency_bins(median)] = tally.histogram[within].sum(axis=1)
    return replace(tally, histogram=histogram)


def breached(findings: list[Finding]) -> set[str]:
    return {finding.check for finding in findings if finding.standing is Standing.BREACH}


def verdict(
    new: RequestTally, old: RequestTally, agreement: Agreement | None = None, rules: Rules = RULES
) -> dict[str, Finding]:
    return {finding.check: finding for finding in judge(new, old, agreement, rules)}


def test_one_as_good_as_the_old_is_proven():
    """It needs enough requests."""
    rng = np.random.default_rng(1)
    assert _all_fine(judge(tally(rng, 600), tally(rng, 600), Agreement(100, 100), RULES))


def test_nothing_is_proven_with_few_requests():
    """This holds for each of the two."""
    rng = np.random.default_rng(2)
    for new, old in ((499, 5000), (5000, 499), (0, 0)):
        findings = judge(tally(rng, new), tally(rng, old), None, RULES)
        assert not _all_fine(findings)
        assert not breaches(findings)


def test_few_requests_are_enough_to_find_one_that_always_fails():
    """It is not left in service until there are more."""
    rng = np.random.default_rng(3)
    failures = [Observation(at, "green", 503, 1.0) for at in (0.0, 4.0, 12.0)]
    new = RequestTally.of(blocks_of(failures))
    assert verdict(new, tally(rng, 400))["outage"].standing is Standing.BREACH


@pytest.mark.parametrize("spells", [[(30, 60)], [(0, 30), (120, 150)], [(95, 125)]])
def test_slow_spells_are_not_a_worse_model(spells: list[tuple[float, float]]):
    """All of ten thousand requests were slow then; but either of the two might have had them."""
    rng = np.random.default_rng(12)
    new, old = tally(rng, 20_000), tally(rng, 20_000)
    for begin, end in spells:
        new = spell(new, begin, end, median=150.0)
    assert not breaches(judge(new, old, None, RULES))


def test_what_befalls_few_requests_is_found():
    """A hundredth that hang lie beyond the P99; the P99.9 shows them."""
    rng = np.random.default_rng(13)
    new, old = tally(rng, 5000), tally(rng, 5000)
    histogram = np.zeros((BLOCKS, latency_bins(30_000) + 1))
    histogram[:, : new.histogram.shape[1]] = new.histogram
    histogram[:, -1] = 2
    found = verdict(replace(new, histogram=histogram), old)
    assert found["P99.9 against the old one"].standing is Standing.BREACH
    assert found["P95 against the old one"].standing is Standing.FINE


def test_a_cold_start_is_not_a_slow_model():
    """What comes before the end of the warm-up counts for its own check only."""
    rng = np.random.default_rng(14)
    old, cold = tally(rng, 5000), spell(tally(rng, 5000), 0, 60, median=150.0)
    assert not breaches(judge(cold, old, None, RULES, warm_at=60))
    stuck = spell(cold, 0, 60, median=2000.0)
    assert breaches(judge(stuck, old, None, RULES, warm_at=60)) == [
        "P95 2006.6 ms in the warm-up (at most 500 ms)"
    ]


@pytest.mark.parametrize(
    ("check", "bad"),
    [("errors", {"failing": 0.04}), ("P95", {"median": 400.0}), ("warm-up", {"median": 900.0})],
)
def test_nobody_goes_back_to_one_that_is_as_bad(check: str, bad: dict[str, float]):
    """Both miss the SLO at the same time: the machine is busy, or what both call is down."""
    rng = np.random.default_rng(15)
    both = (tally(rng, 5000, **bad), tally(rng, 5000, **bad))
    findings = judge(*both, None, RULES, warm_at=120)
    assert not breaches(findings)
    assert {finding.check: finding for finding in findings}[check].text.endswith(
        "the old one is no better"
    )
    assert check in breached(judge(both[0], tally(rng, 5000), None, RULES, warm_at=120))
    assert check in breached(judge(both[0], None, None, RULES, warm_at=120))


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


def test_just_beyond_the_objective_is_suspect_once_there_are_many():
    """A few requests beyond it may be chance; many wait for more, and are no breach yet."""
    rng = np.random.default_rng(15)
    few, many = tally(rng, 600, failing=0.012), tally(rng, 20_000, failing=0.0116)
    assert verdict(few, few)["errors"].standing is Standing.FINE
    assert verdict(many, many)["errors"].standing is Standing.SUSPECT


def test_what_the_client_did_wrong_is_no_error_of_the_deployment():
    """Unless the old one takes what the new one refuses."""
    rng = np.random.default_rng(6)
    new, old = (tally(rng, 1000, refused=0.1) for _ in range(2))
    assert not breaches(judge(new, old, None, RULES))
    assert breaches(judge(new, tally(rng, 1000), None, RULES))[0].startswith("refusals")


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


@given(
    st.lists(
        st.tuples(
            st.floats(0, 300),
            st.sampled_from([0, 200, 400, 422, 429, 500, 503, 504]),
            st.floats(0, 1e6),
        ),
        max_size=60,
    )
)
def test_any_requests_can_be_judged(seen: list[tuple[float, int, float]]):
    """There may be none, one, or only failures. What is proven is never a breach too."""
    observed = RequestTally.of(
        blocks_of(Observation(at, "green", status, latency) for at, status, latency in seen)
    )
    findings = judge(observed, observed, None, Rules(Slo(), requests=1))
    assert not (breaches(findings) and _all_fine(findings))
    answered = observed.histogram.sum()
    assert observed.total == len(seen)
    assert observed.total == observed.failed.sum() + observed.refused.sum() + answered


def _all_fine(findings: list[Finding]) -> bool:
    return all(each.standing in (Standing.FINE, Standing.UNCHECKED) for each in findings)


def test_short_steps_have_fewer_blocks():
    """Steps of five minutes are judged by four blocks at least, steps of seconds by one."""
    assert RULES.paced(300) == RULES
    assert RULES.paced(60).min_blocks == 2
    rng = np.random.default_rng(16)
    new, old = (tally(rng, 600).until(10) for _ in range(2))
    standings = {each.standing for each in judge(new, old, None, RULES.paced(0))}
    assert standings == {Standing.FINE, Standing.UNCHECKED, Standing.OPEN}  # 25 requests
