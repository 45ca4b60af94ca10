import multiprocessing
import os
from pathlib import Path

import pytest

from azureml_scoring import application
from azureml_scoring.errors import StartupError
from azureml_scoring.settings import Settings


@pytest.mark.parametrize(("threads", "limit"), [(None, 48), (1, 48), (64, 48), (16, 12), (2, 1)])
def test_threads_are_left_for_probes(threads: int | None, limit: int):
    """Fewer requests are admitted than the worker has threads."""
    assert application.in_flight_limit(Settings(), threads) == limit


def test_background_loading_and_preloading_are_refused_together(demo_model: Path):
    """The thread that loads would not live on in the workers."""
    settings = Settings(
        azureml_model_dir=demo_model, scoring_model_load="background", worker_preload=True
    )
    with pytest.raises(StartupError, match="does not go with WORKER_PRELOAD"):
        application.start(settings)


def test_a_forked_worker_shows_its_slots_before_the_first_request():
    """Under WORKER_PRELOAD the model is tried before the workers are forked."""
    one = application.build(Settings(scoring_slots=3))

    def work() -> None:
        row = one.service.admission._row()
        assert (row.pid, row.admission.slots) == (os.getpid(), 3)

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    assert child.exitcode == 0
