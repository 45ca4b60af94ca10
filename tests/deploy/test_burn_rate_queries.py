"""The queries of burn rates and of the last half hour, over what a real server logged."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

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
    """The burn is a multiple of what 99.9 % allows: what the hours before now prove, and the share
    of the time before the newest line. Refusals are in neither."""
    long, short, margin = {
        "1h": (timedelta(hours=1), timedelta(minutes=5), 1.5),
        "6h": (timedelta(hours=6), timedelta(minutes=30), 1),
        "2d": (timedelta(days=2), timedelta(hours=4), 1),
    }[name[-2:]]
    times = np.array([i * 15 for i in range(len(logged.answers))])
    ended = logged.answers[::-1]
    for answers in (logged.answers, ended, ended[1:] + ended[:1]):
        tables = arrived_tables(logged, answers)
        status = np.array([answer["status"] for answer in answers])
        failed, counted = status >= 500, (status < 400) | (status >= 500)
        for now in (logged.end, logged.end + timedelta(minutes=6)):
            within = counted & (times > (now - MIDNIGHT - long).total_seconds())
            recent = within & (times > times[counted][-1] - short.total_seconds())
            least = max(failed[within].sum() ** 0.5 - margin, 0) ** 2 / within.sum()
            (row,) = run(queries[name], tables, now)
            assert row["Burn"] == pytest.approx(min(least, failed[recent].mean()) / 0.001)


def arrived_tables(logged: Logged, answers: list[dict[str, Any]]) -> dict[str, Table]:
    lines = {
        answer["request_id"]: json.dumps(line)
        for answer, line in zip(logged.answers, logged.lines, strict=True)
    }
    return workspace(
        ContainerLogV2=arrived(container_log, [lines[each["request_id"]] for each in answers]),
        AmlOnlineEndpointTrafficLog=arrived(traffic_log, answers),
    )


@pytest.mark.parametrize("pack", PACKS)
def test_a_few_failures_in_little_traffic_are_no_burn(queries: dict[str, Query], pack: str):
    """Three of ten requests at night are not a burn; five failures are, as there may be no further
    requests."""
    for failures, burns in ((3, False), (5, True)):
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
    """It counts requests without refusals, and our failures."""
    now = MIDNIGHT + timedelta(minutes=30) - timedelta(seconds=1)
    for answers in (logged.answers, logged.answers[::-1]):
        within = {
            name: [row for row in table if row["TimeGenerated"] < now]
            for name, table in arrived_tables(logged, answers).items()
        }
        (found,) = run(queries[f"{pack}/InferenceErrorRate30m"], within, now)
        by_window = run(queries[f"{pack}/InferenceErrorRate"], within)
        assert found["Requests"] == sum(r["Requests"] - r["ClientErrors"] for r in by_window)
        assert found["Failures"] == sum(row["Failures"] for row in by_window)


@pytest.mark.parametrize("pack", PACKS)
def test_a_fault_with_no_traffic_behind_it_ends_as_an_alert(queries: dict[str, Query], pack: str):
    """The newest line does not hold the short window up for more than a quarter of an hour."""
    answers = [{"status": 500, "duration_ms": 1.0, "request_id": str(i)} for i in range(100)]
    lines = [json.dumps(answer | {"deployment": "blue"}) for answer in answers]
    tables = workspace(
        ContainerLogV2=container_log(lines, moments(timedelta(seconds=3))),
        AmlOnlineEndpointTrafficLog=traffic_log(answers, moments(timedelta(seconds=3))),
    )
    for name, column in (
        ("InferenceErrorRate30m", "FailedAtLeast"),
        ("InferenceBurnRate1h", "Burn"),
    ):
        query = queries[f"{pack}/{name}"]
        values = {
            after: run(query, tables, MIDNIGHT + timedelta(minutes=after))[0][column]
            for after in (6, 15, 26)
        }
        assert values[6] > 15
        assert values[15] > 15
        assert values[26] == 0


def test_burn_rates_differ_in_their_windows_and_margins_only():
    """Tests of one burn rate hold for all."""
    for pack in PACKS:
        texts = {
            "\n".join(
                line
                for line in (QUERIES / f"{name}.kql").read_text().splitlines()
                if not re.match(r"let (LongWindow|ShortWindow|Margin) =", line)
            )
            for name in FILES
            if name.startswith(f"{pack}/InferenceBurnRate")
        }
        assert len(texts) == 1
