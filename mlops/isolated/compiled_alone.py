"""What is left of a measurement where only the compiled form answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from azureml_scoring.errors import ModelRefusedInput, StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models import golden_check
from azureml_scoring.models.engines.column_tables import ColumnTables
from azureml_scoring.models.engines.onnx_model import OnnxModel
from azureml_scoring.models.engines.onnx_predictor import OnnxPredictor
from azureml_scoring.models.engines.onnx_session import open_session
from azureml_scoring.models.engines.table_encoder import TableEncoder
from azureml_scoring.models.files.absent_estimator import AbsentEstimator
from mlops.isolated.model import not_compiled
from mlops.measure import Measurement
from mlops.say import Say


def compiled_alone(
    measurement: Measurement,
    compiled: OnnxModel | None,
    files: Mapping[str, bytes],
    file: Path,
    say: Say,
) -> Measurement:
    """Return the measurement without methods, gaps and golden rows that the estimator of ``file``
    would have to answer. Raises StartupError if nothing is left."""
    if compiled is None:
        raise StartupError(not_compiled(file, "the reason stands above"))
    contract = measurement.contract
    methods = tuple(method for method in contract.methods if method in compiled.outputs)
    for method in contract.methods:
        if method not in methods:
            say(f"  note: {method} is not compiled, and so not offered")
    features = contract.features
    if not compiled.missing:
        names = [feature.name for feature in features if feature.numeric and feature.missing]
        if names:
            say("  note: missing numbers are not proven, and so not taken")
        features = tuple(
            dataclasses.replace(feature, missing=False) if feature.numeric else feature
            for feature in features
        )
    say(f"  {file.name} stays out of the artifact, where its compiled form answers alone")
    contract = dataclasses.replace(contract, methods=methods, features=features)
    answered = _answered(measurement, compiled, files)
    rows = [row for row, kept in zip(measurement.rows, answered, strict=True) if kept]
    if not rows:
        raise StartupError(
            "The compiled form answers none of the golden rows; give others by --golden-rows FILE."
        )
    answers = {
        method: [answer for answer, kept in zip(known, answered, strict=True) if kept]
        for method, known in measurement.answers.items()
        if method in methods
    }
    return dataclasses.replace(measurement, contract=contract, rows=rows, answers=answers)


def _answered(
    measurement: Measurement, compiled: OnnxModel, files: Mapping[str, bytes]
) -> list[bool]:
    """Return for each golden row whether the compiled form answers it by every method."""
    encoder = None
    if compiled.tables:
        encoder = TableEncoder(ColumnTables.of(files[compiled.tables], compiled.tables))
    session = open_session(files[compiled.file])
    predict = OnnxPredictor(compiled, session, AbsentEstimator("").refuse, encoder)
    X = golden_check.batch_of(measurement.rows, measurement.contract).X

    def answers(row: int, method: str) -> bool:
        try:
            predict(Batch(X[row : row + 1], method))
        except ModelRefusedInput:
            return False
        return True

    return [all(answers(row, method) for method in compiled.outputs) for row in range(len(X))]
