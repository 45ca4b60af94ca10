"""Opens the compiled form of a packaged model, and decides whether it answers requests."""

from __future__ import annotations

import hashlib
import logging
import math
import timeit
from dataclasses import replace
from typing import Any

import numpy as np

from azureml_scoring import log
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import METHODS
from azureml_scoring.models import golden_check
from azureml_scoring.models.engines import onnx_model, onnx_session
from azureml_scoring.models.engines.column_tables import ColumnTables
from azureml_scoring.models.engines.engines import Engines
from azureml_scoring.models.engines.onnx_model import OnnxModel
from azureml_scoring.models.engines.onnx_predictor import OnnxPredictor
from azureml_scoring.models.engines.session import Session
from azureml_scoring.models.engines.table_encoder import TableEncoder
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.manifest import REPACKAGE, Manifest
from azureml_scoring.models.model import Predict, Quick
from azureml_scoring.settings import Settings

INLINE_PREDICT_LIMIT_S = 0.005
"""A model that computes its largest batch within this time runs on the event loop."""


def answers_alone(packaged: Manifest | None, settings: Settings) -> bool:
    """Whether the compiled model may answer with its estimator not loaded: none of the engines that
    packaging chose is, or is a part of, the estimator."""
    if packaged is None or packaged.onnx is None or settings.scoring_backend == "sklearn":
        return False
    race = _chosen(packaged.onnx, settings).race
    return race is None or not {race.small, race.large} & {"booster", "estimator"}


def _chosen(compiled: OnnxModel, settings: Settings) -> OnnxModel:
    """Return the compiled model with the engines that the settings leave to it."""
    if compiled.race and settings.scoring_backend == "onnx":
        return replace(compiled, race=compiled.race.without_estimator())
    return compiled


def open_compiled(
    artifact: Artifact, estimator: Any, direct: Predict, settings: Settings
) -> tuple[OnnxPredictor | None, Quick | None]:
    """Open, verify and try the compiled model; return it and ``Model.quick``.

    ``estimator``: None if it is not loaded. ``direct`` is the estimator's own. Both are None where
    it answers. Raises StartupError.
    """
    packaged = artifact.manifest
    alone = packaged is not None and packaged.origin is not None
    demanded = (
        alone
        or settings.scoring_estimator == "never"
        or settings.scoring_backend == "onnx"
        or settings.scoring_onnx_provider == "cuda"
    )
    if settings.scoring_backend == "sklearn":
        if alone:
            raise StartupError(
                "SCORING_BACKEND=sklearn, but the artifact holds only the compiled form of its "
                "model; remove the setting."
            )
        return None, None
    if packaged is None or packaged.onnx is None:
        if not demanded:
            return None, None
        setting = (
            "SCORING_BACKEND=onnx"
            if settings.scoring_backend == "onnx"
            else "SCORING_ONNX_PROVIDER=cuda"
        )
        raise StartupError(
            f"{setting}, but {artifact.file.name} has no proven ONNX beside it; {REPACKAGE}, which "
            f"says why if there is none, or remove the setting."
        )
    compiled = _chosen(packaged.onnx, settings)
    graph = onnx_session.read_file(artifact.file.parent / compiled.file)
    packaged.verify(compiled.file, hashlib.sha256(graph).hexdigest())
    encoder = _encoder(artifact, packaged, compiled)

    engines = Engines(compiled, graph, estimator, settings.scoring_onnx_provider)

    # On demand, what only the estimator answers is checked when it is loaded.
    methods = METHODS if estimator is not None else compiled.outputs.keys() - compiled.logarithms

    def predictor(sessions: list[Session]) -> OnnxPredictor:
        return OnnxPredictor(compiled, engines.joined(sessions), direct, encoder, engines.rows)

    try:
        onnx_model.check_compared(compiled)
        sessions = engines.open_kept()
        for session in sessions:
            single = OnnxPredictor(compiled, session, direct, encoder)
            golden_check.check(packaged, single.strictly, compiled.parity["tolerance"], methods)
        predict = predictor(sessions)
    except StartupError as error:
        if demanded:
            raise
        log.event(f"scikit-learn answers in place of ONNX: {error}", logging.WARNING)
        return None, None
    if _full_batch_seconds(packaged, predict, settings) < INLINE_PREDICT_LIMIT_S:
        return predict, predict.quick  # waking other threads would cost more than they save
    # A session's threads do not survive a fork.
    threads = 1 if settings.worker_preload else settings.processors
    return predictor(engines.open_kept(threads)) if threads > 1 else predict, None


def _encoder(artifact: Artifact, packaged: Manifest, compiled: OnnxModel) -> TableEncoder | None:
    """Open and verify the tables of a mixed model. Raises StartupError."""
    if compiled.tables is None:
        return None
    file = onnx_session.read_file(artifact.file.parent / compiled.tables)
    packaged.verify(compiled.tables, hashlib.sha256(file).hexdigest())
    return TableEncoder(ColumnTables.of(file, compiled.tables))


def _full_batch_seconds(packaged: Manifest, predict: OnnxPredictor, settings: Settings) -> float:
    """Time the largest batch that may be quick and is not left to the estimator, made of golden
    rows that the graph answers: the fastest of five runs, since the first is slower."""
    X, method = golden_check.batch_of(packaged.golden_rows, packaged.contract).X, predict.methods[0]
    own, _ = predict.own_answers(Batch(X, method))
    if not own.any():
        return math.inf
    rows = min(settings.scoring_max_batch_size, predict.rows.stop - 1)
    batch = Batch(np.resize(X[own], (rows, X.shape[1])), method)
    while rows > 1 and not predict.quick(batch):
        rows //= 2
        batch = Batch(batch.X[:rows], method)
    return min(timeit.repeat(lambda: predict(batch), number=1, repeat=5))
