import pytest

from azureml_scoring.errors import NotReady, StartupError
from azureml_scoring.models.lifecycle import Lifecycle
from azureml_scoring.shared.scoreboard import WorkerPhase, WorkerRow


def fail() -> object:
    raise StartupError("No model; put one there.")


def wait_for(lifecycle: Lifecycle, phase: int) -> None:
    import time

    until = time.monotonic() + 10
    while lifecycle.phase != phase and time.monotonic() < until:
        time.sleep(0.01)
    assert lifecycle.phase == phase


def test_a_failed_load_in_the_background_is_told():
    """The reason is the sentence that init() would have ended with, and requests get 503."""
    row = WorkerRow()
    lifecycle = Lifecycle(lambda: row)
    lifecycle.load_in_background(fail)
    wait_for(lifecycle, WorkerPhase.FAILED)
    assert lifecycle.failure == "No model; put one there."
    with pytest.raises(NotReady, match="did not load"):
        lifecycle.model()


def test_an_unexpected_failure_is_told_without_its_message():
    """A bug has no sentence for the public."""
    row = WorkerRow()
    lifecycle = Lifecycle(lambda: row)
    lifecycle.load_in_background(lambda: 1 // 0)
    wait_for(lifecycle, WorkerPhase.FAILED)
    assert lifecycle.failure == "Loading failed: ZeroDivisionError."


def test_a_failed_load_in_init_goes_up():
    """The error ends the server."""
    row = WorkerRow()
    with pytest.raises(StartupError):
        Lifecycle(lambda: row).load(fail)
