"""The queries of infrastructure/queries/ pass Microsoft's parser and are right on a real server's
log."""

import json
from datetime import datetime, timedelta

import numpy as np
import pytest

from kusto.envelope import MIDNIGHT, moments, traffic_log, workspace
from kusto.evaluator import Evaluator, Table
from kusto.logged import BYPASSED, CACHED, CLIENT, GOOD, OURS, Logged
from kusto.parser import FILES, PACKS, QUERIES, Query, parse
from kusto.scalars import NotSupportedError

WINDOW = timedelta(minutes=5)


def run(query: Query, tables: dict[str, Table], now: datetime = MIDNIGHT) -> Table:
    return Evaluator(tables, now).run(query.tree)


@pytest.mark.parametrize("name", FILES)
def test_queries_are_right_by_microsofts_parser(queries: dict[str, Query], name: str):
    """Syntax, functions, and each column of each table are valid."""
    assert queries[name].errors == []
    assert queries[name].columns


def test_both_packs_answer_the_same_questions():
    """Either table can hold the lines. Only a cluster says how many servers
    there should be."""
    pods, managed = (
        {name.split("/")[1] for name in FILES if name.startswith(pack)} for pack in PACKS
    )
    assert pods - {"InferenceFewReady"} == managed
    assert pods >= {"InferenceSLOMetrics", "InferenceErrorRate", "InferenceRequest"}


def test_the_parser_finds_what_is_wrong():
    """It finds an unknown column, an unknown function and a missing bracket."""
    wrong = {
        "column": "ContainerLogV2 | where LogEntry has 'x'",
        "function": "ContainerLogV2 | extend x = percent(1)",
        "syntax": "ContainerLogV2 | where (",
    }
    assert all(query.errors for query in parse(wrong).values())


@pytest.mark.parametrize("pack", PACKS)
def test_latency_is_what_numpy_says(queries: dict[str, Query], logged: Logged, pack: str):
    """Percentiles of answered requests are by five minutes. Kusto uses the nearest rank."""
    found = run(queries[f"{pack}/InferenceSLOMetrics"], logged.tables)
    expected = []
    for i, window in enumerate(logged.windows):
        took = [answer["duration_ms"] for answer in window if answer["status"] == 200]
        if took:
            took = took if pack == "containerlogv2" else [round(each) for each in took]
            ranks = np.percentile(took, [50, 95, 99], method="inverted_cdf")
            expected.append((MIDNIGHT + i * WINDOW, *ranks, len(took)))
    assert [
        tuple(row[name] for name in ("TimeGenerated", "P50", "P95", "P99", "Requests"))
        for row in found
    ] == expected
    assert sum(row[-1] for row in expected) == GOOD + CACHED + BYPASSED


@pytest.mark.parametrize("pack", PACKS)
def test_error_rates_blame_the_right_side(queries: dict[str, Query], logged: Logged, pack: str):
    """Our failures make the rate; clients' errors do not, even if Azure hid both behind a 424."""
    found = run(queries[f"{pack}/InferenceErrorRate"], logged.tables)
    status = np.array([[answer["status"] for answer in window] for window in logged.windows])
    ours, clients = (status >= 500).sum(axis=1), ((status >= 400) & (status < 500)).sum(axis=1)
    assert [row["Failures"] for row in found] == ours.tolist()
    assert [row["ClientErrors"] for row in found] == clients.tolist()
    assert [row["ErrorRate"] for row in found] == pytest.approx(
        100 * ours / np.maximum(status.shape[1] - clients, 1)
    )
    assert (ours.sum(), clients.sum()) == (OURS, CLIENT)
    if pack == "managed":
        assert [row["Failures424"] for row in found] == ours.tolist()
        assert [row["ClientErrors424"] for row in found] == clients.tolist()


@pytest.mark.parametrize("pack", PACKS)
def test_the_cache_hit_rate_is_what_clients_were_told(
    queries: dict[str, Query], logged: Logged, pack: str
):
    """The rate is that of the answers' metadata, by five minutes."""
    found = run(queries[f"{pack}/InferenceCacheHitRate"], logged.tables)
    told = [[answer.get("cache") for answer in window] for window in logged.windows]
    assert [row["Hits"] for row in found] == [window.count("hit") for window in told]
    assert sum(row["Hits"] for row in found) == CACHED
    assert [row["Bypasses"] for row in found] == [window.count("bypass") for window in told]
    assert sum(row["Bypasses"] for row in found) == BYPASSED
    assert [row["HitRate"] for row in found] == [
        100 * window.count("hit") / max(1, window.count("hit") + row["Misses"])
        for window, row in zip(told, found, strict=True)
    ]


@pytest.mark.parametrize("pack", PACKS)
def test_the_slowest_stage_stands_first(queries: dict[str, Query], logged: Logged, pack: str):
    """Percentiles of stages are those that numpy finds in the lines."""
    found = run(queries[f"{pack}/InferenceSlowestStages"], logged.tables)
    stages: dict[str, list[float]] = {}
    for line in logged.lines:
        for stage, took in line["stages"].items():
            stages.setdefault(stage, []).append(took)
    expected = {
        stage: [*np.percentile(took, [50, 95, 99], method="inverted_cdf"), len(took)]
        for stage, took in stages.items()
    }
    assert {
        row["Stage"]: [row[name] for name in ("P50", "P95", "P99", "Requests")] for row in found
    } == expected
    assert [row["SumMs"] for row in found] == pytest.approx(
        [sum(stages[row["Stage"]]) for row in found]
    )
    assert found[0]["Stage"] == "predict"
    assert [row["P95"] for row in found] == sorted((row["P95"] for row in found), reverse=True)


