"""Reads an MLflow model folder without MLflow: the model's file, the signature, the example.

The folder is not trusted: it can't permit anything (docs/adr/0003).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import METHODS
from azureml_scoring.inputs.feature import ANY, BOOLEAN, DATETIME, TEXT, Feature
from azureml_scoring.inputs.parameter import Parameter
from azureml_scoring.models.files import bounded_yaml
from azureml_scoring.models.files.safe_join import safe_join

FILE_NAME = "MLmodel"

MLFLOW_DTYPES = {
    "any": ANY,
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": BOOLEAN,
    "string": TEXT,
    "datetime": DATETIME,
}

FILE_KEYS = {
    "sklearn": "pickled_model", "xgboost": "data", "lightgbm": "data", "catboost": "data",
    "onnx": "data",
}  # fmt: skip
"""Flavour whose own file is read -> the key that names the file."""

FUNCTION = "python_function"

RAW_CLASSES = ("xgboost.core.Booster", "lightgbm.basic.Booster", "CatBoost")
"""Classes without scikit-learn's methods. MLflow answers with what their ``predict`` returns, which
is a classifier's probabilities."""

MAX_EXAMPLE_BYTES = 10_000_000

MAX_TENSOR_COLUMNS = 1_000_000
"""A signature with a wider tensor counts as damaged."""


@dataclass(frozen=True)
class PythonFunction:
    """What loads a model that only its author's code, or MLflow's, can read.

    loader: the module with ``_load_pyfunc``.
    data: its argument, below the folder; None for the folder itself.
    pickled: the file with a PythonModel; None without one.
    config: its second argument; None if it takes one alone.
    mlflow_version: of the MLflow that saved it.
    """

    loader: str
    data: str | None
    pickled: str | None
    config: Any
    mlflow_version: str | None


@dataclass(frozen=True)
class MlflowModel:
    """What an MLmodel file says.

    flavour: the one that is read.
    features: the signature's columns; None if it has none that can be used.
    parameters: those of the signature.
    method: the value of ``predict_fn``.
    raw: MLflow answers with what a booster returns, not with a label.
    example: column names (None: by position) and rows; None if the folder has no example.
    code: the folder with the author's modules, which ``code_paths`` named; None without it.
    python: the version that saved it; None if it is not known.
    function: how to load the flavour python_function; None for others.
    """

    flavour: str
    model_file: str
    sklearn_version: str | None
    features: tuple[Feature, ...] | None
    parameters: tuple[Parameter, ...] = ()
    method: str | None = None
    raw: bool = False
    example: tuple[list[Any] | None, list[Any]] | None = None
    code: Path | None = None
    python: str | None = None
    function: PythonFunction | None = None

    @classmethod
    def read(cls, folder: Path) -> MlflowModel:
        """Read a folder's MLmodel.

        Raises StartupError if it has no flavour that is served, or a signature that can't be.
        """
        path = folder / FILE_NAME
        flavours: dict[str, Any] = {}
        try:
            document = bounded_yaml.load(path.read_text(encoding="utf-8"))
            flavours = dict(document["flavors"])
            name = _flavour(path, flavours)
            flavour, function = flavours[name], flavours.get(FUNCTION) or {}
            signature = document.get("signature") or {}
            code, version = function.get("code"), _text(flavour.get("sklearn_version"))
            parameters = _parameters(signature.get("params"))
            _check(path, name, flavour, parameters)
            return cls(
                flavour=name,
                model_file=FILE_NAME
                if name == FUNCTION
                else safe_join(folder, flavour[FILE_KEYS[name]]).relative_to(folder).as_posix(),
                sklearn_version=version,
                features=_features(path, signature.get("inputs")),
                parameters=parameters,
                method=_method(path, function.get("predict_fn")),
                raw=flavour.get("model_class", flavour.get("model_type")) in RAW_CLASSES,
                example=_example(folder, document.get("saved_input_example_info")),
                code=None if code is None else safe_join(folder, code),
                python=_text(function.get("python_version")),
                function=_function(folder, function, document) if name == FUNCTION else None,
            )
        except StartupError:
            raise
        except Exception:  # a file from outside may raise anything
            name = next((name for name in (*FILE_KEYS, FUNCTION) if name in flavours), "sklearn")
            raise StartupError(
                f"{path} describes no {name} model that can be served; save it with "
                f"mlflow.{'pyfunc' if name == FUNCTION else name}.save_model()."
            ) from None


def default_method(described: MlflowModel | None, estimator: Any) -> str | None:
    """Return the method that MLflow's ``predict`` stands for; None if it is the estimator's."""
    if described is None or described.method:
        return described.method if described else None
    return "predict_proba" if described.raw and hasattr(estimator, "predict_proba") else None


