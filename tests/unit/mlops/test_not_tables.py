"""What a pipeline on mixed columns can't make a table of, and why."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
)

from mlops.parity import NotProven
from split_pipelines import (
    FILLED,
    FRAME,
    IGNORE,
    NUMBERS,
    TARGET,
    compare,
    split,
)

pytestmark = pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names")


def refunds(texts: pd.Series) -> pd.DataFrame:
    return texts.str.contains("refund").to_frame()


REFUSED: dict[str, tuple[Any, str]] = {
    "a function": (
        make_column_transformer(
            (FunctionTransformer(lambda x: x.map(len).to_frame()), "city"), (FILLED, NUMBERS)
        ),
        "FunctionTransformer can't be a table of city: values that the fit",
    ),
    "columns together": (
        make_column_transformer(
            (
                FunctionTransformer(
                    lambda x: (x["member"] != x["city"].isin(["Rome", "Oslo"])).to_frame()
                ),
                ["member", "city"],
            )
        ),
        "FunctionTransformer can't be a table of member, city: values that the fit",
    ),
    "words that few texts have": (
        make_column_transformer((FunctionTransformer(refunds), "city")),
        "FunctionTransformer can't be a table of city: values that the fit",
    ),
    "a dictionary of the author's own": (
        make_column_transformer(
            (FunctionTransformer(lambda x: x.replace("Vaduz", "1").eq("1")), ["city"])
        ),
        "FunctionTransformer can't be a table of city: values that the fit",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_says_why(name: str):
    """The reason names the transformer and its columns."""
    front, reason = REFUSED[name]
    estimator = make_pipeline(front, LogisticRegression(max_iter=1000)).fit(FRAME, TARGET)
    with pytest.raises(NotProven, match=reason):
        split(estimator, FRAME)


def test_booleans_that_a_function_takes_together_are_no_tables():
    """Each alone may change nothing."""
    frame = FRAME.assign(staff=FRAME["fare"] > FRAME["fare"].median())
    both = FunctionTransformer(lambda x: np.asarray(x, dtype=float).min(axis=1, keepdims=True))
    front = make_column_transformer((both, ["member", "staff"]), (IGNORE, ["city"]))
    estimator = make_pipeline(front, LogisticRegression()).fit(frame, TARGET)
    made, measured = split(estimator, frame)
    assert compare(made, measured, estimator)
