"""The queries of infrastructure/queries/: right by Microsoft's parser, and run over what a real server logged."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripted import FAIL

import support
from blackbox.server import THREADS, serving, until
from deploy.checkout import REPOSITORY
from kusto.envelope import MIDNIGHT, console_log, container_log, moments, traffic_log, workspace
from kusto.evaluator import Evaluator, Table
from kusto.parser import Query, parse
from kusto.scalars import NotSupportedError

QUERIES = REPOSITORY / "infrastructure" / "queries"
PACKS = ("containerlogv2", "managed")
FILES = sorted(path.relative_to(QUERIES).with_suffix("").as_posix() for path in QUERIES.glob("*/*.kql"))
GOOD, CACHED, CLIENT, OURS = 120, 40, 25, 15
WINDOW = timedelta(minutes=5)


@pytest.fixture(scope="module")
def queries() -> dict[str, Query]:
    """By pack and name."""
    return parse({name: (QUERIES / f"{name}.kql").read_text() for name in FILES})


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[dict[str, Any]]]:
    """All lines that a real server wrote, and the answers that its client had: status, id, what the cache did."""
    folder = tmp_path_factory.mktemp("logged")
    documents: list[Any] = [[[i / 20_000]] for i in range(1, GOOD + 1)]
    documents += documents[:CACHED] + [[["x"]], {"rows": []}] * CLIENT
    documents = documents[: GOOD + CACHED + CLIENT] + [[[FAIL]]] * OURS
    env = THREADS | {"WORKER_COUNT": "1", "SCORING_CACHE": "memory", "SCORING_CACHE_MUST_PAY": "false"}
    with serving(support.scripted(folder, "Remembered"), folder, **env, DEPLOYMENT_NAME="blue") as server:
        answers = []
        for document in documents:
            answer = server.score(document)
            metadata = answer.json()["metadata"]
            answers.append({"status": answer.status_code, "request_id": metadata["request_id"], **metadata})
        until(lambda: server.log.count("duration_ms") == len(documents), "all are logged")
        return server.log.splitlines(), answers


@pytest.fixture(scope="module")
def durations(output: tuple[list[str], list[dict[str, Any]]]) -> dict[str, float]:
    """Milliseconds by request id, off the lines."""
    lines = [json.loads(line) for line in output[0] if "duration_ms" in line]
    return {line["request_id"]: line["duration_ms"] for line in lines}


class Logged:
    """What arrived, 15 seconds apart, so that a window of five minutes holds 20 requests."""

    def __init__(self, output: tuple[list[str], list[dict[str, Any]]], durations: dict[str, float]) -> None:
        lines, answers = output
        order = {answer["request_id"]: i for i, answer in enumerate(answers)}
        requests = sorted((line for line in lines if "duration_ms" in line), key=lambda line: order[_id(line)])
        others = [line for line in lines if "duration_ms" not in line]
        self.answers = [answer | {"duration_ms": durations[answer["request_id"]]} for answer in answers]
        self.tables = workspace(
            ContainerLogV2=_arrived(container_log, requests) + _arrived(container_log, others),
            AmlOnlineEndpointConsoleLog=_arrived(console_log, requests) + _arrived(console_log, others),
            AmlOnlineEndpointTrafficLog=_arrived(traffic_log, self.answers),
        )
        self.windows = [self.answers[i : i + 20] for i in range(0, len(self.answers), 20)]
        self.end = MIDNIGHT + len(answers) * timedelta(seconds=15)


def _arrived(envelope: Any, what: list[Any]) -> Table:
    rows: Table = envelope(what, moments(timedelta(seconds=15)))
    return rows


def _id(line: str) -> str:
    found: str = json.loads(line)["request_id"]
    return found


@pytest.fixture(scope="module")
def logged(output: tuple[list[str], list[dict[str, Any]]], durations: dict[str, float]) -> Logged:
    return Logged(output, durations)


def run(query: Query, tables: dict[str, Table], now: datetime = MIDNIGHT) -> Table:
    return Evaluator(tables, now).run(query.tree)


@pytest.mark.parametrize("name", FILES)
def test_queries_are_right_by_microsofts_parser(queries: dict[str, Query], name: str):
    """Syntax, functions, and each column of each table."""
    assert queries[name].errors == []
    assert queries[name].columns


def test_both_packs_answer_the_same_questions():
    """Whichever of the tables the lines land in."""
    names = [{name.split("/")[1] for name in FILES if name.startswith(pack)} for pack in PACKS]
    assert names[0] == names[1] >= {"InferenceSLOMetrics", "InferenceErrorRate", "InferenceRequest"}


def test_the_parser_finds_what_is_wrong():
    """An unknown column, an unknown function, a missing bracket."""
    wrong = {
        "column": "ContainerLogV2 | where LogEntry has 'x'",
        "function": "ContainerLogV2 | extend x = percent(1)",
        "syntax": "ContainerLogV2 | where (",
    }
    assert all(query.errors for query in parse(wrong).values())


@pytest.mark.parametrize("pack", PACKS)
def test_latency_is_what_numpy_says(queries: dict[str, Query], logged: Logged, pack: str):
    """Percentiles of the requests that were answered, by five minutes. Kusto's is the nearest rank."""
    found = run(queries[f"{pack}/InferenceSLOMetrics"], logged.tables)
    expected = []
    for i, window in enumerate(logged.windows):
        took = [answer["duration_ms"] for answer in window if answer["status"] == 200]
        if took:
            took = took if pack == "containerlogv2" else [round(each) for each in took]
            ranks = np.percentile(took, [50, 95, 99], method="inverted_cdf")
            expected.append((MIDNIGHT + i * WINDOW, *ranks, len(took)))
    assert [tuple(row[name] for name in ("TimeGenerated", "P50", "P95", "P99", "Requests")) for row in found] == expected
    assert sum(row[-1] for row in expected) == GOOD + CACHED


@pytest.mark.parametrize("pack", PACKS)
def test_error_rates_blame_the_right_side(queries: dict[str, Query], logged: Logged, pack: str):
    """Failures of ours make the rate; a client's errors do not, also where Azure hid both behind a 424."""
    found = run(queries[f"{pack}/InferenceErrorRate"], logged.tables)
    status = np.array([[answer["status"] for answer in window] for window in logged.windows])
    ours, clients = (status >= 500).sum(axis=1), ((status >= 400) & (status < 500)).sum(axis=1)
    assert [row["Failures"] for row in found] == ours.tolist()
    assert [row["ClientErrors"] for row in found] == clients.tolist()
    assert [row["ErrorRate"] for row in found] == (100 * ours / status.shape[1]).tolist()
    assert (ours.sum(), clients.sum()) == (OURS, CLIENT)
    if pack == "managed":
        assert [row["Failures424"] for row in found] == ours.tolist()
        assert [row["ClientErrors424"] for row in found] == clients.tolist()