def _flavour(path: Path, flavours: Mapping[str, Any]) -> str:
    """Return the flavour to read. Raises StartupError."""
    if known := next((name for name in (*FILE_KEYS, FUNCTION) if name in flavours), None):
        return known
    named = ", ".join(map(str, flavours))[:100] or "none"
    raise StartupError(
        f"{path} describes a model of the flavour {named}, and only {', '.join(FILE_KEYS)} and "
        f"{FUNCTION} are served; save a fitted scikit-learn estimator with "
        f"mlflow.sklearn.save_model(), or with joblib.dump() into a folder of its own."
    )


def _check(
    path: Path, name: str, flavour: Mapping[str, Any], parameters: tuple[Parameter, ...]
) -> None:
    """Refuse what would be answered otherwise than by MLflow. Raises StartupError."""
    if name == "catboost" and flavour.get("save_format", "cbm") != "cbm":
        raise StartupError(
            f"{path} describes a model in CatBoost's format {flavour['save_format']!s:.20}, and "
            f"only cbm is served; save it by mlflow.catboost.save_model() without format=."
        )
    if name == "xgboost" and parameters:
        raise StartupError(
            f"{path} has params in its signature, with which MLflow calls XGBoost's predict, and "
            f"which are not served; save the model with a signature without params."
        )


def _function(
    folder: Path, function: Mapping[str, Any], document: Mapping[str, Any]
) -> PythonFunction:
    data, pickled = (
        None if name is None else safe_join(folder, name).relative_to(folder).as_posix()
        for name in (function.get("data"), function.get("python_model"))
    )
    return PythonFunction(
        loader=str(function["loader_module"]),
        data=data,
        pickled=pickled,
        config=function.get("config"),
        mlflow_version=_text(document.get("mlflow_version")),
    )


def _parameters(params: str | None) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            str(spec["name"]),
            MLFLOW_DTYPES.get(spec.get("type", spec.get("dtype")), ANY),
            spec.get("default"),
            several=spec.get("shape") is not None,
        )
        for spec in (json.loads(params) if params else ())
    )


def _method(path: Path, predict_fn: Any) -> str | None:
    if predict_fn is None or predict_fn in METHODS:
        return None if predict_fn is None else str(predict_fn)
    name = str(predict_fn)[:50] or "empty"
    raise StartupError(
        f"predict_fn in {path} is {name}, which is not served; choose one of {', '.join(METHODS)}."
    )


def _features(path: Path, inputs: str | None) -> tuple[Feature, ...] | None:
    if inputs is None:
        return None
    columns: list[dict[str, Any]] = json.loads(inputs)
    if columns[0]["type"] == "tensor":
        return _of_tensors(columns)
    return tuple(
        Feature(
            _text(column.get("name")),
            _dtype(path, column),
            missing=not column.get("required", True),
            optional=not column.get("required", True),
        )
        for column in columns
    )


def _of_tensors(columns: list[dict[str, Any]]) -> tuple[Feature, ...] | None:
    """Return the columns of one tensor, or of several of one column each; else None."""
    specs = [column["tensor-spec"] for column in columns]
    if len(specs) == 1:
        return _of_tensor(**specs[0])
    if any(spec["shape"] not in ([-1], [-1, 1]) for spec in specs):
        return None
    return tuple(
        Feature(_text(column.get("name")), _tensor_dtype(spec["dtype"]))
        for column, spec in zip(columns, specs, strict=True)
    )


def _of_tensor(dtype: str, shape: list[int]) -> tuple[Feature, ...] | None:
    """Return a tensor's columns; None unless it has two dimensions and a known width."""
    if len(shape) != 2 or shape[1] < 1:
        return None
    if shape[1] > MAX_TENSOR_COLUMNS:
        raise ValueError
    return (Feature(None, _tensor_dtype(dtype)),) * shape[1]


def _tensor_dtype(dtype: str) -> str:
    numeric = np.dtype(dtype).kind in "iuf" and dtype != "float16"
    return dtype if numeric else BOOLEAN if dtype == "bool" else ANY


def _dtype(path: Path, column: Mapping[str, Any]) -> str:
    dtype = MLFLOW_DTYPES.get(column["type"])
    if dtype is None:
        raise StartupError(
            f"The column {column.get('name')!s:.100} in the signature of {path} is of type "
            f"{column['type']!s:.20}, and a request's values are single numbers, texts, booleans "
            f"and times; give each part of it a column of its own."
        )
    return dtype


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


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
