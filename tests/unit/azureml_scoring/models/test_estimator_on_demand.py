"""The estimator beside a compiled model, loaded once a request needs it."""

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import support
from azureml_scoring.errors import DeadlineExceeded, ModelFailed, ModelRefusedInput, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.estimator_on_demand import EstimatorNeeded, EstimatorOnDemand
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model, Predict
from azureml_scoring.settings import Settings

BATCH = Batch(np.ones((1, 1)), "predict")


def from_(path: Path, **options: object) -> Model:
    return load(Settings(scoring_model_path=path, **options))


@pytest.fixture
def demo_copy(demo_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_model, tmp_path / "artifact"))


def test_it_is_loaded_once_and_only_if_it_is_needed():
    """However many requests need it at the same time."""
    loads: list[int] = []

    def loading() -> Predict:
        loads.append(1)
        return lambda batch: ["its answer"]

    estimator = EstimatorOnDemand(loading)
    assert (estimator.state, loads) == ("not loaded", [])
    threads = [threading.Thread(target=estimator, args=(BATCH,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (estimator(BATCH), estimator.state, loads) == (["its answer"], "loaded", [1])


def test_a_service_waits_for_it_no_longer_than_a_request_may_take():
    """It goes on loading, for the next request."""
    go_on = threading.Event()

    def loading() -> Predict:
        go_on.wait()
        return lambda batch: ["its answer"]

    estimator = EstimatorOnDemand(loading)
    estimator.waits = False
    with pytest.raises(EstimatorNeeded):
        estimator(BATCH)
    with pytest.raises(DeadlineExceeded):
        estimator.loaded(0.0)
    go_on.set()
    assert estimator.loaded()(BATCH) == estimator(BATCH) == ["its answer"]


@pytest.mark.parametrize("kind", [StartupError, MemoryError, SystemExit])
def test_a_request_that_needs_what_can_not_be_loaded_fails(
    caplog: pytest.LogCaptureFixture, kind: type[BaseException]
):
    """The log says why, once; /health says that it failed. No exception of a pickle ends the
    worker."""

    def loading() -> Predict:
        raise kind("model.joblib is damaged; upload it again.")

    estimator = EstimatorOnDemand(loading)
    for _ in range(2):
        with pytest.raises(ModelFailed, match="can't be loaded; the log says why"):
            estimator(BATCH)
    assert estimator.state == "failed"
    assert [record.message for record in caplog.records] == [
        "The estimator can't be loaded: model.joblib is damaged; upload it again."
    ]


def test_the_estimator_answers_what_the_compiled_model_can_not(demo_model: Path):
    """The same with each setting; until it is asked, it is not loaded."""
    X = support.diabetes()[0].to_numpy()[:3]
    rows: list[Any] = [Batch(X, method) for method in ("predict", "predict_log_proba")]
    large = Batch(X * 1e200, "predict")
    models = {when: from_(demo_model, scoring_estimator=when) for when in ("start", "on-demand")}
    model = models["on-demand"]
    assert [model.predict(batch) for batch in rows] == [
        models["start"].predict(batch) for batch in rows
    ]
    assert (model.estimator, models["start"].estimator) == ("not loaded", "loaded")
    assert model.predict(large) == models["start"].predict(large)
    assert model.estimator == "loaded"


def test_without_its_estimator_a_model_refuses_what_its_compiled_form_can_not_answer(
    demo_model: Path,
):
    """SCORING_ESTIMATOR=never; a model without a compiled form then can't start."""
    model = from_(demo_model, scoring_estimator="never")
    X = support.diabetes()[0].to_numpy()[:1]
    assert model.predict(Batch(X, "predict")) == [1]
    with pytest.raises(ModelRefusedInput, match=r"\(SCORING_ESTIMATOR=never\) is not"):
        model.predict(Batch(X * 1e200, "predict"))
    assert model.estimator == "absent"
    with pytest.raises(StartupError, match="has no compiled form beside it that answers without"):
        from_(demo_model, scoring_estimator="never", scoring_backend="sklearn")


def test_what_may_need_the_estimator_is_not_computed_on_the_event_loop(demo_model: Path):
    """Small probabilities have no exact logarithm in the compiled form; loading takes seconds."""
    model = from_(demo_model)
    assert model.quick
    batch = Batch(support.diabetes()[0].to_numpy()[:1], "predict_log_proba")
    assert model.quick(batch._replace(method="predict"))
    assert not model.quick(batch)
    assert model.on_demand
    model.on_demand.loaded()
    assert model.quick(batch)


def test_a_damaged_file_stops_the_start_though_it_is_not_loaded(demo_copy: Path):
    """So does a pickle where pickles are forbidden."""
    with pytest.raises(StartupError, match="SCORING_ALLOW_PICKLE=false forbids"):
        from_(demo_copy, scoring_allow_pickle=False)
    (demo_copy / "model.joblib").write_bytes(b"other bytes")
    with pytest.raises(StartupError, match=r"model\.joblib is not the file that was packaged"):
        from_(demo_copy)
