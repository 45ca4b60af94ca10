"""Reads what is needed of an MLflow model folder, without MLflow: the scikit-learn file, the
signature, the example.

It is taken for what somebody else wrote: it permits nothing (docs/adr/0003).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import ANY, BOOLEAN, DATETIME, METHODS, TEXT, Feature
from azureml_scoring.models.files import bounded_yaml
from azureml_scoring.models.files.safe_join import safe_join

FILE_NAME = "MLmodel"

MLFLOW_DTYPES = {
    "double": "float64", "float": "float32", "long": "int64", "integer": "int32", "boolean": BOOLEAN, "string": TEXT,
    "datetime": DATETIME,
}  # fmt: skip

BOOSTER_CLASSES = {
    "lightgbm": "LGBMClassifier or LGBMRegressor",
    "xgboost": "XGBClassifier or XGBRegressor",
    "catboost": "CatBoostClassifier or CatBoostRegressor",
}
"""Flavour -> classes that have scikit-learn's methods."""

MAX_EXAMPLE_BYTES = 10_000_000
"""Bytes."""

MAX_TENSOR_COLUMNS = 1_000_000
"""Columns of a tensor, beyond which the signature is taken for damaged."""


@dataclass(frozen=True)
class MlflowModel:
    """``features``: of the signature, None where it tells none that can be used. ``method``: what
    ``predict_fn`` says. ``example``: rows by ``columns``, or by position where those are None; None
    where the folder has none."""

    model_file: str
    sklearn_version: str | None
    features: tuple[Feature, ...] | None
    method: str | None = None
    example: tuple[list[Any] | None, list[Any]] | None = None

    @classmethod
    def read(cls, folder: Path) -> MlflowModel:
        """Raises StartupError where the folder has no scikit-learn flavour or a signature that
        can't be served."""
        path = folder / FILE_NAME
        try:
            document = bounded_yaml.load(path.read_text(encoding="utf-8"))
            flavours = document["flavors"]
            if "sklearn" not in flavours:
                raise StartupError(_of_another_kind(path, flavours))
            flavour = flavours["sklearn"]
            version = flavour.get("sklearn_version")
            return cls(
                model_file=safe_join(folder, flavour["pickled_model"])
                .relative_to(folder)
                .as_posix(),
                sklearn_version=None if version is None else str(version),
                features=_features((document.get("signature") or {}).get("inputs")),
                method=_method(path, (flavours.get("python_function") or {}).get("predict_fn")),
                example=_example(folder, document.get("saved_input_example_info")),
            )
        except StartupError:
            raise
        except Exception:  # whatever somebody else's file leads to
            raise StartupError(
                f"{path} describes no scikit-learn model that can be served; save it with "
                f"mlflow.sklearn.save_model()."
            ) from None


def _of_another_kind(path: Path, flavours: dict[str, Any]) -> str:
    named = (
        ", ".join(str(flavour) for flavour in flavours if flavour != "python_function")
        or "python_function"
    )
    classes = next(
        (classes for flavour, classes in BOOSTER_CLASSES.items() if flavour in flavours),
        "scikit-learn estimator",
    )
    return (
        f"{path} describes a model of the flavour {named[:100]}, and only the flavour sklearn is "
        f"served; save a fitted "
        f"{classes} with mlflow.sklearn.save_model(), or with joblib.dump() into a folder of its "
        f"own."
    )


def _method(path: Path, predict_fn: Any) -> str | None:
    if predict_fn is None or predict_fn in METHODS:
        return None if predict_fn is None else str(predict_fn)
    given = str(predict_fn)[:50] or "empty"
    raise StartupError(
        f"predict_fn in {path} is {given}, which is not served; choose one of {', '.join(METHODS)}."
    )


def _features(inputs: str | None) -> tuple[Feature, ...] | None:
    if inputs is None:
        return None
    columns: list[dict[str, Any]] = json.loads(inputs)
    if columns[0]["type"] == "tensor":
        return _of_tensor(**columns[0]["tensor-spec"])
    return tuple(
        Feature(
            _name(column.get("name")),
            _dtype(column["type"]),
            missing=not column.get("required", True),
        )
        for column in columns
    )


def _of_tensor(dtype: str, shape: list[int]) -> tuple[Feature, ...] | None:
    """scikit-learn takes two dimensions; how many columns may be left open."""
    if len(shape) != 2 or shape[1] < 1:
        return None
    if shape[1] > MAX_TENSOR_COLUMNS:
        raise ValueError
    numeric = np.dtype(dtype).kind in "iuf" and dtype != "float16"
    feature = Feature(None, dtype if numeric else BOOLEAN if dtype == "bool" else ANY)
    return (feature,) * shape[1]


def _dtype(kind: Any) -> str:
    return MLFLOW_DTYPES.get(kind, ANY)


def _name(name: Any) -> str | None:
    return None if name is None else str(name)


def _example(folder: Path, saved: Any) -> tuple[list[Any] | None, list[Any]] | None:
    """Rows of ``input_example`` in ``mlflow.sklearn.save_model``: a frame's or an array's. A folder
    does without."""
    try:
        file = safe_join(folder, saved["artifact_path"])
        document = json.loads(file.read_bytes()) if file.stat().st_size <= MAX_EXAMPLE_BYTES else {}
        if "inputs" in document:
            return None, list(document["inputs"])
        return document.get("columns"), list(document["data"])
    except Exception:
        return None
