"""Says what loading a pickle would call, and refuses what no model needs, before it is loaded.

This finds what is known to be harmful. It does not make a pickle of a stranger safe: functions that
look harmless may do harm together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from azureml_scoring.errors import StartupError
from azureml_scoring.models.files.file_formats import booster_library, is_graph
from mlops.pickle_reader import WRAPPER, Name, Unreadable, names_in
from mlops.say import Say

MAX_NAMES = 20
"""Names that one line shows."""

HARMFUL_MODULES = frozenset([
    "_pickle", "_posixsubprocess", "asyncio", "bdb", "cffi", "code", "codeop", "commands",
    "ctypes", "distutils", "ensurepip", "ftplib", "http", "idlelib", "imaplib", "importlib",
    "marshal", "multiprocessing", "nt", "ntpath", "os", "pdb", "pickle", "pip", "pkgutil",
    "platform", "posix", "posixpath", "profile", "cProfile", "pty", "pydoc", "requests",
    "runpy", "shutil", "signal", "site", "smtplib", "socket", "sqlite3", "ssl", "subprocess",
    "sys", "tempfile", "threading", "timeit", "trace", "urllib", "venv", "webbrowser",
    "zipimport",
])  # fmt: skip
"""They start programs, open files and connections, or run other code."""

IMPORTED_EVERYWHERE = frozenset(
    ["ctypes", "importlib", "os", "pickle", "shutil", "socket", "subprocess", "sys"]
)
"""Other modules have these under the same name."""

HARMFUL_NAMES = frozenset(
    f"builtins.{name}"
    for name in (
        *("__import__", "breakpoint", "compile", "delattr", "eval", "exec", "globals", "input"),
        *("locals", "open", "setattr", "vars"),
    )
) | {
    "joblib.load",
    "joblib.numpy_pickle.load",
    "numpy.load",
    "numpy.testing._private.utils.runstring",
    "operator.attrgetter",
    "operator.methodcaller",
    "pandas.eval",
    "pandas.io.pickle.read_pickle",
    "pandas.read_pickle",
    "types.CodeType",
    "types.FunctionType",
}

USUAL = frozenset([
    "_codecs", "builtins", "catboost", "collections", "copyreg", "imblearn", "joblib",
    "lightgbm", "numpy", "pandas", "scipy", "sklearn", "xgboost",
])  # fmt: skip
"""Packages of which a line gives no single names."""


def check(file: Path, trust: Collection[str], say: Say) -> None:
    """Say what loading a model's file calls; nothing of a file that is no pickle.

    ``trust``: what is permitted although it is harmful, or the file's own name if it can't be read
    to its end. Raises StartupError for what is not permitted.
    """
    if file.suffix.lower() == ".skops" or booster_library(file) or is_graph(file):
        return
    if file.name == "MLmodel":
        say(f"  loading {file.parent.name} runs its author's code (MLflow's python_function)")
        return
    try:
        names = names_in(file)
    except OSError:
        return  # who loads it says what is wrong
    except Unreadable as error:
        names = error.names
        if not error.breaks_off and file.name not in trust:
            _refuse_harmful(file, names, trust)
            raise StartupError(
                f"What {file.name} would run can't be read without running it ({error}); if you "
                f"made it yourself, add `--trust {file.name}`, or save it with joblib.dump()."
            ) from None
    _refuse_harmful(file, names, trust)
    if names:
        say(f"  loading {file.name} calls {_listed(names)}")


def harmful(name: Name) -> bool:
    """Tell whether a model has no use for a function.

    A name may lead through other modules: ``joblib.parallel`` has ``os.system`` too. joblib's
    wrapper of an array under another name would be read differently here and there.
    """
    module, attribute = name
    parts = attribute.split(".")
    return (
        module.partition(".")[0] in HARMFUL_MODULES
        or f"{module}.{attribute}" in HARMFUL_NAMES
        or not IMPORTED_EVERYWHERE.isdisjoint(parts)
        or (parts[-1].endswith("ArrayWrapper") and name != WRAPPER)
    )


def _refuse_harmful(file: Path, names: Iterable[Name], trust: Collection[str]) -> None:
    refused = sorted(
        dotted for name in names if harmful(name) and (dotted := ".".join(name)) not in trust
    )
    if refused:
        options = " ".join(f"--trust {name}" for name in refused)
        raise StartupError(
            f"Loading {file.name} would call {', '.join(refused)}, which models do not need and "
            f"attackers do, so it is not loaded; if you know what for, add `{options}`."
        )


def _listed(names: Iterable[Name]) -> str:
    usual = sorted({top for module, _ in names if (top := module.partition(".")[0]) in USUAL})
    other = sorted(".".join(name) for name in names if name[0].partition(".")[0] not in USUAL)
    more = ["..."] if len(other) > MAX_NAMES else []
    return ", ".join([*usual, *other[:MAX_NAMES], *more])
