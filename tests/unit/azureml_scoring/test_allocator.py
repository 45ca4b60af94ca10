import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from azureml_scoring.allocator import give_back_what_is_freed
from places import SRC

SOURCE = SRC
GLIBC = getattr(ctypes.CDLL(None), "mallopt", None) is not None
THREADS_HOLD_AND_FREE = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from azureml_scoring.allocator import give_back_what_is_freed
if sys.argv[2] == "yes":
    assert give_back_what_is_freed()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
def work():
    for _ in range(3):
        held = [b"x" * size for size in (10_000_000, 9_000_000, 2_000_000)]
        small.append(b"x" * 5_000)
        barrier.wait()
        del held
small = []
barrier = threading.Barrier(16)
before = resident()
threads = [threading.Thread(target=work) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(resident() - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists() or not GLIBC, reason="It is about glibc on Linux."
)
def test_what_threads_held_goes_back_to_the_system():
    """Sixteen threads held 336 MB together: a small block that is still in use does not keep all of
    it."""

    def kept(asked: str) -> int:
        command = [sys.executable, "-c", THREADS_HOLD_AND_FREE, SOURCE, asked]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert kept("yes") < kept("no") / 4


@pytest.mark.parametrize(
    "environ", [{"MALLOC_ARENA_MAX": "1"}, {"GLIBC_TUNABLES": "glibc.malloc.arena_max=1"}]
)
def test_what_the_environment_has_chosen_stays(environ: dict[str, str]):
    """A user who tunes the allocator is not overruled."""
    assert not give_back_what_is_freed(environ)
