import threading

import joblib
import numpy as np
import pandas as pd
import pytest
from scripted import EXIT, FAIL, SHORT, Scripted
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from azureml_scoring.errors import ModelFailed, ModelRefusedInput
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.estimators.predictor import Predictor


def ask(predictor: Predictor, value: float) -> list[object]:
    return predictor(Batch(np.array([[value]]), "predict"))


@pytest.fixture
def told() -> Predictor:
    return Predictor(Scripted(), Contract((Feature(None),), ("predict",)))


def test_an_answer_for_each_row(told: Predictor):
    """Python's own numbers, ready for JSON."""
    assert told(Batch(np.array([[0.0], [7.0]]), "predict")) == [0.0, 7.0]


def test_an_estimator_that_computes_in_place_spoils_no_batch():
    """Data collection, and a second predict, see what was sent."""
    X = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
    estimator = make_pipeline(StandardScaler(copy=False), LinearRegression()).fit(
        X.copy(), [1, 2, 3]
    )
    contract = Contract((Feature(None), Feature(None)), ("predict",))
    batch = Batch(X.copy(), "predict")
    assert Predictor(estimator, contract)(batch) == Predictor(estimator, contract)(batch)
    assert (batch.X == X).all()


@pytest.mark.parametrize("order", [FAIL, EXIT, SHORT])
def test_a_broken_model_is_our_failure(told: Predictor, order: float):
    """This includes one that tries to leave the process or answers too many rows."""
    with pytest.raises(ModelFailed):
        ask(told, order)


def test_values_are_to_blame_once_the_model_has_shown_that_it_works(told: Predictor):
    """The same ValueError is our failure before the first success, and a refusal of the input after
    it."""
    with pytest.raises(ModelFailed):
        ask(told, float("nan"))  # time.sleep(nan) raises ValueError
    ask(told, 0.0)
    with pytest.raises(ModelRefusedInput):
        ask(told, float("nan"))


class Raising:
    """Raises for a row above zero."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def predict(self, X: np.ndarray) -> np.ndarray:
        if X[0, 0] > 0:
            raise self.error
        return X[:, 0]


def of_library(name: str, module: str) -> Exception:
    """An exception as a library has it that is not installed here."""
    return type(name, (Exception,), {"__module__": module})("no")


@pytest.mark.parametrize(
    ("error", "later"),
    [
        *(
            (error("no"), ModelRefusedInput)
            for error in (ValueError, TypeError, KeyError, IndexError, OverflowError)
        ),
        *(
            (error("no"), ModelRefusedInput)
            for error in (AssertionError, AttributeError, UnicodeError)
        ),
        (of_library("CatBoostError", "_catboost"), ModelRefusedInput),
        (of_library("CatBoostError", "catboost.core"), ModelRefusedInput),
        (of_library("LightGBMError", "lightgbm.basic"), ModelRefusedInput),
        (of_library("XGBoostError", "xgboost.core"), ModelRefusedInput),
        (of_library("LightGBMError", "lightgbmlike.basic"), ModelFailed),
        *(
            (error("no"), ModelFailed)
            for error in (RuntimeError, OSError, MemoryError, SystemExit, RecursionError)
        ),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_whose_fault_an_exception_is(error: BaseException, later: type[Exception]):
    """Once a model has answered, errors on values are the client's; other errors are ours."""
    predictor = Predictor(Raising(error), Contract((Feature(None),), ("predict",)))
    with pytest.raises(ModelFailed):
        ask(predictor, 1.0)
    ask(predictor, 0.0)
    with pytest.raises(later):
        ask(predictor, 1.0)


def test_an_interrupt_is_no_failure_of_the_model():
    """Ctrl-C ends packaging, which asks the model many times."""
    predictor = Predictor(Raising(KeyboardInterrupt()), Contract((Feature(None),), ("predict",)))
    with pytest.raises(KeyboardInterrupt):
        ask(predictor, 1.0)


class Parallel(Scripted):
    """Notes the threads that compute its answers."""

    def predict(self, X: np.ndarray) -> list[int]:
        return joblib.Parallel(n_jobs=-1, require="sharedmem")(
            joblib.delayed(threading.get_ident)() for _ in X
        )


def test_an_estimator_fitted_with_n_jobs_computes_on_the_thread_of_its_slot():
    """Threads for each request would cost more than they save, and take processors from others."""
    predictor = Predictor(Parallel(), Contract((Feature(None),), ("predict",)))
    answers = predictor(Batch(np.zeros((8, 1)), "predict"))
    assert set(answers) == {threading.get_ident()}


class Spelling:
    """Answers with its column's values as texts, and counts its calls."""

    calls = 0

    def predict(self, X: pd.DataFrame) -> list[str]:
        self.calls += 1
        return [*X["code"].astype(str)]


def test_an_unseen_fraction_leaves_whole_numbers_of_other_rows_whole():
    """A category of 1 is no 1.0 because another row of the batch has 7.5."""
    estimator = Spelling()
    code = Feature("code", "category", categories=(1, 2), unseen=True, missing=True)
    predict = Predictor(estimator, Contract((code,), ("predict",), "frame"))
    rows = np.array([[1], [7.5], [9]], dtype=object)
    assert predict(Batch(rows, "predict")) == ["1", "7.5", "9"]
    estimator.calls = 0
    predict(Batch(np.array([[1], [None], [2]], dtype=object), "predict"))
    assert estimator.calls == 1


def test_pandas_nullable_columns_reach_an_imputer_as_in_the_fit():
    """It met floats, and refuses booleans and whole numbers, which have no gap in one row."""
    frame = pd.DataFrame(
        {
            "member": pd.array([True, False, None, True] * 5, dtype="boolean"),
            "rooms": pd.array([1, 2, 4, None] * 5, dtype="Int64"),
        }
    )
    columns = make_column_transformer(
        (SimpleImputer(strategy="most_frequent"), ["member"]),
        (SimpleImputer(strategy="constant", fill_value=0), ["rooms"]),
    )
    estimator = make_pipeline(columns, LinearRegression()).fit(frame, range(20))
    features = (Feature("member", "bool", missing=True), Feature("rooms", "int64", missing=True))
    predict = Predictor(estimator, Contract(features, ("predict",), "frame"))
    rows = np.array([[True, 2], [False, 1], [None, np.nan]], dtype=object)
    expected = estimator.predict(frame.iloc[[0]].assign(rooms=pd.array([2], dtype="Int64")))
    assert predict(Batch(rows[:1], "predict")) == pytest.approx(expected)
    assert predict(Batch(rows, "predict"))[0] == pytest.approx(expected[0])
