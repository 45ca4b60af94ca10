"""Makes MLflow folders as MLflow 3 and 2 write them, without MLflow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    import pandas as pd

    from azureml_scoring.models.model import Model

ENVIRONMENT = {
    "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
    "python_version": "3.11.7",
}

OF_3 = {
    "is_signature_from_type_hint": False,
    "mlflow_version": "3.18.0",
    "model_id": None,
    "model_size_bytes": 13112,
    "model_uuid": "5d0ad5b5b0f34d3f9c4d1b6f3e9f2a11",
    "prompts": None,
    "type_hint_from_example": False,
    "utc_time_created": "2026-11-29 12:00:00.000000",
}
OF_2 = {
    "artifact_path": "model",
    "mlflow_version": "2.9.2",
    "model_size_bytes": 13112,
    "model_uuid": "5d0ad5b5b0f34d3f9c4d1b6f3e9f2a11",
    "run_id": "0b5b2f1c7a2e4d3f8a6c9e1d2b3a4c5d",
    "utc_time_created": "2023-12-29 12:00:00.000000",
}

LIGHTGBM_TYPES = [
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
]

LOADER = '''"""Loads a model that adds what the data says."""

from pathlib import Path


class Adder:
    def __init__(self, amount):
        self.amount = amount

    def predict(self, model_input{parameter}):
        return model_input["a"] + model_input["b"] + {addend}


def _load_pyfunc(path):
    return Adder(float(Path(path).read_text()))
'''


def mlflow(folder: Path, inputs: list[dict[str, object]], example: object = None) -> Path:
    """Write an MLmodel beside a folder's model.joblib."""
    document = {
        "flavors": {"sklearn": {"pickled_model": "model.joblib"}},
        "signature": {"inputs": json.dumps(inputs)},
        "saved_input_example_info": {"artifact_path": "input_example.json"},
    }
    (folder / "MLmodel").write_text(json.dumps(document))
    if example is not None:
        (folder / "input_example.json").write_text(json.dumps(example))
    return folder


def columns(names: Iterable[str], kind: str = "double", **more: Any) -> list[dict[str, Any]]:
    return [{"type": kind, "name": name, "required": True} | more for name in names]


def tensor(width: int, dtype: str = "float64", **more: Any) -> dict[str, Any]:
    return more | {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, width]}}


def parameter(name: str, kind: str, default: Any, shape: Any = None) -> dict[str, Any]:
    return {"name": name, "type": kind, "default": default, "shape": shape}


def write(
    folder: Path,
    flavours: Mapping[str, Any],
    inputs: Sequence[Mapping[str, Any]] | None = None,
    params: Sequence[Mapping[str, Any]] | None = None,
    *,
    version: int = 3,
) -> Path:
    """Write the MLmodel and the files that MLflow puts beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"flavors": flavours, **(OF_3 if version == 3 else OF_2)}
    if inputs is not None:
        document["signature"] = {
            "inputs": json.dumps(inputs),
            "outputs": '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]',
            "params": None if params is None else json.dumps(params),
        }
    (folder / "MLmodel").write_text(yaml.safe_dump(document))
    for name in ("conda.yaml", "python_env.yaml", "requirements.txt"):
        (folder / name).write_text("")
    return folder


def xgboost(folder: Path, model: Any, suffix: str = "ubj", **options: Any) -> Path:
    """Write what ``mlflow.xgboost.save_model`` does; MLflow 2 calls the file model.xgb."""
    kind = type(model)
    folder.mkdir(parents=True)
    name = f"model.{suffix}"
    model.save_model(str(folder / "model.ubj"))
    (folder / "model.ubj").rename(folder / name)
    flavour = {
        "code": None,
        "data": name,
        "model_class": f"{kind.__module__}.{kind.__name__}",
        "model_format": suffix,
        "xgb_version": "3.2.0",
    }
    return write(folder, _flavours("xgboost", flavour, name), **options)


def lightgbm(folder: Path, model: Any, **options: Any) -> Path:
    """Write what ``mlflow.lightgbm.save_model`` does: a Booster's own file, else a skops file by
    MLflow 3 and a pickle by MLflow 2."""
    kind = type(model)
    folder.mkdir(parents=True)
    flavour = {
        "code": None,
        "lgb_version": "4.7.0",
        "model_class": f"{kind.__module__}.{kind.__name__}",
    }
    safe = options.get("version", 3) == 3
    if safe:
        flavour |= {"serialization_format": "skops", "skops_trusted_types": LIGHTGBM_TYPES}
    if kind.__name__ == "Booster":
        name = "model.lgb"
        model.save_model(str(folder / name))
    elif safe:
        import skops.io

        name = "model.skops"
        skops.io.dump(model, folder / name)
    else:
        import cloudpickle

        name = "model.pkl"
        (folder / name).write_bytes(cloudpickle.dumps(model))
    flavours = _flavours("lightgbm", flavour | {"data": name}, name)
    return write(folder, flavours, **options)


def catboost(folder: Path, model: Any, **options: Any) -> Path:
    """Write what ``mlflow.catboost.save_model`` does."""
    folder.mkdir(parents=True)
    model.save_model(str(folder / "model.cb"))
    flavour = {
        "catboost_version": "1.2.10",
        "code": None,
        "data": "model.cb",
        "model_type": type(model).__name__,
        "save_format": "cbm",
    }
    return write(folder, _flavours("catboost", flavour, "model.cb"), **options)


def onnx(folder: Path, graph: bytes, **options: Any) -> Path:
    """Write what ``mlflow.onnx.save_model`` does with a small graph."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(graph)
    flavour = {
        "code": None,
        "data": "model.onnx",
        "onnx_session_options": None,
        "onnx_version": "1.23.2",
        "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    }
    return write(folder, _flavours("onnx", flavour, "model.onnx"), **options)


def adder(folder: Path, loader: str, amount: float = 10.0, **options: Any) -> Path:
    """Write what ``mlflow.pyfunc.save_model(loader_module=..., data_path=..., code_paths=...)``
    does, for a model that adds two columns, an amount, and ``times`` the parameter of that name.

    ``loader``: the module, which each test must call otherwise.
    """
    takes = bool(options.get("params"))
    addend = "self.amount * params['times']" if takes else "self.amount"
    source = LOADER.replace("{parameter}", ", params=None" if takes else "")
    (folder / "code").mkdir(parents=True)
    (folder / "code" / f"{loader}.py").write_text(source.replace("{addend}", addend))
    (folder / "data").mkdir()
    (folder / "data" / "amount.txt").write_text(str(amount))
    function = {
        "code": "code", "data": "data/amount.txt", "loader_module": loader, "streamable": False,
        **ENVIRONMENT,
    }  # fmt: skip
    return write(folder, {"python_function": function}, **options)


def _flavours(name: str, flavour: Mapping[str, Any], data: str) -> dict[str, Any]:
    function = {"data": data, "loader_module": f"mlflow.{name}", **ENVIRONMENT}
    return {"python_function": function, name: flavour}


def as_it_is_and_packaged(
    folder: Path, tmp_path: Path, sample: pd.DataFrame, trust: Sequence[str] = ()
) -> list[Model]:
    """Return the folder's model, loaded in both ways."""
    from azureml_scoring.models.loading import load
    from azureml_scoring.settings import Settings
    from mlops.package import package

    package(folder, sample, tmp_path / "artifact", trust=trust)
    return [
        load(Settings(scoring_model_path=place, scoring_skops_trusted_types=",".join(trust)))
        for place in (folder, tmp_path / "artifact")
    ]
