"""Reads what is needed of an MLflow model folder, without MLflow: the scikit-learn file and the signature."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from contract import ANY, BOOLEAN, TEXT, Feature
from errors import StartupError

FILE_NAME = "MLmodel"

DTYPES = {
    "double": "float64", "float": "float32", "long": "int64", "integer": "int32", "boolean": BOOLEAN, "string": TEXT,
}  # fmt: skip


@dataclass(frozen=True)
class MlflowModel:
    """``features`` is None where the folder has no signature, ``names`` where the signature is a tensor's."""

    model_file: str
    sklearn_version: str | None
    features: tuple[Feature, ...] | None

    @classmethod
    def read(cls, folder: Path) -> MlflowModel:
        """Raises StartupError where the folder has no scikit-learn flavour or a signature that can't be served."""
        path = folder / FILE_NAME
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
            flavour = document["flavors"]["sklearn"]
            return cls(
                model_file=flavour["pickled_model"],
                sklearn_version=flavour.get("sklearn_version"),
                features=_features((document.get("signature") or {}).get("inputs")),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
            raise StartupError(
                f"{path} describes no scikit-learn model that can be served; save it with mlflow.sklearn.save_model()."
            ) from None


def _features(inputs: str | None) -> tuple[Feature, ...] | None:
    if inputs is None:
        return None
    columns: list[dict[str, Any]] = json.loads(inputs)
    if columns[0]["type"] == "tensor":
        tensor = columns[0]["tensor-spec"]
        _, width = tensor["shape"]  # scikit-learn takes two dimensions
        return tuple(Feature(None, tensor["dtype"]) for _ in range(width))
    return tuple(
        Feature(column.get("name"), DTYPES.get(column["type"], ANY), missing=not column.get("required", True))
        for column in columns
    )
