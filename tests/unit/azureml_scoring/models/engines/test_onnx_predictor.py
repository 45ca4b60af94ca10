import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.engines import onnx_model
from azureml_scoring.models.engines.batch_size_switch import BatchSizeSwitch
from azureml_scoring.models.engines.numpy_graph import NumpyGraph
from azureml_scoring.models.engines.onnx_model import ANY_ROWS, OnnxModel
from azureml_scoring.models.engines.onnx_predictor import GraphFailed, OnnxPredictor


class Session:
    """Gives the answers that it was made with, and keeps the inputs that it got."""

    def __init__(self, answers: Any) -> None:
        self.answers = np.asarray(answers)
        self.asked: list[np.ndarray] = []

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.asked.append(inputs[onnx_model.INPUT_NAME])
        return [self.answers]


def predictor(session: Session, **changes: Any) -> OnnxPredictor:
    known: dict[str, Any] = {
        "file": "model.onnx",
        "dtype": "float64",
        "outputs": {"predict": "out", "predict_proba": "out"},
        "labels": None,
        "flat": False,
        "missing": False,
        "parity": {},
    }
    return OnnxPredictor(OnnxModel(**known | changes), session, lambda batch: ["the estimator's"])  # type: ignore[arg-type]


def ask(asked: OnnxPredictor, *values: float, method: str = "predict") -> list[Any]:
    return asked(Batch(np.array([values]), method))


def test_probabilities_and_labels_are_read_off_one_output():
    """A classifier's label is that of its most probable class, whatever it is called."""
    asked = predictor(Session([[0.2, 0.8], [0.7, 0.3]]), labels=["no", "yes"])
    assert ask(asked, 1.0) == ["yes", "no"]
    assert ask(asked, 1.0, method="predict_proba") == [[0.2, 0.8], [0.7, 0.3]]


LOGARITHMS = {"predict_proba": "out", "predict_log_proba": "out", "decision_function": "out"}


def test_logarithms_and_odds_are_computed_of_probabilities():
    """``decision_function`` of a logistic model is the logarithm of the odds."""
    asked = predictor(Session([[0.2, 0.8]]), outputs=LOGARITHMS)
    assert ask(asked, 1.0, method="predict_log_proba") == [pytest.approx([-1.6094379, -0.2231436])]
    assert ask(asked, 1.0, method="decision_function") == pytest.approx([1.3862944])


@pytest.mark.parametrize("method", ["predict_log_proba", "decision_function"])
@pytest.mark.parametrize(("dtype", "least"), [("float64", 1e-10), ("float32", 1e-3)])
def test_probabilities_too_small_for_a_logarithm_are_the_estimators(
    method: str, dtype: str, least: float
):
    """Float32 has few digits, and 1 less 0.999 has fewer."""
    answers = np.array([[least, 1 - least]], dtype=dtype)
    asked = predictor(Session(answers), outputs=LOGARITHMS)
    assert ask(asked, 1.0, method=method) == ["the estimator's"]


@pytest.mark.parametrize(
    ("scores", "answers"),
    [([[-1.5, 1.5]], [1.5]), ([[1.5]], [1.5]), ([[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]])],
)
def test_of_two_classes_the_second_ones_score_is_the_answer(
    scores: list[list[float]], answers: list[Any]
):
    """As ``decision_function`` has it: one number a row, of more classes one for each."""
    asked = predictor(Session(scores), outputs={"decision_function": "raw"})
    assert ask(asked, 1.0, method="decision_function") == answers


def test_batches_for_which_the_estimator_is_quicker_are_its_own():
    """The race of packaging says which; a graph that is not asked answers nothing."""
    session = Session([[1.0]])
    few = OnnxPredictor(
        predictor(session)._model,
        session,  # type: ignore[arg-type]
        lambda batch: ["the estimator's"],
        rows=range(1, 3),
    )
    assert few(Batch(np.zeros((3, 1)), "predict")) == ["the estimator's"]
    assert not session.asked
    assert few(Batch(np.zeros((2, 1)), "predict")) == [[1.0]]


def test_a_tie_is_broken_as_scikit_learn_does_not_by_rounding_errors():
    """Two halves that float32 adds up differently are halves: the first class wins."""
    session = Session(np.array([[0.49999997, 0.50000003]], dtype=np.float32))
    assert ask(predictor(session, labels=[0, 1]), 1.0) == [0]


