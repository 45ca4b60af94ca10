"""Says in one sentence why a model's file can't be loaded, and what to do."""

from __future__ import annotations

import bz2
import lzma
import pickle
import platform
import re
import struct
import sys
import zipfile
import zlib
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from azureml_scoring.errors import reason
from azureml_scoring.models.files.file_formats import booster_library
from azureml_scoring.models.files.manifest import running_versions

DAMAGED = (
    EOFError, IndexError, UnicodeDecodeError, lzma.LZMAError, pickle.UnpicklingError, struct.error,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""Exceptions of readers of pickles and archives for bytes that are missing or make no sense."""

VERSION_PATTERN = re.compile(
    rb"_sklearn_version(?:q.|r.{4}|\x94|\np\d+)?(?:X.{4}|\x8c.|\nV)(\d+(?:\.\d+)+(?:(?:\.dev|\.post|a|b|rc)\d+)?)",
    re.DOTALL,
)
"""A text in a pickle and the one after it, in every protocol. scikit-learn's estimators all hold
this text, followed by their version."""

OF_THE_SAME_NAME = (
    "catboost", "category_encoders", "cloudpickle", "dask", "econml", "feature_engine", "gensim",
    "hdbscan", "imodels", "interpret", "keras", "lifelines", "lightgbm", "mapie", "mlxtend",
    "ngboost", "nltk", "numba", "optuna", "polars", "prophet", "pyod", "sktime", "skorch", "skrub",
    "spacy", "statsmodels", "tensorflow", "torch", "transformers", "tslearn",
)  # fmt: skip
PACKAGES = {name: name.replace("_", "-") for name in OF_THE_SAME_NAME} | {
    "PIL": "pillow", "cv2": "opencv-python-headless", "imblearn": "imbalanced-learn",
    "skimage": "scikit-image", "skopt": "scikit-optimize", "sksurv": "scikit-survival",
    "umap": "umap-learn", "xgboost": "xgboost-cpu", "yaml": "PyYAML",
}  # fmt: skip
"""Top-level module -> its package on PyPI."""

BYTECODE = (b"cloudpickle", b"CodeType")
"""Names in a pickle that holds bytecode."""

RESERVED = ("azureml_scoring", "cache", "mlops", "score", "validation")
"""Names of our modules that lie where the user's own are imported from."""

LFS_POINTER = b"version https://git-lfs"
MAX_READ_BYTES = 64_000_000
"""Decompressed bytes that are read from the start of a file."""

OLDEST_SERVED = (1, 5)
"""The oldest scikit-learn that setup.cfg allows."""


def sentence(error: BaseException, file: Path, saved: dict[str, str]) -> str:
    """Return the sentence. ``saved``: package -> version, as far as known without the file."""
    of_library = _of_booster if booster_library(file) else _of_versions
    what = _of_bytes(error, file) or of_code(error) or of_library(error, file, saved)
    return f"{file.name} {what}."


def _of_bytes(error: BaseException, file: Path) -> str | None:
    start = first_bytes(file)
    if start.startswith(LFS_POINTER):
        return "is a pointer of Git LFS, not the model; run `git lfs pull` and upload it again"
    if _damaged(error) or _incomplete(file, start):
        why = "" if _unknown_opcode(error) else f" ({reason(error)})"
        return (
            f"is damaged or incomplete, or no model that can be loaded{why}; save the model and "
            f"upload it again"
        )
    if isinstance(error, MemoryError):
        return "takes more memory than there is; give the container more"
    return None


def of_bytecode(file: Path, python: str | None) -> str | None:
    """Say what to do about a pickle that holds the bytecode of another Python, as cloudpickle
    writes of functions and classes of a notebook; None for others.

    Loading it may end the process. ``python``: the version at saving, if it is known.
    """
    running = platform.python_version()
    if python is None or python.split(".")[:2] == running.split(".")[:2]:
        return None
    start = first_bytes(file)
    if not all(name in start for name in BYTECODE):
        return None
    minor = ".".join(python.split(".")[:2])
    return (
        f"holds functions that Python {minor} compiled, and Python {running} runs here, which may "
        f"crash on them; serve it with Python {minor}, save it again with this one, or move the "
        f"functions into a module, which is saved by its name"
    )


def of_code(error: BaseException) -> str | None:
    """Say what to do about code that a model needs and that can't be imported; None for other
    errors."""
    if name := _of_main(error):
        return of_main(name)
    if name := _reserved(error):
        return f"needs {name_taken(name)}"
    if isinstance(error, ModuleNotFoundError) and (package := _missing(error)):
        return (
            f"needs the Python module {error.name}, which is not installed; {_source_of(package)}"
        )
    return None


def _of_main(error: BaseException) -> str | None:
    """Return the name that ``__main__`` lacks. Under ``python -m`` it is shown by another name."""
    shown = re.escape(repr(sys.modules["__main__"]))
    pattern = rf"attribute '([^']+)' on {shown}|'__main__' has no attribute '([^']+)'"
    named = re.search(pattern, str(error)) if isinstance(error, AttributeError) else None
    return named and (named[1] or named[2])


def of_main(name: str) -> str:
    """Say what to do about a class or function that a pickle looks for in ``__main__``."""
    return (
        f"needs {name}, which the notebook or script that saved the model defined itself, and "
        f"which no other program can import; move {name} into a module, such as steps.py, import "
        f"it from there, fit and save the model again, and package it with --code and the folder "
        f"of steps.py"
    )


def name_taken(name: str, owner: str = "the service") -> str:
    """Say what to do about a module of the user's that another one hides."""
    return (
        f"a module of yours called {name}, but {owner} has one of that name; rename yours, "
        f"train the model with it, and save it again"
    )


def _reserved(error: BaseException) -> str | None:
    """Return the module of ours that was imported in place of the user's."""
    if isinstance(error, ModuleNotFoundError):
        module = error.name or ""
    elif isinstance(error, AttributeError) and (
        named := re.search(r"module '([^']*)'", str(error))
    ):
        module = named[1]
    else:
        return None
    top = module.partition(".")[0]
    return top if top in RESERVED else None


def _source_of(module: str) -> str:
    """Say what to do about a module that is not installed.

    Only known packages are named: a stranger may have registered one under a module's name.
    """
    if package := PACKAGES.get(module):
        return (
            f"add its package, here and to the images, by `make lock ADD={package}` "
            "in the repository"
        )
    return (
        f"if {module} is a module of your own, put its source beside score.py or package the model "
        "with --code and the folder that holds it; if it comes from a package, add that package, "
        "here and to the images, by `make lock ADD=PACKAGE` in the repository"
    )


def _of_booster(error: BaseException, file: Path, saved: dict[str, str]) -> str:
    # The library's message goes on with a stack trace.
    why = (reason(error).splitlines() or [""])[0]
    if isinstance(error, ImportError | OSError):  # such as one for libgomp.so.1
        return f"needs a library that can't be loaded here ({why}); add it to the image"
    return (
        f"is damaged or incomplete, or of a version that can't be read here ({why}); save the "
        f"model and upload it again"
    )


def _of_versions(error: BaseException, file: Path, saved: dict[str, str]) -> str:
    versions = ", ".join(f"{package} {number}" for package, number in saved.items())
    install = (
        f"is it a scikit-learn model? If so install {versions or 'the versions it was saved with'}"
    )
    return f"can't be loaded ({reason(error)}); {way_out(file, saved) or install}"


def way_out(file: Path, saved: dict[str, str]) -> str | None:
    """Return what to do if another scikit-learn saved the file, as the end of a sentence.

    None if the versions are the same, or not known.
    """
    version, running = (
        saved.get("scikit-learn") or saved_version(file),
        running_versions()["scikit-learn"],
    )
    if version in (None, running):
        return None
    install = f", install scikit-learn {version}" if is_served(version) else ""
    return (
        f"it was saved with scikit-learn {version} and {running} runs here: train and save it "
        f"again with {running}{install}, or package it with `mlops package --isolated`, after "
        f"which the service needs only its compiled form"
    )


def is_served(version: str) -> bool:
    """Return whether a service can run with this scikit-learn."""
    return tuple(map(int, re.findall(r"\d+", version)[:2])) >= OLDEST_SERVED


def saved_version(file: Path) -> str | None:
    """Read scikit-learn's version off a pickle without loading it."""
    match = VERSION_PATTERN.search(first_bytes(file))
    return match[1].decode() if match else None


def _missing(error: ModuleNotFoundError) -> str | None:
    """Return the top-level module; None if it is installed, in a version that lacks the module."""
    package = (error.name or "").partition(".")[0]
    return package if package and find_spec(package) is None else None


def _damaged(error: BaseException) -> bool:
    array_cut = isinstance(error, ValueError) and "EOF: reading array data" in str(error)
    return isinstance(error, DAMAGED) or _unknown_opcode(error) or array_cut


def _unknown_opcode(error: BaseException) -> bool:
    return isinstance(error, KeyError) and bool(error.args) and isinstance(error.args[0], int)


def _incomplete(file: Path, start: bytes) -> bool:
    """True for a pickle without the opcode STOP at its end, unless only its start was read."""
    other = file.suffix.lower() == ".skops" or booster_library(file)
    pickled = not other and len(start) < MAX_READ_BYTES
    return not start or (pickled and not start.rstrip(b"\n").endswith(pickle.STOP))


def first_bytes(file: Path) -> bytes:
    """Read a file's start, decompressed if joblib compressed it."""
    start = b""
    with suppress(OSError), file.open("rb") as opened:
        start = opened.read(MAX_READ_BYTES)
    for reader in (
        zlib.decompressobj(wbits=47),
        bz2.BZ2Decompressor(),
        lzma.LZMADecompressor(),
    ):  # 47: zlib's, gzip's
        with suppress(OSError, lzma.LZMAError, zlib.error):
            return reader.decompress(start, MAX_READ_BYTES)
    return start
