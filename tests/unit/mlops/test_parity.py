import itertools
from typing import Any

import numpy as np
import pytest

import support
from azureml_scoring.errors import ModelRefusedInput
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.engines.onnx_predictor import GraphFailed
from mlops.parity import TIME_LIMIT_S, NotProven, Parity

ROWS = np.arange(1_400.0).reshape(700, 2)


class Compiled:
    """Answers the first number of each row, but for those whose ``second`` number is left to the
    estimator."""

    def __init__(self, left: float = np.nan, off: float = 0.0) -> None:
        self.left = left
        self.off = off

    def own_answers(self, batch: Batch) -> tuple[np.ndarray, list[Any]]:
        own = batch.X[:, 1] != self.left
        return own, (batch.X[own, 0] + self.off).tolist()


class Fixed(Compiled):
    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers

    def own_answers(self, batch: Batch) -> tuple[np.ndarray, list[Any]]:
        return np.ones(len(batch.X), dtype=bool), self.answers[: len(batch.X)]


def first(batch: Batch) -> list[Any]:
    return list(batch.X[:, 0].tolist())


def refusing(value: float) -> Any:
    """An estimator that refuses each batch with this second number in it."""

    def estimator(batch: Batch) -> list[Any]:
        if value in batch.X[:, 1]:
            raise ModelRefusedInput("an unknown code")
        return first(batch)

    return estimator


def parity(estimator: Any = first, **options: Any) -> Parity:
    return Parity(estimator, support.NUMBERS, ROWS[:10], **options)


def check(estimator: Any, compiled: Any, rows: np.ndarray = ROWS, method: str = "predict") -> Any:
    return parity(estimator).compare(compiled, (method,), [("of a test", rows)])


@pytest.mark.parametrize(
    ("expected", "answers"), [([True, False], [1, 0]), ([1, 0], [True, False])]
)
def test_booleans_are_no_numbers(expected: list[Any], answers: list[Any]):
    """True is not 1 in JSON, though Python says so."""
    with pytest.raises(NotProven, match="of another type"):
        check(lambda batch: expected[: len(batch.X)], Fixed(answers), ROWS[: len(answers)])


@pytest.mark.parametrize("value", ROWS[[0, 1, 350, 699], 1])
def test_one_refused_row_does_not_keep_the_others_from_being_compared(value: float):
    """The compiled model leaves that row to the estimator, and both are counted."""
    compared = check(refusing(value), Compiled(left=value))
    assert (compared.answers, compared.left, compared.total) == (699, 1, 700)
    with pytest.raises(NotProven, match="apart"):
        check(refusing(value), Compiled(left=value, off=1.0))


def test_a_graph_that_fails_is_not_proven():
    """The reason names its exception."""

    class Failing(Compiled):
        def own_answers(self, batch: Batch) -> Any:
            raise GraphFailed("failed") from ArithmeticError("an unknown category")

    with pytest.raises(
        NotProven, match=r"predict of rows of a test: ONNX Runtime fails .ArithmeticError"
    ):
        check(first, Failing())


@pytest.mark.parametrize(
    ("answers", "expected", "reason"),
    [
        ([1, 0], [1, 1], "1 of 1 answers differ"),
        (["a", "b"], ["a", "c"], "1 of 1 answers differ"),
        ([[0.5, 0.5]], [[0.5, 0.50002]], "apart by"),
        ([0.5, float("nan")], [0.5, 0.5], "apart by"),
        ([0.5, 0.5], [0.5, float("nan")], "apart by"),
        ([[1.0]], [1.0], "another shape"),
        ([[1e6, 0.0]], [[1e6, 1.0]], "apart by"),
        ([1.0e-7], [1.1e-7], "apart by"),
    ],
    ids=[
        "labels",
        "texts",
        "probabilities",
        "NaN",
        "the estimator's NaN",
        "shape",
        "a small number beside a large one",
        "small numbers",
    ],
)
def test_a_difference_is_told(answers: Any, expected: Any, reason: str):
    """Labels must be equal, numbers within the tolerance of their own size, the shape the same."""

    def estimator(batch: Batch) -> list[Any]:
        return [expected[int(row[0])] for row in batch.X]

    class Wrong(Compiled):
        def own_answers(self, batch: Batch) -> tuple[np.ndarray, list[Any]]:
            return np.ones(len(batch.X), dtype=bool), [answers[int(row[0])] for row in batch.X]

    rows = np.zeros((len(answers), 2))
    rows[:, 0] = range(len(answers))
    with pytest.raises(NotProven, match=f"predict of rows of a test: .*{reason}"):
        Parity(estimator, support.NUMBERS, rows).compare(
            Wrong(), ("predict",), [("of a test", rows)]
        )


def test_numbers_are_compared_relative_to_their_size():
    """A millionth of a million is nothing; what was compared is counted."""

    def million(batch: Batch) -> list[Any]:
        return [1e6] * len(batch.X)

    compared = check(million, Fixed([1e6 + 1.0] * 700))
    assert (compared.answers, compared.apart) == (700, pytest.approx(1e-6))


def test_numbers_near_zero_are_compared_relative_to_the_samples_answers():
    """Rounding errors remain where large numbers cancel out."""

    def thousands(batch: Batch) -> list[Any]:
        return [0.0 if row[0] > 100 else 1e3 for row in batch.X]

    compared = check(thousands, Fixed([1e-9] * 600), ROWS[100:])
    assert compared.apart == pytest.approx(1e-12)


def test_infinite_answers_of_the_sample_are_no_measure():
    """A forest's logarithm of probability 0, beside which any difference would be nothing."""

    def logarithms(batch: Batch) -> list[Any]:
        return [-np.inf if row[0] == 0 else -1.0 for row in batch.X]

    with pytest.raises(NotProven, match="apart"):
        check(logarithms, Fixed([-2.0] * 600), ROWS[100:])


def test_the_estimator_is_asked_once_for_all_compiled_forms():
    """It may take its time."""
    asked = []

    def estimator(batch: Batch) -> list[Any]:
        asked.append(batch)
        return first(batch)

    proof = parity(estimator)
    for _ in range(3):
        proof.compare(Compiled(), ("predict",), [("of a test", ROWS)])
    assert len(asked) == len({batch.X.tobytes() for batch in asked})


def test_when_the_time_is_up_enough_rows_of_each_kind_have_been_compared_all_the_same():
    """Progress says how many of how many, and how long it will take."""
    told: list[str] = []
    ticking = itertools.count(step=TIME_LIMIT_S / 4)
    proof = parity(say=told.append, clock=lambda: next(ticking))
    kinds = [(name, ROWS) for name in ("of one kind", "of another")]
    compared = proof.compare(Compiled(), ("predict",), kinds)
    assert (compared.answers, compared.total) == (
        2 * 601,
        2 * 700,
    )  # the first 101 are fewer than enough
    assert "of 1,400 answers" in told[0]
    assert "s to go" in told[0]
    again = proof.compare(Compiled(), ("predict",), kinds)
    assert again.answers == compared.answers
