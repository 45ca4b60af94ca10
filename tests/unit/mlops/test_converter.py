import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import unconvertible
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

import support  # noqa: F401  puts tests/models on the path
from examples import few_of
from mlops import converter as converters
from mlops.converter import converter
from mlops.graphs import DTYPES
from mlops.parity import NotProven
from processes import runs

pytestmark = pytest.mark.slow

X = np.arange(12.0).reshape(6, 2)
GAPS = np.array([[1.0, 0.0], [np.nan, 1.0], [2.0, 2.0], [np.nan, 3.0]] * 10)


def results(estimator: Any, **limits: float) -> list[Any]:
    with converter(**limits) as convert:
        return [graph for _, graph in convert(estimator, 2, print)]


def test_an_estimator_is_converted_to_a_graph_of_each_dtype():
    """The process that does it is gone afterwards."""
    before = set(psutil.Process().children(recursive=True))
    found = results(LinearRegression().fit(X, X[:, 0]))
    assert len(found) == len(DTYPES)
    assert all(isinstance(graph, bytes) for graph in found)
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_conversion_that_never_ends_is_ended():
    """The reason names the limit; no process is left."""
    with pytest.raises(NotProven, match=r"took longer than 3 seconds$"):
        results(unconvertible.Endless(), wall_limit_s=3.0)
    assert not [child for child in psutil.Process().children() if runs(child, "mlops.converter")]


def test_a_conversion_is_limited_by_its_processor_time():
    """A busy machine takes none of it; the reason is not taken for one of memory."""
    with pytest.raises(NotProven, match="took more than 1 seconds of processor time"):
        results(unconvertible.Busy(), processor_limit_s=1.0)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (-signal.SIGKILL, "was killed, most likely for want of memory"),
        pytest.param(-signal.SIGSEGV, r"died \(SIGSEGV\)", marks=pytest.mark.deep),
        pytest.param(3, r"died \(status 3\)", marks=pytest.mark.deep),
    ],
    ids=["killed", "crashed", "left"],
)
def test_a_conversion_that_dies_takes_nothing_with_it(how: int, reason: str):
    """The system may kill it for its memory; in `make deep` also a library crash. The reason tells
    them apart."""
    with pytest.raises(NotProven, match=reason):
        results(unconvertible.Dying(how))


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(FunctionTransformer(lambda X: X), LinearRegression()).fit(X, X[:, 0]),
        unconvertible.Homebound(),
    ],
    ids=["can't be pickled", "can't be read by the other process"],
)
def test_what_the_other_process_can_not_have_is_not_converted(estimator: Any):
    """The reason says so, be it on this side or on the other."""
    assert "can't be handed" in outcome(estimator)


def outcome(estimator: Any) -> str:
    try:
        [told] = set(map(str, results(estimator)))
    except NotProven as error:
        return str(error)
    return told


@pytest.mark.parametrize("rows", [X, GAPS], ids=["whole", "with gaps"])
def test_trees_that_would_take_for_ever_are_told_beforehand(
    rows: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    """Wherever in the model they are."""
    monkeypatch.setattr(converters, "MAX_TREE_NODES", 2)
    tree = DecisionTreeClassifier(random_state=0).fit(rows, np.arange(len(rows)) % 2)
    with pytest.raises(NotProven, match="more than 2 nodes"):
        results(make_pipeline(FunctionTransformer(), tree))


def test_nothing_need_be_converted():
    """A model on texts never is; the process that waits for it ends."""
    with converter():
        pass
    assert not [child for child in psutil.Process().children() if runs(child, "mlops.converter")]


def test_how_long_large_trees_take_is_told(monkeypatch: pytest.MonkeyPatch):
    """The estimate comes before the conversion."""
    monkeypatch.setattr(converters, "SECONDS_PER_NODE", 10.0)
    told: list[str] = []
    with converter() as convert:
        convert(DecisionTreeClassifier(random_state=0).fit(X, X[:, 0] > 4), 2, told.append)
        assert told == ["  converting its trees, about 30 s"]


@pytest.mark.parametrize(
    "how",
    few_of([signal.SIGKILL, signal.SIGTERM, signal.SIGINT], [signal.SIGKILL]),
    ids=lambda how: how.name,
)
def test_the_converting_process_ends_with_the_one_that_started_it(
    tmp_path: Path, how: signal.Signals
):
    """That one may be killed; in `make deep` also terminated or interrupted by Ctrl-C."""
    script = "import signal, unconvertible\nfrom mlops.converter import converter\n"
    # A shell's background job ignores Ctrl-C.
    script += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script += "with converter() as convert: next(convert(unconvertible.Endless(), 2, print))\n"
    note = tmp_path / "note"
    env = os.environ | {"NOTE": str(note), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", script], env=env) as parent:
        wait_until(lambda: note.exists() and note.read_text())
        parent.send_signal(how)
    wait_until(lambda: not psutil.pid_exists(int(note.read_text())))


def wait_until(condition: Any) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)
