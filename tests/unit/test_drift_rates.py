"""How often drift is found, by the simulation of `make signals`, in small."""

import itertools
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "signals"))
import drift


@pytest.mark.parametrize(("then_rows", "requests"), [(200, 500), (200, 5000), (1000, 1000)])
def test_without_drift_there_is_no_alarm(then_rows: int, requests: int):
    """At most 5 % of models of up to 500 columns, of any kind of column, have one."""
    assert max(drift.false_alarms(10, then_rows, requests)) <= 0.05


def test_no_model_of_many_columns_has_an_alarm():
    """Its columns differ by nothing but chance."""
    column = drift.COLUMNS["normal"]
    seen = drift.drifts(column, column.draw, 1000, 500, 500, seed=1)
    assert not any(one.drifted(500, drift.STREAM_LEVEL) for one in seen)


def test_no_look_in_a_month_alarms():
    """An alarm is looked for every hour."""
    assert drift.months_with_alarm(1, 1000, 5, 10_000) == 0


def test_a_quarter_of_a_standard_deviation_is_found():
    """Nine times of ten within 10,000 requests, in one of 100 columns."""
    found = drift.power(drift.CHANGES["mean + 0.25 sd"], 60, 1000, 100)
    assert found[-1] >= 0.9
    assert all(less <= more for less, more in itertools.pairwise(found))


@pytest.mark.parametrize(
    "name", [name for name in drift.CHANGES if not name.startswith(("mean", "a level"))]
)
def test_what_the_sample_never_had_is_found(name: str):
    """Wrong units, new levels and missing values in 5 % of 1,000 requests, in one of 500
    columns."""
    change = drift.CHANGES[name]
    seen = drift.drifts(change.before, change.draw, 1000, 1000, 60, seed=1)
    assert drift.share_drifted(list(seen), 500) >= 0.99


def test_the_docs_have_the_tables():
    """`make signals` writes them, whole."""
    text = drift.DOCS.read_text()
    table = text.split(drift.BEGIN)[1].split(drift.END)[0]
    for name in (*drift.CHANGES, "500 columns"):
        assert name in table
