import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import ThreadpoolController, threadpool_info

from azureml_scoring.models.library_threads import LibraryThreads, threads_beside

sklearn_openmp = pytest.importorskip("sklearn.utils._openmp_helpers")


@pytest.fixture
def threads() -> Iterator[LibraryThreads]:
    with ThreadpoolController().limit(limits=None):
        yield LibraryThreads()


def limits() -> set[int]:
    return {library["num_threads"] for library in threadpool_info()}


def elsewhere(threads: LibraryThreads) -> set[int]:
    """Return the limits on a new thread that predicts."""
    seen = set[int]()

    def run() -> None:
        threads.apply()
        seen.update(limits())

    other = threading.Thread(target=run)
    other.start()
    other.join()
    return seen


def test_every_thread_that_predicts_has_the_limit(threads: LibraryThreads):
    """OpenMP, which boosted trees use, would start as many threads as there are processors."""
    threads.limit(1)
    assert limits() == elsewhere(threads) == {1}


def test_a_new_limit_reaches_threads_that_have_an_old_one(threads: LibraryThreads):
    """The slots may change while the service runs."""
    threads.limit(2)
    threads.limit(1)
    threads.apply()
    assert limits() == {1}


@given(slots=st.integers(1, 48), processors=st.integers(1, 256))
def test_all_slots_together_use_no_more_than_the_processors(slots: int, processors: int):
    """And one thread each, if there are more slots than processors."""
    count = threads_beside(slots, processors)
    assert count == 1 or slots * count <= processors
    assert slots * (count + 1) > processors
