"""When the alerts on latency and failures fire, on rows as the tables have them."""

from datetime import timedelta
from typing import Any

import pytest

from deploy.alert_firing import MINUTE, SECOND, fires, fires_on, requests
from deploy.alert_names import LOG_ALERTS
from kusto.envelope import MIDNIGHT, gateway_log, moments
from kusto.parser import PACKS, Query

FAST, SLOW, STUCK, FAILED, REFUSED = (200, 20.0), (200, 250.0), (200, 900.0), (500, 5.0), (422, 1.0)


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("InferenceLatencyP95", [FAST] * 96 + [SLOW] * 4, [FAST] * 70 + [SLOW] * 30),
        ("InferenceLatencyP99", [FAST] * 90 + [SLOW] * 10, [FAST] * 70 + [STUCK] * 30),
    ],
)
def test_slow_answers_ring_when_chance_does_not_explain_them(
    queries: dict[str, Query],
    pack: str,
    name: str,
    good: list[tuple[int, float]],
    bad: list[tuple[int, float]],
):
    """Three tenths too slow fire within five minutes, beside refusals or not, until five minutes
    after; what the objective allows does not."""
    query = queries[f"{pack}/InferenceSlow30m"]
    for windows, expected in (
        ([bad], True),
        ([bad + [REFUSED] * 400], True),
        ([good, good, bad], True),
        ([bad, bad, good], False),
        ([good] * 6, False),
    ):
        answers = [answer for window in windows for answer in window]
        apart = 5 * MINUTE * len(windows) / len(answers)
        rows = requests(pack, answers, apart)
        assert fires(name, query, rows, MIDNIGHT + len(windows) * 5 * MINUTE) is expected


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    ("name", "share", "hours"),
    [
        ("InferenceErrorBudget1h", 25, 1),
        ("InferenceErrorBudget6h", 60, 6),
        ("InferenceErrorBudget2d", 100, 48),
    ],
)
def test_a_burning_error_budget_is_told_while_it_burns(
    queries: dict[str, Query], pack: str, name: str, share: int, hours: int
):
    """4, 1.7 and 1 per cent of failures fire until soon after they end; a tenth of that does
    not."""
    query = queries[f"{pack}/{LOG_ALERTS[name]['query']}"]
    count = 1200
    apart = timedelta(hours=hours) / count
    short = count // 12

    def after(answers: list[tuple[int, float]]) -> bool:
        return fires(name, query, requests(pack, answers, apart), MIDNIGHT + len(answers) * apart)

    burning = [FAILED if i % share == 0 else FAST for i in range(count)]
    smouldering = [FAILED if i % (10 * share) == 0 else FAST for i in range(count)]
    assert after(burning)
    assert not after(smouldering)
    assert not after([FAST] * (count - 1) + [FAILED])
    assert not after(burning[: count - short] + [FAST] * (short + 1))


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    ("requests_in_all", "failures", "rings"),
    [
        (120, 2, False),
        (7, 7, True),
        (4, 4, False),
        (120, 9, False),
        (120, 12, True),
        (3000, 50, False),
        (3000, 60, True),
    ],
)
def test_failures_ring_when_chance_does_not_explain_them(
    queries: dict[str, Query], pack: str, requests_in_all: int, failures: int, rings: bool
):
    """Within half an hour two failures of 120 do not fire; seven of seven do, and so do two per
    cent of many."""
    query = queries[f"{pack}/InferenceErrorRate30m"]
    spread = [
        (i + 1) * failures // requests_in_all > i * failures // requests_in_all
        for i in range(requests_in_all)
    ]
    answers = [FAILED if bad else FAST for bad in spread]
    rows = requests(pack, answers, 30 * MINUTE / requests_in_all)
    assert fires("InferenceErrorRate", query, rows, MIDNIGHT + 30 * MINUTE - SECOND) is rings


@pytest.mark.parametrize("pack", PACKS)
def test_failures_that_have_ended_ring_no_longer(queries: dict[str, Query], pack: str):
    """Five good minutes stop the alert, though the half hour still has the failures. Refusals never
    fire."""
    query = queries[f"{pack}/InferenceErrorRate30m"]
    outage = [FAILED] * 60
    for answers, rings in (
        ([FAST] * 60 + outage, True),
        (outage + [FAST] * 61, False),
        ([REFUSED] * 120, False),
    ):
        rows = requests(pack, answers, 5 * SECOND)
        assert (
            fires("InferenceErrorRate", query, rows, MIDNIGHT + len(answers) * 5 * SECOND) is rings
        )


GOOD, MODELS, REFUSED_KEY = (
    {"status": 200, "backend": 200},
    {"status": 500, "backend": 424},
    {"status": 401, "backend": None},
)
REFUSED_INPUT, OVERLOADED = {"status": 422, "backend": 424}, {"status": 429, "backend": 429}
TOO_OFTEN = {"status": 429, "backend": None, "reason": "RateLimitExceeded"}
NO_STATUS = {"status": 424, "backend": 424}
UNREACHED = {"status": 502, "backend": None, "reason": "BackendConnectionFailure"}
BROKEN = {"status": 503, "backend": 0}


@pytest.mark.parametrize(
    ("answers", "failing", "unreachable"),
    [
        ([GOOD] * 118 + [MODELS] * 2, False, False),
        ([GOOD] * 100 + [MODELS] * 20, True, False),
        ([GOOD] * 100 + [OVERLOADED] * 20, True, False),
        ([GOOD] * 100 + [NO_STATUS] * 20, True, False),
        ([GOOD] * 100 + [UNREACHED] * 20, True, True),
        ([GOOD] * 100 + [BROKEN] * 20, True, True),
        ([GOOD] * 60 + [REFUSED_INPUT] * 30 + [TOO_OFTEN] * 30, False, False),
        ([REFUSED_KEY] * 1000 + [UNREACHED] * 7, True, True),
        ([UNREACHED] * 4, False, False),
        ([UNREACHED] * 60 + [GOOD] * 120, False, False),
    ],
)
def test_the_gateway_rings_by_what_clients_see(
    queries: dict[str, Query], answers: list[dict[str, Any]], failing: bool, unreachable: bool
):
    """Failures fire, and those without an answer from an endpoint have an alert of their own;
    clients' errors never fire."""
    apart = 15 * MINUTE / len(answers)
    tables = {"ApiManagementGatewayLogs": gateway_log(answers, moments(apart))}
    now = MIDNIGHT + 15 * MINUTE
    for name, rings in (("GatewayFailing", failing), ("GatewayBackendUnreachable", unreachable)):
        assert fires_on(name, queries["gateway/GatewayFailures30m"], tables, now) is rings
