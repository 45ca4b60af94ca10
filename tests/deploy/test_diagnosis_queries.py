"""The queries of the runbook's diagnosis, run over a real server's log."""

import json
from datetime import timedelta

import numpy as np
import pytest

from kusto.envelope import MIDNIGHT, console_log, container_log, moments, traffic_log, workspace
from kusto.evaluator import Evaluator, Table
from kusto.logged import OURS, Logged
from kusto.parser import PACKS, Query

WINDOW = timedelta(minutes=5)
PLACE = {"containerlogv2": "Pod", "managed": "Instance"}
STAGES = {
    "read": "Read",
    "validate": "Validate",
    "queue": "Queue",
    "predict": "Predict",
    "cache": "Cache",
    "serialise": "Serialise",
}

each_pack = pytest.mark.parametrize("pack", PACKS)


def run(query: Query, tables: dict[str, Table]) -> Table:
    return Evaluator(tables, MIDNIGHT).run(query.tree)


def tables_of(lines: list[str]) -> dict[str, Table]:
    """Return one line a minute, in both tables."""
    return workspace(
        ContainerLogV2=container_log(lines, moments(timedelta(minutes=1))),
        AmlOnlineEndpointConsoleLog=console_log(lines, moments(timedelta(minutes=1))),
    )


@each_pack
def test_failures_have_their_code_and_requests_to_look_at(
    queries: dict[str, Query], logged: Logged, pack: str
):
    """Rows are by 5 minutes, deployment, version and code, the newest first, with the pods and a
    few ids."""
    found = run(queries[f"{pack}/InferenceFailures"], logged.tables)
    failed = {line["request_id"]: line for line in logged.lines if line["status"] >= 500}
    assert sum(row["Failures"] for row in found) == len(failed) == OURS
    assert [row["TimeGenerated"] for row in found] == sorted(
        (row["TimeGenerated"] for row in found), reverse=True
    )
    for row in found:
        assert 1 <= len(row["RequestIds"]) <= 3
        assert {failed[id_]["code"] for id_ in row["RequestIds"]} == {row["Code"]}
        assert {failed[id_]["model_version"] or "" for id_ in row["RequestIds"]} == {row["Version"]}
        assert (row["Deployment"], len(row[f"{PLACE[pack]}s"])) == ("blue", 1)


@each_pack
def test_refusals_for_load_are_counted_by_reason(queries: dict[str, Query], pack: str):
    """The runbook says what to do about each."""
    reasons = ("queue", "queue", "memory", None)
    lines = [
        {"request_id": str(i), "duration_ms": 1.0, "status": 503, "code": "overloaded"}
        | ({"reason": reason} if reason else {"code": "not_ready"})
        for i, reason in enumerate(reasons)
    ]
    found = run(
        queries[f"{pack}/InferenceFailures"], tables_of([json.dumps(line) for line in lines])
    )
    assert {(row["Code"], row["Reason"]): row["Failures"] for row in found} == {
        ("overloaded", "queue"): 2,
        ("overloaded", "memory"): 1,
        ("not_ready", ""): 1,
    }


@each_pack
@pytest.mark.parametrize("query", ["InferenceErrorRate", "InferenceByDeployment"])
def test_refusals_for_load_are_failures_of_ours_with_429_too(
    queries: dict[str, Query], pack: str, query: str
):
    """SCORING_OVERLOAD_STATUS changes what clients get, and no alert."""
    statuses = (200, 422, 429, 503)
    lines = [
        {"request_id": str(i), "duration_ms": 1.0, "status": status, "deployment": "blue"}
        for i, status in enumerate(statuses)
    ]
    tables = tables_of([json.dumps(line) for line in lines])
    tables["AmlOnlineEndpointTrafficLog"] = traffic_log(lines, moments(timedelta(minutes=1)))
    (found,) = run(queries[f"{pack}/{query}"], tables)
    assert (found["Requests"], found["Failures"]) == (4, 2)