def test_float32_answers_have_no_noise():
    """0.1 is not 0.10000000149011612."""
    assert ask(
        predictor(Session(np.array([[0.1, 0.9]], dtype=np.float32))), 1.0, method="predict_proba"
    ) == [[0.1, 0.9]]


def test_a_column_of_numbers_is_a_list_of_numbers():
    """The estimator answers in this form too."""
    assert ask(predictor(Session([[1.5], [2.5]]), flat=True), 1.0) == [1.5, 2.5]
    assert ask(predictor(Session([[1.5], [2.5]])), 1.0) == [[1.5], [2.5]]


@pytest.mark.parametrize(
    ("changes", "value", "method"),
    [
        ({}, 1.0, "decision_function"),
        ({}, np.nan, "predict"),
        ({}, 1e101, "predict"),
        ({"missing": True}, -1e101, "predict"),
        ({"dtype": "float32"}, 1e39, "predict"),
        ({"dtype": "float32"}, -1e39, "predict"),
    ],
    ids=[
        "a method without ONNX",
        "a missing value",
        "beyond what was tried",
        "beyond it though it may be missing",
        "beyond float32",
        "beyond it below",
    ],
)
def test_what_is_not_proven_is_the_estimators(changes: dict[str, Any], value: float, method: str):
    """ONNX is not even called."""
    session = Session([[1.0]])
    assert ask(predictor(session, **changes), value, method=method) == ["the estimator's"]
    assert not session.asked


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_numbers_of_other_types_are_told_apart_too(dtype: type):
    """Whole numbers whose squares overflow; small floats beside a limit that is beyond them."""
    session = Session([[1.0]])
    asked = predictor(session, largest=1e6, flat=True)
    large = Batch(np.array([[2**32]], dtype=dtype), "predict")  # its square is 0 as an int64
    assert asked(large) == ["the estimator's"]
    assert predictor(session, flat=True)(large) == [1.0]


def test_missing_values_are_onnxs_where_that_is_proven():
    """NaN arrives as NaN."""
    session = Session([[1.0]])
    assert ask(predictor(session, missing=True, flat=True), np.nan) == [1.0]
    assert np.isnan(session.asked[0]).all()


