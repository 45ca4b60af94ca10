"""Answers for an estimator, in the environment that it was saved with.

Started as a script by that environment's Python, which has none of our packages.

    python worker.py REQUESTS ANSWERS

The arguments are numbers of file descriptors. Each message is as ``wire`` writes it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings
from typing import Any

METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score_samples",
    "transform",
)
BOOSTERS = ("catboost", "_catboost", "lightgbm", "xgboost")
"""Packages whose own exceptions stand for ValueError."""


def _wire() -> Any:
    """Import wire.py by its path: a name on the path could hide a module of the user's."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wire.py")
    spec = importlib.util.spec_from_file_location("_isolated_wire", path)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


class Worker:
    """Holds what the file holds. ``path``: the way from there to an estimator inside of it."""

    def __init__(self) -> None:
        self._content: Any = None

    def load(self, file: str) -> None:
        import joblib

        self._content = joblib.load(file)

    def methods(self, path: list[Any]) -> list[str]:
        estimator = self._at(path)
        return [name for name in METHODS if _has(estimator, name)]

    def versions(self) -> dict[str, str]:
        """Return package -> version of all that is installed, and Python's."""
        from importlib.metadata import distributions

        python = ".".join(map(str, sys.version_info[:3]))
        installed = ((each.metadata["Name"], each.version) for each in distributions())
        return {"python": python, **dict(sorted(installed))}

    def call(self, path: list[Any], method: str, rows: Any) -> Any:
        import joblib

        # Starting threads or processes for n_jobs would take longer than they save.
        with joblib.parallel_backend("sequential"):
            return getattr(self._at(path), method)(rows)

    def _at(self, path: list[Any]) -> Any:
        thing = self._content
        for kind, name, place in path:
            thing = thing[name] if kind == "item" else getattr(thing, name)
            thing = thing if place is None else thing[place][1]
        return thing


def _has(estimator: Any, name: str) -> bool:
    try:
        return callable(getattr(estimator, name, None))
    except Exception:  # a property that raises
        return False


def _kinds(error: BaseException) -> list[str]:
    """Return the names of an exception's classes, its own first."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    of_booster = type(error).__module__.partition(".")[0] in BOOSTERS
    return ["ValueError", *kinds] if of_booster else kinds


def main(requests: str, answers: str) -> None:
    """Answer until the other side hangs up."""
    sys.path.pop(0)  # the folder of this script
    warnings.simplefilter("ignore")
    wire, worker = _wire(), Worker()
    with os.fdopen(int(requests), "rb") as source, os.fdopen(int(answers), "wb") as sink:
        while True:
            try:
                operation, *arguments = wire.read(source)
            except EOFError:
                return
            try:
                wire.write(sink, [None, getattr(worker, operation)(*arguments)])
            except BrokenPipeError:
                return
            except BaseException as error:  # a pickle or a model can raise anything
                wire.write(sink, [[_kinds(error), str(error)], None])


if __name__ == "__main__":
    main(*sys.argv[1:])
