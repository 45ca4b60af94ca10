"""How reliable the alerts are: what is simulated is what is deployed, and each keeps its budget of
docs/slo.md."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from deploy import alert_rates, log_alerts
from deploy.alert_firing import MINUTE
from deploy.alert_names import LOG_ALERTS, METRIC_ALERTS, PROMETHEUS_ALERTS, alert_names
from deploy.alert_outages import READY, aks, managed, on_azure, on_prometheus, restarts
from deploy.alert_rates import Fires, azure, false_fires, fires_after, page_after, prometheus
from deploy.checkout import REPOSITORY
from deploy.prometheus_run import counter, firing
from deploy.promql import Prometheus, Traffic
from kusto.envelope import MIDNIGHT, container_log, gateway_log, workspace
from kusto.evaluator import Evaluator
from kusto.parser import Query

SLO = (REPOSITORY / "docs" / "slo.md").read_text()
OBSERVABILITY = (REPOSITORY / "docs" / "observability.md").read_text()
SHARES = tuple(alert_rates.HALF)
JOB = 'job="scoring"'


def services(minutes: int) -> Traffic:
    """Return services that are well, then fail and are slow, then are well again."""
    random = np.random.default_rng(3)
    rates = np.array([1, 5, 60, 600])[:, None]
    bad = np.where((np.arange(minutes) >= 40) & (np.arange(minutes) < 70), 1.0, 0.02)
    requests = random.poisson(rates, (4, minutes))
    failed = random.binomial(requests, bad * np.array([0.6, 0.2, 0.03, 0.012])[:, None])
    slow = random.binomial(requests - failed, 0.2 * bad)
    return Traffic(requests - failed, failed, slow, random.binomial(slow, 0.5))


@pytest.fixture(scope="module")
def given() -> Traffic:
    return services(120)


def test_the_rules_fire_as_promtool_says(given: Traffic):
    """The simulation's rules and those that Prometheus runs fire in the same minutes."""
    looks = range(10, 121, 5)
    fired = []
    for service in (0, 2):
        ok, failed, slow, stuck = (each[service] for each in vars(given).values())
        buckets = {"+Inf": ok, "0.2": ok - slow, "0.5": ok - stuck}
        series = {
            f'scoring_requests_total{{{JOB}, outcome="ok"}}': counter(ok),
            f'scoring_requests_total{{{JOB}, outcome="internal_error"}}': counter(failed),
            f"scoring_non_finite_total{{{JOB}}}": counter(failed),
            f"scoring_rows_total{{{JOB}}}": counter(ok + failed),
        } | {
            f'scoring_duration_seconds_bucket{{{JOB}, stage="request", le="{le}"}}': counter(count)
            for le, count in buckets.items()
        }
        rules = Prometheus(given)
        expected = {
            name: {look for look in looks if rules.firing(name)[service, look - 1]}
            for name in SHARES
        }
        assert firing(series, looks, SHARES) == expected
        fired += [name for name, when in expected.items() if 0 < len(when) < len(looks)]
    assert set(fired) == set(SHARES)


def lines(given: Traffic, service: int, until: int) -> list[dict[str, object]]:
    """Return weighted lines of pods: for each minute one for all requests of a kind."""
    found = []
    for minute in range(until):
        ok, failed, slow, stuck = (int(each[service, minute]) for each in vars(given).values())
        for count, status, took in (
            (ok - slow, 200, 20),
            (slow - stuck, 200, 300),
            (stuck, 200, 900),
            (failed, 500, 20),
        ):
            line = {"status": status, "duration_ms": took, "weight": count, "request_id": "a"}
            at = MIDNIGHT + minute * MINUTE + MINUTE / 2
            found += container_log([json.dumps(line)], iter([at])) if count else []
    return found


@pytest.mark.parametrize("name", [name for name in SHARES if name != "InferenceNonFinite"])
def test_the_queries_measure_what_is_simulated(
    queries: dict[str, Query], given: Traffic, name: str
):
    """Each query of pods finds the value that the simulation compares with the threshold."""
    late, found = 3, []
    query = queries[f"containerlogv2/{LOG_ALERTS[name]['query']}"]
    for service, look in ((0, 60), (1, 75), (2, 50), (3, 60), (2, 100)):
        rows = lines(given, service, look - late)
        (row,) = Evaluator(workspace(ContainerLogV2=rows), MIDNIGHT + look * MINUTE).run(query.tree)
        expected = log_alerts.measured(log_alerts.sums(given, name, np.array([look]), late), name)[
            service, 0
        ]
        assert row[LOG_ALERTS[name]["column"]] == pytest.approx(expected, rel=1e-6, abs=1e-9)
        found.append(expected)
    assert max(found) > 0


def test_the_packs_have_the_same_constants():
    """So that what holds for one holds for all."""
    folder = REPOSITORY / "infrastructure" / "queries"
    names = (
        "InferenceErrorRate30m",
        "InferenceSlow30m",
        *(f"InferenceBurnRate{w}" for w in ("1h", "6h", "2d")),
    )
    for name in names:
        constants = [
            log_alerts.LET.findall((folder / pack / f"{name}.kql").read_text())
            for pack in ("managed", "containerlogv2")
        ]
        assert constants[0] == constants[1] != []
    gateway = (folder / "gateway" / "GatewayFailures30m.kql").read_text()
    assert dict(log_alerts.LET.findall(gateway)) == log_alerts.lets("InferenceErrorRate30m")


