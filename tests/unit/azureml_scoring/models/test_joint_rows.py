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
from azureml_scoring.models.joint_rows import MAX_JOINT_ROWS, joint_rows, same_bits
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
    assert same_bits(predict_of(RandomForestClassifier(10, random_state=0)), ROWS, METHODS)


def test_a_linear_model_does_not():
    """BLAS adds up in another order for more rows, and the last bit of a probability changes."""
    model = make_pipeline(StandardScaler(), LogisticRegression())
    assert not same_bits(predict_of(model), ROWS, METHODS)


def test_a_model_that_compares_the_rows_of_a_batch_is_told():
    """Its answers depend on the other rows."""
    assert not same_bits(by_mean, ROWS, ["predict"])


def test_few_rows_prove_nothing():
    """A model that is not packaged has one."""
    assert not same_bits(of_own_row, ROWS[:1], ["predict"])


def test_a_trial_that_takes_too_long_proves_nothing():
    """The worker starts in time, and does not join requests."""
    times = iter(range(1000))
    assert not same_bits(of_own_row, ROWS, ["predict"], clock=lambda: float(next(times)))


def test_a_model_that_refuses_rows_together_is_not_joined():
    """It may demand single rows."""

    def only_single(batch: Batch) -> list[Any]:
        if len(batch.X) > 1:
            raise ModelRefusedInput("no")
        return of_own_row(batch)

    assert not same_bits(only_single, ROWS, ["predict"])


@pytest.mark.parametrize(
    ("predict", "setting", "cheaper", "expected"),
    [
        (of_own_row, 0, True, MAX_JOINT_ROWS),
        (of_own_row, 0, False, 1),
        (by_mean, 0, True, 1),
        (of_own_row, 1, True, 1),
        (by_mean, 16, False, 16),
    ],
)
def test_requests_are_joined_where_that_is_cheaper_and_shows_in_no_answer(
    predict: Predict, setting: int, cheaper: bool, expected: int
):
    """The setting overrules both."""
    assert joint_rows(predict, ROWS, ["predict"], setting=setting, cheaper=cheaper) == expected
