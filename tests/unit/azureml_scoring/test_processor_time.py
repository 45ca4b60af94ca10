import threading
import time

import pytest

from azureml_scoring import processor_time
from azureml_scoring.processor_time import Stopwatch


def compute(cpu_s: float) -> None:
    until = time.thread_time() + cpu_s
    while time.thread_time() < until:
        pass


def test_sleeping_is_no_computing():
    """A score that waits for another service is told apart from one that computes."""
    watch = Stopwatch()
    time.sleep(0.05)
    asleep = watch.spent()
    watch = Stopwatch()
    compute(0.05)
    computing = watch.spent()
    assert asleep.wall_s >= 0.045 > asleep.cpu_s
    assert computing.cpu_s >= 0.045


@pytest.mark.parametrize("content", [b"", b"1", b"a b c"])
def test_a_system_that_tells_nothing_leaves_the_whole_time(tmp_path, monkeypatch, content):
    """Containers may hide the scheduler's file, and other systems have none."""
    file = tmp_path / "schedstat"
    monkeypatch.setattr(processor_time, "SCHEDULER_FILE", str(file))
    watch = Stopwatch()
    file.write_bytes(content)
    time.sleep(0.02)
    assert watch.spent().wall_s >= 0.018


def test_time_without_a_processor_does_not_count(tmp_path, monkeypatch):
    """Scores are judged alike on a busy machine and on an idle one."""
    file = tmp_path / "schedstat"
    monkeypatch.setattr(processor_time, "SCHEDULER_FILE", str(file))
    file.write_bytes(b"0 1000000000 5\n")
    watch = Stopwatch()
    time.sleep(0.02)
    file.write_bytes(b"0 61000000000 9\n")
    spent = watch.spent()
    assert spent.wall_s == spent.cpu_s


def test_other_threads_count_for_the_process_only():
    """A model may compute on threads of its own."""
    watch = Stopwatch()
    other = threading.Thread(target=compute, args=(0.05,))
    other.start()
    other.join()
    spent = watch.spent()
    assert spent.process_cpu_s >= 0.045
    assert spent.process_cpu_s - spent.cpu_s >= 0.04
