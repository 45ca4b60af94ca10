"""Tells model files from others, and names the formats that are not served."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

PICKLE_SUFFIXES = (".pkl", ".pickle", ".p", ".joblib", ".sav")
COMPRESSED_SUFFIXES = (".z", ".gz")
"""Suffixes by which joblib chooses its compression."""

MODEL_SUFFIXES = (*PICKLE_SUFFIXES, *COMPRESSED_SUFFIXES, ".skops")
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

XGBOOST = (
    "a model in XGBoost's own format; save the fitted XGBClassifier or XGBRegressor with "
    "joblib.dump()"
)
LIGHTGBM = (
    "a model in LightGBM's own format; save the fitted LGBMClassifier or LGBMRegressor with "
    "joblib.dump()"
)
CATBOOST = (
    "a model in CatBoost's own format; save the fitted CatBoostClassifier or CatBoostRegressor "
    "with joblib.dump()"
)
ONNX = "an ONNX graph by itself; package the estimator that it was made of, which compiles it again"
NETWORK = (
    "a neural network, which is not served here; only scikit-learn's estimators and others of "
    "their methods are"
)
ARCHIVE = "an archive; unpack it, and upload what is in it"
PMML = "a model in PMML, which is not served here; save the estimator with joblib.dump()"

OTHER_FORMATS = {
    ".ubj": XGBOOST, ".bst": XGBOOST, ".cbm": CATBOOST, ".onnx": ONNX, ".pmml": PMML,
    ".h5": NETWORK, ".keras": NETWORK, ".pt": NETWORK, ".pth": NETWORK, ".safetensors": NETWORK,
    ".7z": ARCHIVE, ".tar": ARCHIVE, ".tgz": ARCHIVE, ".zip": ARCHIVE,
}  # fmt: skip
SIGNATURES = {".json": (b'"learner"', XGBOOST), ".txt": (b"tree\nversion", LIGHTGBM)}
"""Suffixes that other files share: what stands near the start of a model's file."""

SIGNATURE_WITHIN_BYTES = 100


def may_be_model_file(path: Path) -> bool:
    suffix = path.suffix.lower()
    data = suffix in COMPRESSED_SUFFIXES and Path(path.stem).suffix.lower() in DATA_SUFFIXES
    return suffix in MODEL_SUFFIXES and not data and path.is_file()


def other_format(path: Path) -> str | None:
    """Return what the file is and what to do, as the end of a sentence; None if not known."""
    suffix = path.suffix.lower()
    if suffix in COMPRESSED_SUFFIXES and Path(path.stem).suffix.lower() == ".tar":
        return ARCHIVE
    if suffix in SIGNATURES:
        start, kind = SIGNATURES[suffix]
        with suppress(OSError), path.open("rb") as file:
            return kind if start in file.read(SIGNATURE_WITHIN_BYTES) else None
    return OTHER_FORMATS.get(suffix)
