"""The rows that prove a model of mixed columns."""

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import mixed_models
from mlops.float_pipeline import float_pipeline
from mlops.measure import measure
from mlops.mixed_rows import MixedRows
from mlops.say import silent


def test_a_set_of_rows_is_the_same_each_time():
    """Their answers by the estimator are kept, and compared with those of each reading."""
    frame, target = mixed_models.passengers(60)
    estimator = make_pipeline(mixed_models.by_columns(), LogisticRegression(max_iter=1000))
    measured = measure(estimator.fit(frame, target), frame, silent)
    pipeline = float_pipeline(estimator, measured.contract, measured.numbers)
    rows = MixedRows(measured.numbers, measured.contract, pipeline)
    of_all = dict(rows.sets([]))
    for name, again in (rows.with_gaps(), rows.huge(1e30), rows.huge(1e30)):
        first = of_all.setdefault(name, again)
        pd.testing.assert_frame_equal(pd.DataFrame(first), pd.DataFrame(again))
