"""The queries of burn rates and of the last half hour, over what a real server logged."""

import json
from datetime import datetime, timedelta

import numpy as np
import pytest

from kusto.envelope import MIDNIGHT, container_log, moments, traffic_log, workspace
from kusto.evaluator import Evaluator, Table
from kusto.logged import Logged, arrived
from kusto.parser import FILES, PACKS, QUERIES, Query

WINDOW = timedelta(minutes=5)


def run(query: Query, tables: dict[str, Table], now: datetime = MIDNIGHT) -> Table:
    return Evaluator(tables, now).run(query.tree)


@pytest.mark.parametrize("name", [name for name in FILES if "BurnRate" in name])
def test_the_burn_is_the_lesser_of_both_windows(
    queries: dict[str, Query], logged: Logged, name: str
):
    """The burn is a multiple of what 99.9 % allows, over the hours before now and the time before
    the newest line."""
    long, short = {
        "1h": (timedelta(hours=1), timedelta(minutes=5)),
        "6h": (timedelta(hours=6), timedelta(minutes=30)),
        "1d": (timedelta(days=1), timedelta(hours=2)),
    }[name[-2:]]
    times = np.array([i * 15 for i in range(len(logged.answers))])
    ended = logged.answers[::-1]
    for answers in (logged.answers, ended, ended[1:] + ended[:1]):
        lines = {
            answer["request_id"]: json.dumps(line)
            for answer, line in zip(logged.answers, logged.lines, strict=True)
        }
        tables = workspace(
            ContainerLogV2=arrived(
                container_log, [lines[answer["request_id"]] for answer in answers]
            ),
            AmlOnlineEndpointTrafficLog=arrived(traffic_log, answers),
        )
        failed = np.array([answer["status"] >= 500 for answer in answers])
        for now in (logged.end, logged.end + timedelta(minutes=6)):
            within = times > (now - MIDNIGHT - long).total_seconds()
            recent = within & (times > times[-1] - short.total_seconds())
            expected = min(failed[within].mean(), failed[recent].mean()) / 0.001
            assert [row["Burn"] for row in run(queries[name], tables, now)] == [
                pytest.approx(expected)
            ]


@pytest.mark.parametrize("pack", PACKS)
def test_a_few_failures_in_little_traffic_are_no_burn(queries: dict[str, Query], pack: str):
    """Four of ten requests at night are not a burn; five failures are, as there may be no further
    requests."""
    for failures, burns in ((4, False), (5, True)):
        answers = [
            {"status": 500 if i < failures else 200, "duration_ms": 1.0, "request_id": str(i)}
            for i in range(10)
        ]
        lines = [json.dumps(answer | {"deployment": "blue"}) for answer in answers]
        arrivals = timedelta(seconds=20)
        tables = workspace(
            ContainerLogV2=container_log(lines, moments(arrivals)),
            AmlOnlineEndpointTrafficLog=traffic_log(answers, moments(arrivals)),
        )
        (row,) = run(queries[f"{pack}/InferenceBurnRate1h"], tables, MIDNIGHT + WINDOW)
        assert (row["Burn"] > 14.4) is burns


@pytest.mark.parametrize("pack", PACKS)
def test_the_half_hour_counts_as_the_five_minutes_do(
    queries: dict[str, Query], logged: Logged, pack: str
):
    """It counts requests and our failures, and the share less three standard deviations."""
    now = MIDNIGHT + timedelta(minutes=30) - timedelta(seconds=1)
    for answers in (logged.answers, logged.answers[::-1]):
        lines = {
            answer["request_id"]: json.dumps(line)
            for answer, line in zip(logged.answers, logged.lines, strict=True)
        }
        tables = workspace(
            ContainerLogV2=arrived(
                container_log, [lines[answer["request_id"]] for answer in answers]
            ),
            AmlOnlineEndpointTrafficLog=arrived(traffic_log, answers),
        )
        within = {
            name: [row for row in table if row["TimeGenerated"] < now]
            for name, table in tables.items()
        }
        (found,) = run(queries[f"{pack}/InferenceErrorRate30m"], within, now)
        by_window = run(queries[f"{pack}/InferenceErrorRate"], within)
        assert found["Requests"] == sum(row["Requests"] for row in by_window)
        assert found["Failures"] == sum(row["Failures"] for row in by_window)
        share = found["Failures"] / found["Requests"]
        assert found["Surely"] == pytest.approx(
            share - 3 * (share * (1 - share) / found["Requests"]) ** 0.5
        )


def test_burn_rates_differ_in_their_windows_only():
    """Tests of one burn rate hold for all."""
    for pack in PACKS:
        texts = {
            "\n".join(
                line
                for line in (QUERIES / f"{name}.kql").read_text().splitlines()
                if "Window =" not in line
            )
            for name in FILES
            if name.startswith(f"{pack}/InferenceBurnRate")
        }
        assert len(texts) == 1