def test_what_the_endpoint_itself_refused_is_among_the_failures(queries: dict[str, Query]):
    """The servers logged nothing of these: 502, a timeout, a request refused for load, no answer at
    all."""
    answers = [{"status": 200, "duration_ms": 1, "request_id": str(i)} for i in range(6)]
    rows = traffic_log(answers, moments(timedelta(seconds=1)))
    codes = [("200", 200), ("424", 500), ("401", None), ("502", None), ("429", None), ("", None)]
    for row, (code, model) in zip(rows, codes, strict=True):
        row.update(ResponseCode=code, ModelStatusCode=model, ResponseCodeReason="because")
    found = run(queries["managed/InferenceFailures"], workspace(AmlOnlineEndpointTrafficLog=rows))
    assert {row["Code"]: row["RequestIds"] for row in found} == {
        "endpoint 502 because": ["3"],
        "endpoint 429 because": ["4"],
        "endpoint 0 because": ["5"],
    }


@each_pack
def test_slow_requests_say_where_their_time_went_and_how_large_they_were(
    queries: dict[str, Query], logged: Logged, pack: str
):
    """The hundred slowest requests, slowest first, have their stages, rows and bytes."""
    found = run(queries[f"{pack}/InferenceSlowRequests"], logged.tables)
    slowest = sorted((line["duration_ms"] for line in logged.lines), reverse=True)[:100]
    assert [row["DurationMs"] for row in found] == slowest
    lines = {line["request_id"]: line for line in logged.lines}
    for row in found:
        line = lines[row["RequestId"]]
        assert {
            stage: row[column] for stage, column in STAGES.items() if row[column] is not None
        } == line["stages"]
        shown = {"Rows": "rows", "BytesIn": "bytes_in", "BytesOut": "bytes_out", "Status": "status"}
        assert {row[column] == line.get(field) for column, field in shown.items()} == {True}
        assert (row["Deployment"], row["Version"]) == ("blue", line["model_version"] or "")


@each_pack
def test_it_shows_whether_it_began_with_the_new_deployment(
    queries: dict[str, Query], logged: Logged, pack: str
):
    """Requests, failures and P95 are by 5 minutes, deployment and version: green's failures are not
    blue's."""
    half = len(logged.lines) // 2
    lines = [
        line
        | {"deployment": "blue" if i < half else "green", "model_version": "1" if i < half else "2"}
        for i, line in enumerate(logged.lines)
    ]
    tables = tables_of([json.dumps(line) for line in lines])
    for i, row in enumerate(tables["AmlOnlineEndpointConsoleLog"]):
        row["DeploymentName"] = lines[i]["deployment"]
    found = run(queries[f"{pack}/InferenceByDeployment"], tables)
    for name, version, own in (("blue", "1", lines[:half]), ("green", "2", lines[half:])):
        rows = [row for row in found if row["Deployment"] == name]
        assert {row["Version"] for row in rows} == {version}
        assert sum(row["Requests"] for row in rows) == len(own)
        assert sum(row["Failures"] for row in rows) == sum(line["status"] >= 500 for line in own)
    first = lines[:5]
    assert found[0]["TimeGenerated"] == MIDNIGHT
    answered = [line["duration_ms"] for line in first if line["status"] == 200]
    assert found[0]["P95"] == np.percentile(answered, 95, method="inverted_cdf")
    predict = [line["stages"]["predict"] for line in first if "predict" in line["stages"]]
    assert found[0]["PredictP95"] == np.percentile(predict, 95, method="inverted_cdf")


@each_pack
def test_events_are_what_servers_said_beside_requests(
    queries: dict[str, Query], logged: Logged, pack: str
):
    """The newest event, such as a failed start, comes first; lines of requests and of other
    programs are left out."""
    sentence = {"level": "critical", "message": "The model's folder is empty."}
    warned = {
        "level": "warning",
        "message": "Redis failed (TimeoutError), scoring goes on without it.",
    }
    texts = [
        json.dumps(logged.lines[0]),
        json.dumps(sentence),
        "Listening at: http://0.0.0.0:31311",
        json.dumps(warned),
    ]
    tables = tables_of(texts)
    found = run(queries[f"{pack}/InferenceEvents"], tables)
    assert [(row["Level"], row["Text"]) for row in found] == [
        ("warning", warned["message"]),
        ("critical", sentence["message"]),
    ]
    started = run(queries[f"{pack}/InferenceEvents"], logged.tables)
    assert started
    assert not {row["Text"] for row in started} & {line["message"] for line in logged.lines}