@pytest.mark.parametrize("pack", PACKS)
def test_one_request_is_found_in_all_logs(logged: Logged, pack: str):
    """Any of its ids finds its line, the endpoint's, the gateway's and its spans, oldest first, and
    no other request's."""
    line = logged.lines[7]
    at = MIDNIGHT + timedelta(hours=1)
    span = {"TimeGenerated": at, "Name": "predict", "ResultCode": "", "DurationMs": 1.5}
    tables = logged.tables | {
        "AppDependencies": [
            span | {"OperationId": line["trace"]},
            span | {"OperationId": logged.lines[8]["trace"]},
        ],
        "ApiManagementGatewayLogs": [
            {
                "TimeGenerated": at,
                "CorrelationId": id_,
                "ResponseCode": 200,
                "BackendResponseCode": 200,
                "TotalTime": 9,
            }
            for id_ in (line["request_id"], "another")
        ],
    }
    text = (QUERIES / f"{pack}/InferenceRequest.kql").read_text()
    ids = ("request_id", "client_request_id", "trace")
    asked = parse({key: text.replace("1699564800123-42", line[key]) for key in ids})
    own = "pod" if pack == "containerlogv2" else "instance"
    others = {"request_id": ["endpoint", "API"], "client_request_id": ["endpoint"], "trace": []}
    for key, query in asked.items():
        found = run(query, tables)
        beside = others[key] if pack == "managed" else []
        assert [row["Source"].split()[0] for row in found] == [own, *beside, "span"]
        assert json.loads(found[0]["Text"]) == line
        assert found[-1]["DurationMs"] == 1.5
    unlogged = workspace(AppRequests=[span | {"OperationId": line["trace"]}])
    assert [row["Source"] for row in run(asked["trace"], unlogged)] == ["span"]


def test_a_sampled_line_counts_for_those_it_stands_for(queries: dict[str, Query], logged: Logged):
    """Otherwise sampled successes beside errors, which are all logged, would look like an
    outage."""
    rows = [row for row in logged.tables["ContainerLogV2"] if isinstance(row["LogMessage"], dict)]
    requests = [row for row in rows if "request_id" in row["LogMessage"]]
    successes = [row for row in requests if row["LogMessage"]["status"] == 200]
    sampled = [row | {"LogMessage": row["LogMessage"] | {"weight": 10}} for row in successes[::10]]
    failures = [row for row in requests if row["LogMessage"]["status"] != 200]
    tables = workspace(ContainerLogV2=sampled + failures)
    by_window = run(queries["containerlogv2/InferenceErrorRate"], tables)
    assert sum(row["Requests"] for row in by_window) == len(requests)
    (burn,) = run(queries["containerlogv2/InferenceBurnRate1h"], tables, logged.end)
    assert (burn["Requests"], burn["Failures"]) == (len(requests) - CLIENT, OURS)
    (rate,) = run(
        queries["containerlogv2/InferenceErrorRate30m"], tables, MIDNIGHT + timedelta(minutes=29)
    )
    assert (rate["Requests"], rate["Failures"]) == (len(requests) - CLIENT, OURS)


@pytest.mark.parametrize(
    ("code", "model", "ours", "clients"),
    [
        ("200", 200, 0, 0),
        ("424", 422, 0, 1),
        ("424", 408, 0, 1),
        ("424", 500, 1, 0),
        ("424", 503, 1, 0),
        ("424", None, 1, 0),
        ("401", None, 0, 1),
        ("408", None, 1, 0),
        ("429", None, 1, 0),
        ("502", None, 1, 0),
        ("", None, 1, 0),
    ],
)
def test_who_is_to_blame_at_a_managed_endpoint(
    queries: dict[str, Query], code: str, model: int | None, ours: int, clients: int
):
    """The endpoint's code and the model's decide; requests that the platform cut off or refused for
    load are our failures."""
    row = traffic_log([{"status": 200, "duration_ms": 1, "request_id": "a"}], moments(WINDOW))[0]
    tables = workspace(
        AmlOnlineEndpointTrafficLog=[row | {"ResponseCode": code, "ModelStatusCode": model}]
    )
    (rate,) = run(queries["managed/InferenceErrorRate"], tables)
    assert (rate["Failures"], rate["ClientErrors"]) == (ours, clients)
    for name in ("InferenceBurnRate1h", "InferenceErrorRate30m"):
        burns = run(queries[f"managed/{name}"], tables, MIDNIGHT + WINDOW)
        assert [row["Failures"] for row in burns] == [ours] * (not clients)


def test_the_evaluator_refuses_what_it_does_not_know():
    """An unknown operator, aggregate, function, comparison or literal is an error, not a wrong
    result."""
    steps = [
        "take 5",
        "summarize dcount(PodName)",
        "extend x = toupper(PodName)",
        "where PodName hasprefix 'x'",
        "where PodName == 'x\\'s'",
        "mv-expand LogMessage",
    ]
    tables = workspace(ContainerLogV2=[{"PodName": "a", "LogMessage": {"b": 1}}])
    for query in parse({step: f"ContainerLogV2 | {step}" for step in steps}).values():
        assert query.errors == []
        with pytest.raises(NotSupportedError):
            run(query, tables)
