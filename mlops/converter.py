"""Runs graphs.py in a process of its own, which may crash or hang without harm."""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe
from typing import IO, Any, cast

import numpy as np

from mlops.equivalents import equivalent
from mlops.graphs import DTYPES, Converted, onnx_graphs
from mlops.parity import NotProven
from mlops.say import Say

PROCESSOR_LIMIT_S = 120.0
"""Processor time for a graph."""

WALL_LIMIT_S = 1_800.0
"""A busy machine may give the process a small share of a processor. Code that computes nothing and
never ends is ended too."""

END_TIMEOUT_S = 10.0
"""For the process to end once it has closed its pipe."""

MAX_TREE_NODES = 5_000_000
"""Nodes of all trees together, which take about a hundred seconds and 3 GB of memory."""

NOT_PICKLED = "it can't be handed to the process that converts it"

SECONDS_PER_NODE = 2e-5
"""Measured on forests of half a million nodes and of a million."""

PROGRESS_FROM_S = 5.0
"""A longer conversion is announced."""

Convert = Callable[[Any, int, Say], Iterator[Converted]]
"""Estimator, number of features, progress -> a graph for each dtype, or why there is none."""


@contextmanager
def converter(
    processor_limit_s: float = PROCESSOR_LIMIT_S, wall_limit_s: float = WALL_LIMIT_S
) -> Iterator[Convert]:
    """Start the process: ``with converter() as convert``. Start early, its imports take a second.

    ``convert`` raises NotProven if there is no point in trying. Its first graph can be checked
    while the second is being made.
    """
    receiver, sender = Pipe(duplex=False)
    with tempfile.TemporaryFile() as file, receiver:
        with sender:
            process = _start(file.fileno(), sender.fileno(), processor_limit_s)
        results = functools.partial(_results, process, receiver, processor_limit_s, wall_limit_s)
        try:
            yield functools.partial(_convert, process, file, results)
        finally:
            process.kill()
            process.communicate()


def _start(file: int, sender: int, processor_limit_s: float) -> subprocess.Popen[bytes]:
    """Start the process in its own session: only this process gets Ctrl-C from a terminal."""
    options = map(str, (os.getpid(), file, sender, processor_limit_s))
    command = [sys.executable, "-P", "-m", __name__, *options]
    return subprocess.Popen(  # noqa: S603 our own module
        command,
        pass_fds=[file, sender],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _convert(
    process: subprocess.Popen[bytes],
    file: IO[bytes],
    results: Callable[[], Iterator[Converted]],
    estimator: Any,
    width: int,
    say: Say,
) -> Iterator[Converted]:
    seconds = hand_over(estimator, file) * SECONDS_PER_NODE
    if seconds > PROGRESS_FROM_S:
        say(f"  converting its trees, about {seconds:.0f} s")
    # If the process died, reading the results says so.
    with contextlib.suppress(BrokenPipeError), cast(IO[bytes], process.stdin) as stdin:
        stdin.write(str(width).encode())
    return results()


def _results(
    process: subprocess.Popen[bytes],
    receiver: Connection,
    processor_limit_s: float,
    wall_limit_s: float,
) -> Iterator[Converted]:
    for dtype in DTYPES:
        if not receiver.poll(wall_limit_s):
            raise NotProven(f"converting it took longer than {wall_limit_s:.0f} seconds")
        try:
            failure, graph = receiver.recv()
        except EOFError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_TIMEOUT_S)
            raise NotProven(_why_it_ended(process.returncode, processor_limit_s)) from None
        yield dtype, NotProven(failure) if failure else graph


def _why_it_ended(status: int | None, processor_limit_s: float) -> str:
    """Say why the process ended before it was done. ``status``: negative for a signal."""
    if status == -signal.SIGXCPU:
        return f"converting it took more than {processor_limit_s:.0f} seconds of processor time"
    if status == -signal.SIGKILL:
        return "the process that converts it was killed, most likely for want of memory"
    how = signal.Signals(-status).name if status and status < 0 else f"status {status}"
    return f"the process that converts it died ({how})"


def hand_over(estimator: Any, file: IO[bytes]) -> int:
    """Pickle the estimator; return the number of nodes of its trees.

    Raises NotProven if it can't be pickled, or its trees can't be converted in time.
    """
    pickler = _Pickler(file, protocol=pickle.HIGHEST_PROTOCOL)
    try:
        pickler.dump(estimator)
        file.seek(0)
    except NotProven:
        raise
    except Exception as error:  # its objects may raise anything
        raise NotProven(f"{NOT_PICKLED} ({type(error).__name__})") from error
    return pickler.nodes


def _itself(thing: Any) -> Any:
    return thing


class _Pickler(pickle.Pickler):
    """Counts each tree that it pickles, and pickles equivalents, wherever in the estimator."""

    nodes = 0

    def persistent_id(self, obj: Any) -> None:
        from sklearn.tree._tree import Tree

        # One that splits at infinity is counted as its equivalent.
        if not isinstance(obj, Tree) or not np.isfinite(obj.threshold).all():
            return
        self.nodes += obj.node_count
        if self.nodes > MAX_TREE_NODES:
            raise NotProven(
                f"its trees have more than {MAX_TREE_NODES:,} nodes, which takes too long to "
                f"convert"
            )

    def reducer_override(self, obj: Any) -> Any:
        simpler = equivalent(obj)
        return NotImplemented if simpler is None else (_itself, (simpler,))


def _main(parent: str, file: str, sender: str, processor_limit_s: str) -> None:
    """Convert, in the process of its own."""
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    _limit_processor_time(float(processor_limit_s))
    results = Connection(int(sender), readable=False)
    importlib.import_module("mlops.trees.onnx_trees")  # and skl2onnx
    width = int(sys.stdin.read())
    try:
        with open(int(file), "rb") as source:
            estimator = pickle.load(source)
    except Exception as error:  # for example a class that can't be imported here
        failure = f"{NOT_PICKLED} ({type(error).__name__})"
        for _ in DTYPES:
            results.send((failure, b""))
        return
    for _, graph in onnx_graphs(estimator, width):
        results.send((str(graph), b"") if isinstance(graph, NotProven) else (None, graph))
        _limit_processor_time(float(processor_limit_s))


def _limit_processor_time(more_s: float) -> None:
    """Let the kernel send SIGXCPU after so many seconds more: it also ends code that lets no other
    thread run."""
    seconds = math.ceil(time.process_time() + more_s)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    if most != resource.RLIM_INFINITY:
        seconds = min(seconds, most)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, most))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


if __name__ == "__main__":
    _main(*sys.argv[1:])
