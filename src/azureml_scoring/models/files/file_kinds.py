"""Which files may hold a model, and what is known of those that hold one of another kind."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

PICKLES = (".pkl", ".pickle", ".p", ".joblib", ".sav")
COMPRESSED = (".z", ".gz")
"""As joblib writes them by itself."""

SUFFIXES = (*PICKLES, *COMPRESSED, ".skops")
"""In whichever case."""

DATA = {".csv", ".json", ".jsonl", ".log", ".ndjson", ".sql", ".tar", ".tsv", ".txt", ".xml"}
"""What else is compressed, as in train.csv.gz."""

XGBOOST = "a model in XGBoost's own format; save the fitted XGBClassifier or XGBRegressor with joblib.dump()"
LIGHTGBM = "a model in LightGBM's own format; save the fitted LGBMClassifier or LGBMRegressor with joblib.dump()"
CATBOOST = "a model in CatBoost's own format; save the fitted CatBoostClassifier or CatBoostRegressor with joblib.dump()"
ONNX = "an ONNX graph by itself; package the estimator that it was made of, which compiles it again"
NETWORK = "a neural network, which is not served here; only scikit-learn's estimators and others of their methods are"
ARCHIVE = "an archive; unpack it, and upload what is in it"
PMML = "a model in PMML, which is not served here; save the estimator with joblib.dump()"

OTHERS = {
    ".ubj": XGBOOST, ".bst": XGBOOST, ".cbm": CATBOOST, ".onnx": ONNX, ".pmml": PMML,
    ".h5": NETWORK, ".keras": NETWORK, ".pt": NETWORK, ".pth": NETWORK, ".safetensors": NETWORK,
    ".7z": ARCHIVE, ".tar": ARCHIVE, ".tgz": ARCHIVE, ".zip": ARCHIVE,
}  # fmt: skip
STARTS = {".json": (b'"learner"', XGBOOST), ".txt": (b"tree\nversion", LIGHTGBM)}
"""Suffixes of much else: what is near the start of a model's."""

NEAR = 100


def may_hold_a_model(path: Path) -> bool:
    suffix = path.suffix.lower()
    data = suffix in COMPRESSED and Path(path.stem).suffix.lower() in DATA
    return suffix in SUFFIXES and not data and path.is_file()


def of_another_kind(path: Path) -> str | None:
    """What a file is and what to do, as the end of a sentence; None where nothing is known."""
    suffix = path.suffix.lower()
    if suffix in COMPRESSED and Path(path.stem).suffix.lower() == ".tar":
        return ARCHIVE
    if suffix in STARTS:
        start, kind = STARTS[suffix]
        with suppress(OSError), path.open("rb") as file:
            return kind if start in file.read(NEAR) else None
    return OTHERS.get(suffix)
