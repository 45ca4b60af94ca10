import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import ThreadpoolController, threadpool_info

from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.library_threads import LibraryThreads, threads_beside
from azureml_scoring.models.model import Predict

ROW = Batch(np.zeros((1, 1)), "predict")

importlib.import_module("sklearn.utils._openmp_helpers")  # loads OpenMP


@pytest.fixture
def threads() -> Iterator[LibraryThreads]:
    with ThreadpoolController().limit(limits=None):
        yield LibraryThreads()


def limits(_: Batch) -> list[int]:
    return sorted({library["num_threads"] for library in threadpool_info()})


def elsewhere(predict: Predict) -> list[int]:
    """Return the limits on a new thread that predicts."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(predict, ROW).result()


def test_every_thread_that_predicts_has_the_limit(threads: LibraryThreads):
    """OpenMP, which boosted trees use, would start as many threads as there are processors."""
    threads.limit(1)
    predict = threads.limited(limits)
    assert predict(ROW) == elsewhere(predict) == [1]


def test_a_new_limit_reaches_threads_that_have_an_old_one(threads: LibraryThreads):
    """The slots may change while the service runs."""
    predict = threads.limited(limits)
    threads.limit(2)
    assert predict(ROW) == [2]
    threads.limit(1)
    assert predict(ROW) == [1]


@given(slots=st.integers(1, 48), processors=st.integers(1, 256))
def test_all_slots_together_use_no_more_than_the_processors(slots: int, processors: int):
    """And one thread each, if there are more slots than processors."""
    count = threads_beside(slots, processors)
    assert count == 1 or slots * count <= processors
    assert slots * (count + 1) > processors


def test_a_booster_whose_threads_cannot_be_set_is_served_all_the_same():
    """Such as a frozen class around one: it computes, with threads of its own choice."""

    def refuse(threads: int) -> None:
        raise AttributeError

    set_to = list[int]()
    LibraryThreads([refuse, set_to.append]).limit(3)
    assert set_to == [1, 3]
