"""Loads the artifact: its file, its compiled form, both tried on its golden rows before a request
is taken."""

from __future__ import annotations

import hashlib
import logging
import math
import time
import timeit
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from azureml_scoring import log
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models import golden_rows as golden
from azureml_scoring.models import warm_up
from azureml_scoring.models.engines import onnx_model, onnx_session
from azureml_scoring.models.engines.onnx_model import OnnxPredictor
from azureml_scoring.models.estimators.estimator import Predictor, asking, cacheable, contract_of
from azureml_scoring.models.files import artifact
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.load_failure import way_out
from azureml_scoring.models.files.manifest import (
    REPACKAGE,
    RETRAIN,
    Manifest,
    running_versions,
    version_skew,
)
from azureml_scoring.models.files.model_file import read, saved_versions
from azureml_scoring.models.model import Model, Predict, Quick
from azureml_scoring.models.predictions import non_finite
from azureml_scoring.settings import Settings

QUICK = 0.005
"""Seconds."""

NOT_PACKAGED = (
    "This model is not packaged: `mlops package MODEL --sample DATA --out DIR` would add "
    "checksums, golden rows, what "
    "each feature takes as measured, drift, and a compiled form where one is proven"
)


def load(settings: Settings) -> Model:
    """Find, verify, unpickle, warm up. Raises StartupError."""
    found = artifact.find(settings)
    packaged = found.manifest
    if packaged is None and settings.scoring_require_manifest:
        raise StartupError(
            f"{found.file} has no manifest and SCORING_REQUIRE_MANIFEST is set; "
            "package it with `mlops package MODEL --sample DATA --out DIR`."
        )
    skew = version_skew(saved_versions(found))
    if settings.scoring_fail_on_version_skew:
        _refuse(skew)
    estimator, digest, warned = read(found, settings)
    threadpool_limits(
        settings.processors, user_api="blas"
    )  # by itself it counts the machine's, not the container's
    skew = warned | skew
    if settings.scoring_fail_on_version_skew:
        _refuse(skew)
    with asking("it was asked what it takes"):
        contract = packaged.contract if packaged else contract_of(estimator, found.mlflow)
        repeatable = packaged.cacheable if packaged else cacheable(estimator)
    predict = Predictor(estimator, contract)
    started = time.perf_counter()
    with asking("it was tried"):
        example = _tried(found, estimator, contract, predict)
        warmup_ms = (time.perf_counter() - started) * 1000
        proven = not non_finite(predict(golden.batch(list(example[:1]), contract)))
        compiled, quick = _compiled(found, predict, settings)
    asked = len(packaged.golden_rows) if packaged else 0
    return Model(
        found.name,
        found.version,
        digest,
        contract,
        tuple(skew.values()),
        asked,
        warmup_ms,
        running_versions() | (compiled.runtime if compiled else {}),
        repeatable,
        "onnx" if compiled else "sklearn",
        quick,
        compiled or predict,
        compiled.each if compiled else None,
        packaged.baselines if packaged else (),
        example,
        proven,
    )


def _tried(
    found: Artifact, estimator: Any, contract: Contract, predict: Predict
) -> list[list[Any]]:
    """Rows that the model has answered. Raises StartupError where it does not answer as it should,
    or at all."""
    if packaged := found.manifest:
        golden.check(packaged, predict)
        if not packaged.golden_answers:  # it answers differently each time
            warm_up.answered(contract, predict, packaged.golden_rows)
        return packaged.golden_rows
    rows = warm_up.rows(estimator, contract, found.mlflow.example if found.mlflow else None)
    row = warm_up.answered(
        contract, predict, rows, lambda: way_out(found.file, saved_versions(found))
    )
    log.event(NOT_PACKAGED)
    return [row]


def _full_batch_seconds(packaged: Manifest, predict: OnnxPredictor, settings: Settings) -> float:
    """How long the largest batch takes, of golden rows that the graph answers: the least of a few
    times, the first being slower."""
    known, method = golden.batch(packaged.golden_rows, packaged.contract).X, predict.methods[0]
    own, _ = predict.own_answers(Batch(known, method))
    if not own.any():
        return math.inf
    batch = Batch(np.resize(known[own], (settings.scoring_max_batch_size, known.shape[1])), method)
    return min(timeit.repeat(lambda: predict(batch), number=1, repeat=5))


def _compiled(
    found: Artifact, estimator: Predict, settings: Settings
) -> tuple[OnnxPredictor | None, Quick | None]:
    """The model compiled to ONNX, verified and tried, None where the estimator is to answer; and
    ``Model.quick``.

    Raises StartupError.
    """
    packaged = found.manifest
    demanded = settings.scoring_backend == "onnx" or settings.scoring_onnx_provider == "cuda"
    if settings.scoring_backend == "sklearn":
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
            f"{setting}, but {found.file.name} has no proven ONNX beside it; {REPACKAGE}, which "
            f"says why if "
            "there is none, or remove the setting."
        )
    compiled = packaged.onnx
    graph = onnx_session.read(found.file.parent / compiled.file)
    packaged.verify(compiled.file, hashlib.sha256(graph).hexdigest())

    def on(threads: int) -> OnnxPredictor:
        session = onnx_session.open_graph(
            graph,
            numpy=compiled.numpy,
            provider=settings.scoring_onnx_provider,
            threads=threads,
        )
        return OnnxPredictor(compiled, session, estimator)

    try:
        onnx_model.check_compared(compiled)
        predict = on(threads=1)
        golden.check(packaged, predict.strictly, tolerance=compiled.parity["tolerance"])
    except StartupError as error:
        if demanded:
            raise
        log.event(f"scikit-learn answers in place of ONNX: {error}", logging.WARNING)
        return None, None
    if _full_batch_seconds(packaged, predict, settings) < QUICK:
        return predict, predict.at_once  # waking other threads would cost more than they do
    # Forked workers would lack the threads that a session starts.
    threads = 1 if settings.worker_preload else settings.processors
    return on(threads) if threads > 1 else predict, None


def _refuse(skew: dict[str, str]) -> None:
    if skew:
        raise StartupError(
            f"The model was saved with other versions ({'; '.join(skew.values())}), which "
            f"SCORING_FAIL_ON_VERSION_SKEW "
            f"forbids; install those, or {RETRAIN}."
        )
