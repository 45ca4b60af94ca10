"""Which models answer several requests in one call."""

from typing import Any

import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from azureml_scoring.errors import ModelRefusedInput
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.concurrency import Alone, Concurrency, judge
from azureml_scoring.models.joint_rows import MAX_JOINT_ROWS, joint_rows, why_apart
from azureml_scoring.models.model import Predict

X, Y = load_breast_cancer(return_X_y=True)
ROWS = X[:10]
METHODS = ["predict", "predict_proba"]


def predict_of(estimator: Any) -> Predict:
    fitted = estimator.fit(X, Y)
    return lambda batch: getattr(fitted, batch.method)(batch.X).tolist()


def by_mean(batch: Batch) -> list[Any]:
    return (batch.X[:, 0] - batch.X[:, 0].mean()).tolist()


def of_own_row(batch: Batch) -> list[Any]:
    return batch.X[:, 0].tolist()


def test_a_forest_answers_rows_together_as_alone():
    """Its trees look at each row by itself."""
    assert not why_apart(predict_of(RandomForestClassifier(10, random_state=0)), ROWS, METHODS)


def test_a_linear_model_does_not():
    """BLAS adds up in another order for more rows, and the last bit of a probability changes."""
    model = make_pipeline(StandardScaler(), LogisticRegression())
    assert "change when" in why_apart(predict_of(model), ROWS, METHODS)


def test_a_model_that_compares_the_rows_of_a_batch_is_told():
    """Its answers depend on the other rows."""
    assert "change when" in why_apart(by_mean, ROWS, ["predict"])


def test_few_rows_prove_nothing():
    """A model that is not packaged has one."""
    assert "golden rows" in why_apart(of_own_row, ROWS[:1], ["predict"])


def test_a_trial_that_takes_too_long_proves_nothing():
    """The worker starts in time, and does not join requests."""
    times = iter(range(1000))
    apart = why_apart(of_own_row, ROWS, ["predict"], clock=lambda: float(next(times)))
    assert "takes more than" in apart


def test_a_model_that_refuses_rows_together_is_not_joined():
    """It may demand single rows."""

    def only_single(batch: Batch) -> list[Any]:
        if len(batch.X) > 1:
            raise ModelRefusedInput("no")
        return of_own_row(batch)

    assert "several rows" in why_apart(only_single, ROWS, ["predict"])


def tried(rows_slowdown: float | None, wall_s: float = 0.05) -> Concurrency:
    """What a trial says of rows that take so many times as long together as one."""
    return judge(Alone(wall_s, wall_s, wall_s), 2.0, rows_slowdown, processors=2)


CHEAPER, BY_ROW, SLOW = tried(1.1), tried(8.0), tried(None, 0.4)


@pytest.mark.parametrize(
    ("predict", "setting", "trial", "most", "reason"),
    [
        (of_own_row, 0, CHEAPER, MAX_JOINT_ROWS, "on, up to 64 rows: they take less time"),
        (of_own_row, 0, BY_ROW, 1, "off: rows together take about as long"),
        (of_own_row, 0, SLOW, 1, "off: a call takes 0.4 s, too long to try"),
        (of_own_row, 0, None, 1, "off: the model is quick"),
        (by_mean, 0, CHEAPER, 1, "off: answers of predict change"),
        (of_own_row, 1, CHEAPER, 1, "off: SCORING_MICRO_BATCH_ROWS"),
        (by_mean, 16, BY_ROW, 16, "on, up to 16 rows: SCORING_MICRO_BATCH_ROWS"),
    ],
)
def test_requests_are_joined_where_that_is_cheaper_and_shows_in_no_answer(
    predict: Predict, setting: int, trial: Concurrency | None, most: int, reason: str
):
    """The setting overrules both; operators read why."""
    joined = joint_rows(predict, ROWS, ["predict"], setting=setting, concurrency=trial)
    assert joined.most == most
    assert joined.reason.startswith(reason)


def by_size(batch: Batch) -> list[Any]:
    """A model whose batches of ten rows and more have another engine."""
    return [float(row[0]) + (len(batch.X) > 9) * 1e-9 for row in batch.X]


@pytest.mark.parametrize(
    ("one_engine", "most", "reason"),
    [
        (9, 9, "on, up to 9 rows"),
        (10, 1, "off: answers of predict change"),
        (1, 1, "off: several rows have another engine"),
        (1000, 1, "off: answers of predict change"),
    ],
)
def test_joined_rows_have_the_engine_of_one_row(one_engine: int, most: int, reason: str):
    """Else their answers would show in the last digits that they were joined."""
    joined = joint_rows(
        by_size, ROWS, ["predict"], setting=0, concurrency=CHEAPER, one_engine=one_engine
    )
    assert joined.most == most
    assert joined.reason.startswith(reason)