def test_the_gateways_query_has_the_same_bound(queries: dict[str, Query]):
    """What half an hour of its log proves is what the simulation's rule says."""
    answers = [
        {"status": 500 if i % 12 == 0 else 200, "backend": 500 if i % 12 == 0 else 200}
        for i in range(360)
    ]
    arrivals = (MIDNIGHT + i * timedelta(seconds=5) for i in range(360))
    tables = workspace(ApiManagementGatewayLogs=gateway_log(answers, arrivals))
    query = queries["gateway/GatewayFailures30m"]
    (row,) = Evaluator(tables, MIDNIGHT + 30 * MINUTE).run(query.tree)
    counts = tuple(map(np.array, (360, 30, 60, 5)))
    expected = log_alerts.measured(counts, "InferenceErrorRate")
    assert row["FailedAtLeast"] == pytest.approx(float(expected), rel=0.1)


def platforms(name: str) -> list[Callable[[str], Fires]]:
    """Return Prometheus and Azure; what is not finite is no column of the simulated logs."""
    return [prometheus] if name == "InferenceNonFinite" else [prometheus, azure]


@pytest.mark.parametrize("name", SHARES)
def test_half_of_what_is_allowed_fires_once_a_month_at_most(name: str):
    """From one request a minute to a thousand a second."""
    for platform in platforms(name):
        for rate in alert_rates.TRAFFIC.values():
            assert false_fires(name, platform, rate, months=1) <= 1


@pytest.mark.parametrize("name", SHARES)
def test_a_fault_fires_in_its_time(name: str):
    """The faults and minutes of the page's table, at a request a second."""
    for platform in platforms(name):
        assert np.isfinite(fires_after(name, platform, 5)).all()


def test_a_full_outage_rings_however_late_the_lines_are():
    """It fires in every phase of Azure's looks, with lines up to eight minutes late, in fifteen
    minutes; on Prometheus in two."""
    for late in range(9):
        assert page_after(60, 1.0, 5, late).max() <= 15
    assert page_after(60, 1.0, 5).max() <= 2


def test_six_hours_of_flapping_are_one_fault():
    """Two pages at most, one of each alert that wakes somebody."""
    for platform in (prometheus, azure):
        assert alert_rates.flapping(platform, 3) <= 2


def test_an_alert_ends_soon_where_no_request_follows():
    """A page does not go on for hours because nobody asks."""
    for platform in (prometheus, azure):
        assert alert_rates.ends_after(platform) <= 45


def test_no_ready_server_rings_on_all_platforms(queries: dict[str, Query]):
    """On Prometheus after five minutes; on AKS and managed endpoints in a quarter of an hour, in
    every phase of Azure's looks, with rows that are five minutes late."""
    ready = READY["no server is ready"]
    assert on_prometheus(ready)["InferenceNotReady"] <= 6
    for pack, tables in (("containerlogv2", aks), ("managed", managed)):
        query = queries[f"{pack}/InferenceNotReady"]
        assert max(on_azure("InferenceNotReady", query, tables(ready), late=5)) <= 15
    assert on_prometheus(READY["a rolling update"]) == {}
    assert restarts() == set()


def test_the_page_has_each_alert_with_its_budget():
    """False alarms a month, and minutes to the alert; docs/observability.md has that of drift."""
    listed = re.findall(r"^\| `(\w+)` \| \d \| [\d.]+ \| ", SLO, re.MULTILINE)
    assert sorted(listed) == sorted(alert_names() - {"InferenceDrift"})


def test_tables_are_written_between_their_marks():
    """`make signals` writes them again and leaves the rest of the page."""
    assert alert_rates.written(SLO, "new").count("new") >= 1
    before, rest = SLO.split(alert_rates.BEGIN)
    assert alert_rates.written(SLO, "new") == (
        f"{before}{alert_rates.BEGIN}\nnew\n{alert_rates.END}{rest.split(alert_rates.END)[1]}"
    )


def test_the_page_lists_every_alert_with_its_severity():
    """The page lists no alert that does not exist."""
    listed = {}
    for line in OBSERVABILITY.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`") and cells[3].isdigit():
            listed |= {name.strip("` "): int(cells[3]) for name in cells[0].split(", ")}
    severities = {name: alert["severity"] for name, alert in (LOG_ALERTS | METRIC_ALERTS).items()}
    rules = {name: int(rule["labels"]["severity"]) for name, rule in PROMETHEUS_ALERTS.items()}
    assert listed.keys() == alert_names()
    assert listed == rules | severities == severities | rules


def test_the_probe_is_let_in_and_asks_the_service():
    """kubernetes/probe/ asks the Service's readiness, and its job is the one of the alert."""
    folder: Path = REPOSITORY / "kubernetes" / "probe"
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    service = (REPOSITORY / "kubernetes" / "base" / "service.yaml").read_text()
    name, port = re.findall(r"name: ([\w-]+)\n", service)[0], re.findall(r"port: (\d+)", service)[0]
    assert f"http://{name}:{port}/readiness" in texts["pod-monitor.yaml"]
    assert 'ml-inference/client: "true"' in texts["deployment.yaml"]
    assert (
        'ml-inference/client: "true"'
        in (REPOSITORY / "kubernetes" / "base" / "network-policy.yaml").read_text()
    )
    asked = PROMETHEUS_ALERTS["InferenceProbeFailing"]["expr"]
    (pattern,) = set(re.findall(r'job=~"([^"]+)"', asked))
    (monitor,) = re.findall(r"^  name: (.+)$", texts["pod-monitor.yaml"], re.MULTILINE)
    assert re.fullmatch(pattern, f"podMonitor/ml-inference/{monitor}")
