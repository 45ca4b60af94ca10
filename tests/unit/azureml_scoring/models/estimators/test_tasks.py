import sys
import threading
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import BaggingRegressor, RandomForestClassifier
from sklearn.utils import parallel

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.estimators.tasks import skip_needless_set_up

X = np.random.default_rng(0).random((50, 3))
y = (X[:, 0] > 0.5).astype(int)
TREES = 20


@pytest.fixture(autouse=True)
def as_served():
    """A service that has loaded a model of scikit-learn."""
    skip_needless_set_up()


@pytest.fixture
def resets(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One name of a thread for each time that all warning filters are set anew."""
    threads: list[str] = []
    reset = warnings.resetwarnings

    def noted() -> None:
        threads.append(threading.current_thread().name)
        reset()

    monkeypatch.setattr(warnings, "resetwarnings", noted)
    return threads


def test_a_forest_is_not_set_up_anew_for_each_tree(resets: list[str]):
    """Which took over half of the time of a predict."""
    forest = RandomForestClassifier(TREES, random_state=0).fit(X, y)
    resets.clear()
    contract = Contract((Feature(None),) * 3, ("predict_proba",))
    answers = Predictor(forest, contract)(Batch(X, "predict_proba"))
    assert resets == []
    assert answers == forest.predict_proba(X).tolist()


def test_tasks_on_other_threads_get_the_configuration_of_their_caller(resets: list[str]):
    """An estimator fitted with ``n_jobs`` works as everywhere else."""

    def configured() -> bool:
        return bool(sklearn.get_config()["assume_finite"])

    with sklearn.config_context(assume_finite=True):
        seen = parallel.Parallel(n_jobs=2, backend="threading")(
            parallel.delayed(configured)() for _ in range(TREES)
        )
    assert seen == [True] * TREES
    assert len(resets) == TREES
    assert "MainThread" not in resets


def test_tasks_in_other_processes_get_the_configuration_of_their_caller():
    """A task travels there as scikit-learn's own."""
    with sklearn.config_context(assume_finite=True):
        seen = parallel.Parallel(n_jobs=2)(parallel.delayed(sklearn.get_config)() for _ in range(2))
    assert [config["assume_finite"] for config in seen] == [True, True]


def test_a_nested_ensemble_answers_as_before():
    """Each level of tasks runs on the thread that called it."""
    nested = BaggingRegressor(
        RandomForestClassifier(3, random_state=0), n_estimators=2, random_state=0
    ).fit(X, y)
    expected = np.mean(
        [member.predict(X[:, kept]) for member, kept in
         zip(nested.estimators_, nested.estimators_features_, strict=True)], axis=0
    )  # fmt: skip
    assert (nested.predict(X) == expected).all()


def test_it_is_done_once(monkeypatch: pytest.MonkeyPatch):
    """Each loaded model asks for it; scikit-learn is not wrapped again and again."""
    before = parallel._FuncWrapper.__call__
    skip_needless_set_up()
    assert parallel._FuncWrapper.__call__ is before


@pytest.mark.parametrize("module", [None, object()])
def test_another_scikit_learn_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, module: object):
    """An older or newer one, or none at all, is no error."""
    monkeypatch.setitem(sys.modules, "sklearn.utils.parallel", module)
    skip_needless_set_up()
