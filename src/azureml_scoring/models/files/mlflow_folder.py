"""Reads an MLflow model folder without MLflow: the scikit-learn file, the signature, the example.

The folder is not trusted: it can't permit anything (docs/adr/0003).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import METHODS
from azureml_scoring.inputs.feature import ANY, BOOLEAN, DATETIME, TEXT, Feature
from azureml_scoring.models.files import bounded_yaml
from azureml_scoring.models.files.safe_join import safe_join

FILE_NAME = "MLmodel"

MLFLOW_DTYPES = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": BOOLEAN,
    "string": TEXT,
    "datetime": DATETIME,
}

BOOSTER_CLASSES = {
    "lightgbm": "LGBMClassifier or LGBMRegressor",
    "xgboost": "XGBClassifier or XGBRegressor",
    "catboost": "CatBoostClassifier or CatBoostRegressor",
}
"""Flavour -> its classes with scikit-learn's methods."""

MAX_EXAMPLE_BYTES = 10_000_000

MAX_TENSOR_COLUMNS = 1_000_000
"""A signature with a wider tensor counts as damaged."""


@dataclass(frozen=True)
class MlflowModel:
    """What an MLmodel file says.

    features: the signature's columns; None if it has none that can be used.
    method: the value of ``predict_fn``.
    example: column names (None: by position) and rows; None if the folder has no example.
    code: the folder with the author's modules, which ``code_paths`` named; None without it.
    """

    model_file: str
    sklearn_version: str | None
    features: tuple[Feature, ...] | None
    method: str | None = None
    example: tuple[list[Any] | None, list[Any]] | None = None
    code: Path | None = None

    @classmethod
    def read(cls, folder: Path) -> MlflowModel:
        """Read a folder's MLmodel.

        Raises StartupError if it has no scikit-learn flavour, or a signature that can't be served.
        """
        path = folder / FILE_NAME
        try:
            document = bounded_yaml.load(path.read_text(encoding="utf-8"))
            flavours = document["flavors"]
            if "sklearn" not in flavours:
                raise StartupError(_of_another_kind(path, flavours))
            flavour = flavours["sklearn"]
            python_function = flavours.get("python_function") or {}
            code = python_function.get("code")
            version = flavour.get("sklearn_version")
            return cls(
                model_file=safe_join(folder, flavour["pickled_model"])
                .relative_to(folder)
                .as_posix(),
                sklearn_version=None if version is None else str(version),
                features=_features((document.get("signature") or {}).get("inputs")),
                method=_method(path, python_function.get("predict_fn")),
                example=_example(folder, document.get("saved_input_example_info")),
                code=None if code is None else safe_join(folder, code),
            )
        except StartupError:
            raise
        except Exception:  # a file from outside may raise anything
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
        f"served; save a fitted {classes} with mlflow.sklearn.save_model(), or with joblib.dump() "
        f"into a folder of its own."
    )


def _method(path: Path, predict_fn: Any) -> str | None:
    if predict_fn is None or predict_fn in METHODS:
        return None if predict_fn is None else str(predict_fn)
    name = str(predict_fn)[:50] or "empty"
    raise StartupError(
        f"predict_fn in {path} is {name}, which is not served; choose one of {', '.join(METHODS)}."
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
    """Return a tensor's columns; None unless it has two dimensions and a known width."""
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
    """Read the ``input_example`` of ``mlflow.sklearn.save_model``, a frame's or an array's rows.

    None if there is none that can be read: a model needs no example.
    """
    try:
        file = safe_join(folder, saved["artifact_path"])
        document = json.loads(file.read_bytes()) if file.stat().st_size <= MAX_EXAMPLE_BYTES else {}
        if "inputs" in document:
            return None, list(document["inputs"])
        return document.get("columns"), list(document["data"])
    except Exception:
        return None
