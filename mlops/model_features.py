"""The features of a model on this machine, by which a CSV is read.

They come from its manifest, its MLflow signature, or the model itself.
"""

from __future__ import annotations

import os
from pathlib import Path

from azureml_scoring import settings
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.estimators.estimator_contract import contract_of
from azureml_scoring.models.estimators.model_errors import startup_error_when
from azureml_scoring.models.estimators.model_in_dict import model_in_dict
from azureml_scoring.models.files import artifact, model_file


def features_of(model_dir: Path) -> tuple[Feature, ...]:
    """Return the features of the model in ``model_dir``. Raises StartupError.

    A model without a description is loaded, if the settings permit it.
    """
    configured = settings.load(os.environ | {"AZUREML_MODEL_DIR": str(model_dir)})
    model = artifact.find(configured)
    if features := described(model):
        return features
    content, _, _ = model_file.read(model, configured)
    try:
        with startup_error_when("its contract was read"):
            return contract_of(model_in_dict(content), model.mlflow).features
    except StartupError:
        raise StartupError(
            f"{model_dir} does not say which features its model takes; package the model, or leave "
            "--model-dir out and name columns by --text and --dtype."
        ) from None


def described(model: artifact.Artifact) -> tuple[Feature, ...]:
    """Return the features that the manifest or the MLflow signature declares, if there is one."""
    if model.manifest:
        return model.manifest.contract.features
    return (model.mlflow and model.mlflow.features) or ()
