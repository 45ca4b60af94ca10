"""What some rows say of all: agreement is proven, disproven or left open, with stated chances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops.rollout.agreement import Agreement, AgreementVerdict, fewest_rows, sentence


@pytest.mark.parametrize(
    ("agreement", "verdict"),
    [
        (Agreement(90, 90), "agree"),
        (Agreement(89, 89), "undecided"),
        (Agreement(10, 10), "undecided"),
        (Agreement(0, 1), "undecided"),
        (Agreement(980, 1000), "agree"),
        (Agreement(950, 1000), "undecided"),
        (Agreement(920, 1000), "differ"),
        (Agreement(90, 90, silent=5), "undecided"),
        (Agreement(0, 0, silent=100), "undecided"),
        (Agreement(80, 100, silent=10), "differ"),
        (Agreement(920, 1000, unstable=80), "agree"),
        (Agreement(600, 1000, unstable=180), "differ"),
        (Agreement(860, 1000, unstable=90), "undecided"),
    ],
)
def test_rows_prove_agreement_disprove_it_or_leave_it_open(agreement: Agreement, verdict: str):
    """Here 95 % must agree. Rows without an answer prove nothing; a model that differs from itself
    may be replaced by one that does."""
    assert agreement.verdict(0.95) == verdict


@pytest.mark.parametrize(("wanted", "rows"), [(0.9, 44), (0.95, 90), (0.99, 459), (0, 1), (1, 1)])
def test_the_fewest_rows_that_prove_something_are_known(wanted: float, rows: int):
    """One row fewer proves nothing even if all agree. Where all must agree, this sample's must."""
    assert fewest_rows(wanted) == rows
    assert Agreement(rows, rows).verdict(wanted) is AgreementVerdict.AGREE
    assert Agreement(rows - 1, rows - 1).verdict(wanted) is not AgreementVerdict.DIFFER
    assert (rows == 1) or Agreement(rows - 1, rows - 1).verdict(wanted) == "undecided"


def test_where_all_must_agree_one_row_decides():
    """``--agreement 1`` asks of the sample what no sample can tell of other rows."""
    assert Agreement(10, 10).verdict(1) == "agree"
    assert Agreement(9, 10).verdict(1) == "differ"
    assert Agreement(9, 9, silent=1).verdict(1) == "undecided"


@pytest.mark.parametrize("rows", [90, 200, 1000])
def test_neither_verdict_is_chance_more_often_than_one_time_in_a_hundred(rows: int):
    """Computed, not drawn: over all counts that a true share of differing rows can give."""
    different = np.arange(rows + 1)
    verdicts = np.array([Agreement(rows - n, rows).verdict(0.95).value for n in different])
    for truth, wrong in ((0.05, "agree"), (0.08, "agree"), (0.05, "differ"), (0.02, "differ")):
        chances = stats.binom.pmf(different, rows, truth)
        assert chances[verdicts == wrong].sum() <= 0.01


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 50), st.floats(0, 1))
def test_any_counts_have_a_verdict_and_a_sentence(same: int, other: int, silent: int, want: float):
    """A row more that agrees never makes it worse."""
    order = [AgreementVerdict.DIFFER, AgreementVerdict.UNDECIDED, AgreementVerdict.AGREE]
    found = Agreement(same, same + other, silent)
    better = Agreement(same + 1, same + other + 1, silent)
    assert order.index(better.verdict(want)) >= order.index(found.verdict(want))
    assert sentence(found, want).startswith(f"predictions agree on {same} of ")


def test_the_sentence_says_which_rows_differ_and_what_to_do():
    """Whoever means the model to differ learns the allowance; whoever has too few rows, how many
    decide."""
    text = sentence(Agreement(900, 1000, left_out=3, where="rows 1, 2 of those asked"), 0.95)
    assert text == (
        "predictions agree on 900 of 1000 rows (at least 95% wanted); 7.9% to 12.4% differ, as far "
        "as these rows tell; rows 1, 2 of those asked; 3 more were left out, as the old one did "
        "not answer them; a model that is meant to differ so much needs --agreement 0.87"
    )
    assert Agreement(900, 1000).verdict(0.87) is AgreementVerdict.AGREE
    assert "about 800 rows by --sample would decide" in sentence(Agreement(194, 200), 0.95)
    assert "would decide" not in sentence(Agreement(190, 200), 0.95)
