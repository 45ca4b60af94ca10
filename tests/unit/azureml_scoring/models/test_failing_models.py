"""Whatever a model raises in packaging and loading, the user gets one sentence, no traceback."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from hostile import Hostile

import support
from azureml_scoring.errors import ModelFailed, ModelRefusedInput, StartupError
from azureml_scoring.models import golden_check
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from examples import few_of

pytestmark = pytest.mark.slow

NUMBERS = pd.DataFrame(np.arange(40.0).reshape(20, 2))


def served(folder: Path) -> Model:
    return load(Settings(scoring_model_path=folder))


def test_an_interrupt_while_a_model_is_unpickled_is_no_fault_of_its_file(tmp_path: Path):
    """Ctrl-C ends a command that loads a model."""
    file = support.dump(Hostile("unpickling", "an interrupt"), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        served(file)


class Faulty:
    """``boosters.Own`` whose attribute ``fault`` raises ``error``; ``seen``: attributes read."""

    seen: set[str] = set()  # noqa: RUF012
    fault: str | None = None
    error: type[BaseException] = RuntimeError

    def __getattribute__(self, name: str) -> Any:
        kind = type.__getattribute__(Faulty, "__dict__")
        if not name.startswith("__reduce") and name not in (
            "__class__",
            "__dict__",
            "__setstate__",
            "__getstate__",
        ):
            kind["seen"].add(name)
            if name == kind["fault"]:
                raise kind["error"]("4711")
        return object.__getattribute__(self, name)

    def predict(self, X: Any) -> Any:
        return np.asarray(X)[:, 0]


def attributes_looked_at(tmp_path: Path) -> list[str]:
    served(support.packaged(Faulty(), NUMBERS, tmp_path / "all"))
    return sorted(Faulty.seen)


@pytest.mark.parametrize("error", [RuntimeError, AttributeError, SystemExit, MemoryError])
def test_an_attribute_that_raises_is_one_sentence_or_none(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An attribute may raise in packaging or loading: one sentence, or none if it isn't needed."""
    names = attributes_looked_at(tmp_path)
    assert {
        "predict",
        "predict_proba",
        "n_features_in_",
        "feature_names_in_",
        "cacheable",
        "best_estimator_",
    } <= {*names}
    raw = support.dump(Faulty(), tmp_path / "raw")
    for place, name in enumerate(names):
        for whole in (True, False):
            monkeypatch.setattr(Faulty, "error", error)
            monkeypatch.setattr(Faulty, "fault", name)
            try:
                if whole:
                    support.packaged(Faulty(), NUMBERS, tmp_path / f"{error.__name__}{place}")
                else:
                    served(raw)
            except StartupError as told:
                assert "\n" not in str(told)  # noqa: PT017
                assert str(told).endswith(".")  # noqa: PT017
            finally:
                monkeypatch.setattr(Faulty, "fault", None)


class Moody:
    """Raises or answers with something odd at the ``turn``-th call of predict."""

    n_features_in_ = 2
    calls = 0
    turn = 0
    act: Any = None

    def predict(self, X: Any) -> Any:
        Moody.calls += 1
        if Moody.turn == Moody.calls:
            return Moody.act(X)
        return np.asarray(X)[:, 0]


def raising(error: BaseException) -> Any:
    def act(X: Any) -> Any:
        raise error

    return act


ACTS: dict[str, Any] = {
    "an error": raising(RuntimeError("4711")),
    "an exit": raising(SystemExit(3)),
    "two lines": raising(ValueError("two\nlines")),
    "a recursion": raising(RecursionError()),
    "a stop": raising(StopIteration()),
    "a text": lambda X: "a" * len(X),
    "nothing": lambda X: None,
    "a dict": lambda X: dict.fromkeys(range(len(X)), 1),
    "dicts": lambda X: [{1: 2}] * len(X),
    "objects": lambda X: [object()] * len(X),
    "large": lambda X: [2**70] * len(X),
    "nan": lambda X: np.full(len(X), np.nan),
    "one too many": lambda X: np.zeros(len(X) + 1),
    "ragged": lambda X: [[1]] + [[1, 2]] * (len(X) - 1),
    "nan within": lambda X: [[1, [{"a": np.nan}]]] * len(X),
    "bytes": lambda X: [b"a"] * len(X),
    "dates": lambda X: np.array(["2020"] * len(X), dtype="datetime64[s]"),
}


@pytest.mark.parametrize(
    "act", few_of(ACTS, ["an exit", "two lines", "nothing", "objects", "nan", "ragged"])
)
def test_a_model_that_fails_at_any_call_is_one_sentence_or_none(act: str, tmp_path: Path):
    """Measured, tried and compared, then loaded: the first, the second, ... call fails, or answers
    oddly."""
    Moody.act = staticmethod(ACTS[act])
    raw = support.dump(Moody(), tmp_path / "raw")
    done = False
    for Moody.turn in range(1, 60):
        for folder in (tmp_path / str(Moody.turn), None):
            Moody.calls = 0
            try:
                if folder:
                    served(support.packaged(Moody(), NUMBERS, folder))
                else:
                    served(raw)
            except StartupError as told:
                assert "\n" not in str(told)  # noqa: PT017
            done = done or (folder is not None and Moody.calls < Moody.turn)
        if done:
            break
    Moody.turn = 0
    assert done


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda X: "ab", "The model answered with a str in place of one answer a row."),
        (lambda X: None, "The model answered with a NoneType in place of one answer a row."),
        (
            lambda X: {"a": 1, "b": 2},
            "The model answered with a dict in place of one answer a row.",
        ),
        (lambda X: 3.5, "The model answered with a float in place of one answer a row."),
        (lambda X: [1], "The model gave 1 answers to 2 rows."),
    ],
)
def test_an_answer_that_is_none_is_the_models_failure(act: Any, message: str, tmp_path: Path):
    """The message says so; a text of two characters is not taken for the answers to two rows."""
    loaded = served(support.dump(Moody(), tmp_path))
    Moody.act, Moody.turn = staticmethod(act), Moody.calls + 1
    with pytest.raises(ModelFailed) as caught:
        loaded.predict(golden_check.batch_of([[1.0, 2.0], [3.0, 4.0]], loaded.contract))
    assert caught.value.message == message
    Moody.act, Moody.turn = staticmethod(raising(ValueError("no"))), Moody.calls + 1
    with pytest.raises(ModelRefusedInput):
        loaded.predict(golden_check.batch_of([[1.0, 2.0]], loaded.contract))
    assert joblib.load(tmp_path / "model.joblib").n_features_in_ == 2
