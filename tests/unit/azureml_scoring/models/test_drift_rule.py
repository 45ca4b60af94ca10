import math

import pytest

from azureml_scoring.models.drift_rule import MIN_JUDGED_ROWS, Drift, measure, score_limit


def test_the_index_is_that_of_the_textbook_without_chance():
    """Two bins: (0.7 - 0.5) ln(0.7 / 0.5) + (0.3 - 0.5) ln(0.3 / 0.5), minus 1 / 1000 + 1 / 500."""
    textbook = 0.2 * math.log(1.4) - 0.2 * math.log(0.6)
    drift = measure([500, 500, 0], [350, 150, 0])
    assert drift.index == pytest.approx(textbook - 1 / 1000 - 1 / 500)
    assert drift.rows == 500


def test_the_probability_is_that_of_chi_squared():
    """Within a tenth of the exact one; Wilson and Hilferty's root is an approximation."""
    stats = pytest.importorskip("scipy.stats")
    then, now = [125.0] * 8, [75.0, 175.0, *[125.0] * 6]
    psi = sum((a - e) / 1000 * math.log(a / e) for a, e in zip(now, then, strict=True))
    exact = stats.chi2.sf(psi / (2 / 1000), 7)
    assert exact < 0.01
    assert measure([*then, 0], [*now, 0]).chance(1) / 2 == pytest.approx(exact, rel=0.1)


def test_more_columns_need_more_evidence():
    """The limit is that of Bonferroni, for two tests of each column."""
    assert score_limit(1, 0.05) == pytest.approx(1.96, abs=0.01)
    drift = Drift(index=0.5, score=4.0, rows=1000)
    assert drift.drifted(1, 0.001)
    assert not drift.drifted(500, 0.001)
    assert drift.chance(10) == pytest.approx(10 * drift.chance(1))


@pytest.mark.parametrize(
    "drift",
    [
        Drift(index=0.5, score=9.0, rows=MIN_JUDGED_ROWS - 1),
        Drift(index=0.01, score=9.0, rows=10**6),
        Drift(index=0.5, score=2.0, rows=1000),
    ],
    ids=["too few rows", "too small to matter", "may be chance"],
)
def test_it_takes_rows_and_size_and_evidence(drift: Drift):
    """Any of them alone is no drift."""
    assert not drift.drifted(1, 0.001)


def test_without_rows_nothing_has_moved():
    """On either side."""
    assert measure([100, 100, 0], [0, 0, 0]).index == 0
    assert measure([0, 0, 0], [5, 5, 5]).index == 0