@pytest.mark.parametrize("answer", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_is_left_to_the_estimator(answer: float):
    """It knows whether to refuse the values or to answer so."""
    assert ask(predictor(Session([[answer]])), 1e308) == ["the estimator's"]


class Failing(Session):
    """Raises like ONNX Runtime on a value outside a graph's categories."""

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        raise onnxruntime.capi.onnxruntime_pybind11_state.Fail("an unknown category, 42")


def test_where_the_graph_fails_the_estimator_answers(caplog: pytest.LogCaptureFixture):
    """The log says so once, without a value of the request."""
    asked = predictor(Failing([]))
    with caplog.at_level(logging.WARNING):
        assert [ask(asked, 42.0) for _ in range(3)] == [["the estimator's"]] * 3
    [record] = caplog.records
    assert "compiled model failed (Fail); scikit-learn answers" in record.getMessage()
    assert "42" not in record.getMessage()


def test_strictly_a_graph_that_fails_is_told():
    """Packaging and start must not take the estimator's answers for the graph's."""
    asked, batch = predictor(Failing([])), Batch(np.array([[1.0]]), "predict")
    with pytest.raises(GraphFailed):
        asked.strictly(batch)
    with pytest.raises(GraphFailed):
        asked.own_answers(batch)
    assert asked.strictly(batch._replace(method="decision_function")) == ["the estimator's"]
    assert predictor(Session([[1.0]]), flat=True).strictly(batch) == [1.0]


def test_jointly_no_row_is_answered_by_another_engine_for_the_sake_of_others():
    """Rows of several requests that are not all the graph's are to be computed apart."""
    mixed = Batch(np.array([[1.0], [np.nan]]), "predict")
    with pytest.raises(GraphFailed):
        predictor(Session([[1.0], [2.0]]), flat=True).jointly(mixed)
    with pytest.raises(GraphFailed):
        predictor(Session([[1.0], [np.inf]])).jointly(mixed._replace(X=np.zeros((2, 1))))
    proven = mixed._replace(X=np.array([[1.0], [2.0]]))
    assert predictor(Session([[1.0], [2.0]]), flat=True).jointly(proven) == [1.0, 2.0]
    other = mixed._replace(method="decision_function")
    assert predictor(Session([[1.0]])).jointly(other) == ["the estimator's"]


def test_a_graphs_own_answers_are_told_from_the_estimators():
    """Row by row: without missing values, numbers beyond what it is proven for, and answers that
    are not finite."""
    session = Session([[1.0], [np.inf], [3.0]])
    asked = predictor(session, flat=True, largest=10.0)
    X = np.array([[0.0], [np.nan], [5.0], [11.0], [10.0]])
    own, answers = asked.own_answers(Batch(X, "predict"))
    assert own.tolist() == [True, False, False, False, True]
    assert answers == [1.0, 3.0]
    assert session.asked[0].tolist() == [[0.0], [5.0], [10.0]]
    none, nothing = asked.own_answers(Batch(X[1:2], "predict"))
    assert (none.tolist(), nothing) == ([False], [])


@pytest.mark.parametrize("number", [11.0, -11.0])
def test_numbers_beyond_what_was_proven_are_the_estimators(number: float):
    """The manifest says how far that was."""
    session = Session([[1.0]])
    assert ask(predictor(session, largest=10.0, flat=True), number) == ["the estimator's"]
    assert ask(predictor(session, largest=10.0, flat=True), 10.0) == [1.0]


class Graph(NumpyGraph):
    """Multiplies the first number of each row, and keeps the number of rows of each call."""

    def __init__(self, factor: float = 2.0) -> None:
        self.factor = factor
        self.asked: list[int] = []

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [self.each_row(*outputs, inputs[onnx_model.INPUT_NAME])]

    def each_row(self, output: str, X: np.ndarray) -> np.ndarray:
        self.asked.append(len(X))
        return X[:, 0] * self.factor


def joined(together: OnnxPredictor, batches: Sequence[Batch]) -> list[list[Any]]:
    """Return the answers of requests that arrived together."""
    assert together.each
    rows = [(quick, batch) for batch in batches if (quick := together.quick(batch))]
    assert len(rows) == len(batches)
    return together.each(rows)


def test_rows_of_several_requests_are_asked_together_and_answered_apart():
    """One call for all of one method."""
    graph = Graph()
    together = predictor(graph)  # type: ignore[arg-type]
    rows = [Batch(np.array([[value]]), "predict") for value in (1.0, 2.0, 3.0)]
    assert joined(together, rows) == [[2.0], [4.0], [6.0]]
    assert joined(together, rows[:1]) == [[2.0]]
    other = Batch(np.array([[5.0]]), "predict_proba")
    assert joined(together, [*rows[:1], other]) == [[2.0], [10.0]]
    assert graph.asked == [3, 1, 1, 1]


def test_one_rows_infinity_is_not_the_others_affair():
    """The estimator answers it, as if it were alone."""
    together = predictor(Graph(1e300))  # type: ignore[arg-type]
    rows = [Batch(np.array([[value]]), "predict") for value in (1.0, 1e9)]
    with np.errstate(over="ignore"):
        answers = joined(together, rows)
    assert answers == [[1e300], ["the estimator's"]]


def test_onnx_runtime_is_asked_for_each_request_by_itself():
    """It adds up the rows of a larger batch in another order."""
    assert predictor(Session([1.0])).each is None


@pytest.mark.parametrize(
    ("session", "rows", "one_engine"),
    [
        (Session([1.0]), ANY_ROWS, ANY_ROWS.stop - 1),
        (Session([1.0]), range(1, 7), 6),
        (Session([1.0]), range(7, ANY_ROWS.stop), 6),
        (BatchSizeSwitch(Graph(), Session([1.0]), 7), ANY_ROWS, 6),  # type: ignore[arg-type]
    ],
    ids=["one engine", "the estimator's above", "the estimator's below", "two engines"],
)
def test_it_says_how_many_rows_have_the_engine_of_one(session: Any, rows: range, one_engine: int):
    """So that rows of several requests are joined only as far."""
    asked = OnnxPredictor(predictor(session)._model, session, lambda batch: [], rows=rows)
    assert asked.one_engine == one_engine