def test_events_of_a_managed_endpoint_hold_what_the_platform_did(queries: dict[str, Query]):
    """Failed probes and restarted containers stand between the server's own lines."""
    event = {
        "TimeGenerated": MIDNIGHT,
        "DeploymentName": "green",
        "InstanceId": "instance-0",
        "Name": "ReadinessProbeFailed",
        "Message": "502",
    }
    (row,) = run(queries["managed/InferenceEvents"], workspace(AmlOnlineEndpointEventLog=[event]))
    assert (row["Source"], row["Text"]) == ("green instance-0", "ReadinessProbeFailed: 502")


def test_events_of_other_namespaces_are_left_out(queries: dict[str, Query]):
    """Other services write JSON with a level too."""
    rows = container_log([json.dumps({"level": "error", "message": "Not ours."})], moments(WINDOW))
    tables = workspace(ContainerLogV2=[row | {"PodNamespace": "kube-system"} for row in rows])
    assert run(queries["containerlogv2/InferenceEvents"], tables) == []


def test_the_gateways_failures_have_their_reason(queries: dict[str, Query]):
    """Rows have the client's status, the backend's, and ids to look up."""
    row = {
        "TimeGenerated": MIDNIGHT,
        "ApiId": "inference",
        "ResponseCode": 502,
        "BackendResponseCode": None,
        "LastErrorReason": "BackendConnectionFailure",
        "BackendTime": 20,
        "CorrelationId": "a",
    }
    tables = workspace(ApiManagementGatewayLogs=[row, row | {"CorrelationId": "b"}])
    (found,) = run(queries["gateway/GatewayFailuresByReason"], tables)
    assert (found["Failures"], found["CorrelationIds"], found["BackendP95"]) == (2, ["a", "b"], 20)
    assert (found["ResponseCode"], found["LastErrorReason"]) == (502, "BackendConnectionFailure")


@pytest.mark.parametrize(
    "codes", [(200, 200), (422, 424), (424, 424), (401, None), (429, None), (429, 429), (500, 424)]
)
def test_the_gateways_failures_are_those_that_ring(
    queries: dict[str, Query], codes: tuple[int, int | None]
):
    """Failures are by the codes that clients and the gateway got, as in GatewayFailures."""
    row = {
        "TimeGenerated": MIDNIGHT,
        "ApiId": "inference",
        "LastErrorReason": "",
        "BackendTime": 1,
        "CorrelationId": "",
    }
    row |= dict(zip(("ResponseCode", "BackendResponseCode"), codes, strict=True))
    tables = workspace(ApiManagementGatewayLogs=[row])
    shown = sum(
        each["Failures"] for each in run(queries["gateway/GatewayFailuresByReason"], tables)
    )
    assert shown == sum(
        each["Failures"] for each in run(queries["gateway/GatewayFailures"], tables)
    )


def test_the_largest_table_stands_first(queries: dict[str, Query]):
    """Tables are in gigabytes by day; free ones are left out."""
    usage = [
        ("ContainerLogV2", 1500.0, True),
        ("AppTraces", 2500.0, True),
        ("Heartbeat", 9000.0, False),
    ]
    rows = [
        {"TimeGenerated": MIDNIGHT, "DataType": table, "Quantity": megabytes, "IsBillable": billed}
        for table, megabytes, billed in usage
    ]
    found = run(queries["workspace/LogVolume"], workspace(Usage=rows))
    assert [(row["DataType"], row["GB"]) for row in found] == [
        ("AppTraces", 2.5),
        ("ContainerLogV2", 1.5),
    ]
