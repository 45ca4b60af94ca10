"""Tells model files from others, and names the formats that are not served."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from azureml_scoring.models.boosters.native_file import Library

PICKLE_SUFFIXES = (".pkl", ".pickle", ".p", ".joblib", ".sav")
COMPRESSED_SUFFIXES = (".z", ".gz")
"""Suffixes by which joblib chooses its compression."""

BOOSTER_SUFFIXES: dict[str, Library] = {
    ".bst": "xgboost", ".cb": "catboost", ".cbm": "catboost", ".lgb": "lightgbm",
    ".ubj": "xgboost", ".xgb": "xgboost",
}  # fmt: skip
"""Of the libraries, and those that MLflow gives to their files."""

BOOSTER_STARTS: dict[str, tuple[bytes, Library]] = {
    ".json": (b'"learner"', "xgboost"), ".txt": (b"tree\nversion", "lightgbm"),
}  # fmt: skip
"""Suffixes that data also has: what stands near the start of a model's file."""

START_BYTES = 100

GRAPH_SUFFIX = ".onnx"

MODEL_SUFFIXES = (
    *PICKLE_SUFFIXES, *COMPRESSED_SUFFIXES, ".skops", *BOOSTER_SUFFIXES, GRAPH_SUFFIX,
)  # fmt: skip
"""Suffixes of model files, in upper or lower case."""

DATA_SUFFIXES = {
    ".csv",
    ".json",
    ".jsonl",
    ".log",
    ".ndjson",
    ".sql",
    ".tar",
    ".tsv",
    ".txt",
    ".xml",
}
"""Suffixes of data that is often compressed, as in train.csv.gz."""

NETWORK = (
    "a neural network, which is not served here; only scikit-learn's estimators and others of "
    "their methods are"
)
ARCHIVE = "an archive; unpack it, and upload what is in it"
PMML = "a model in PMML, which is not served here; save the estimator with joblib.dump()"

OTHER_FORMATS = {
    ".pmml": PMML,
    ".h5": NETWORK, ".keras": NETWORK, ".pt": NETWORK, ".pth": NETWORK, ".safetensors": NETWORK,
    ".7z": ARCHIVE, ".tar": ARCHIVE, ".tgz": ARCHIVE, ".zip": ARCHIVE,
}  # fmt: skip


def may_be_model_file(path: Path) -> bool:
    suffix = path.suffix.lower()
    data = suffix in COMPRESSED_SUFFIXES and Path(path.stem).suffix.lower() in DATA_SUFFIXES
    known = suffix in MODEL_SUFFIXES or booster_library(path) is not None
    return known and not data and path.is_file()


def is_graph(path: Path) -> bool:
    """Return whether the file is an ONNX graph by itself."""
    return path.suffix.lower() == GRAPH_SUFFIX


def booster_library(path: Path) -> Library | None:
    """Return the library that wrote the file in its own format; None for other files."""
    suffix = path.suffix.lower()
    if suffix in BOOSTER_STARTS:
        start, library = BOOSTER_STARTS[suffix]
        with suppress(OSError), path.open("rb") as file:
            return library if start in file.read(START_BYTES).replace(b"\r", b"") else None
    return BOOSTER_SUFFIXES.get(suffix)


def other_format(path: Path) -> str | None:
    """Return what the file is and what to do, as the end of a sentence; None if not known."""
    suffix = path.suffix.lower()
    if suffix in COMPRESSED_SUFFIXES and Path(path.stem).suffix.lower() == ".tar":
        return ARCHIVE
    return OTHER_FORMATS.get(suffix)
