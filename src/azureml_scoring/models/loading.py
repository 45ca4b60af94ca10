"""Loads a model: finds and verifies its file, opens its compiled form, and tries both before the
first request."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from azureml_scoring import log
from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models import golden_check, warm_up
from azureml_scoring.models.compiled_model import open_compiled
from azureml_scoring.models.concurrency import ROWS_TOGETHER, Concurrency
from azureml_scoring.models.concurrency_trial import trial
from azureml_scoring.models.direct_predict import direct_predict
from azureml_scoring.models.engines.graph_estimator import GraphEstimator
from azureml_scoring.models.estimator_on_demand import EstimatorOnDemand
from azureml_scoring.models.estimators.model_errors import startup_error_when
from azureml_scoring.models.files import artifact
from azureml_scoring.models.files.absent_estimator import AbsentEstimator
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.load_failure import way_out
from azureml_scoring.models.files.manifest import RETRAIN, Manifest, running_versions, version_skew
from azureml_scoring.models.files.model_file import saved_versions
from azureml_scoring.models.graph_alone import quick_graph
from azureml_scoring.models.joint_rows import MAX_JOINT_ROWS, joint_rows
from azureml_scoring.models.library_threads import threads_beside
from azureml_scoring.models.model import Model, Predict, Quick
from azureml_scoring.models.predictions import non_finite
from azureml_scoring.settings import Settings

NOT_PACKAGED = (
    "This model is not packaged: `mlops package MODEL --sample DATA --out DIR` adds checksums, "
    "golden rows, a contract measured on your data, drift, and a compiled form where one is proven"
)


def load(settings: Settings) -> Model:
    """Find, verify, unpickle and warm up the model. Raises StartupError."""
    source = artifact.find(settings)
    packaged = source.manifest
    if packaged is None and settings.scoring_require_manifest:
        raise StartupError(
            f"{source.file} has no manifest and SCORING_REQUIRE_MANIFEST is set; "
            "package it with `mlops package MODEL --sample DATA --out DIR`."
        )
    skew = version_skew(saved_versions(source))
    if settings.scoring_fail_on_version_skew:
        _refuse(skew)
    direct = direct_predict(source, settings)
    estimator, contract, threads = direct.estimator, direct.contract, direct.threads
    skew = direct.warned | skew
    if settings.scoring_fail_on_version_skew:
        _refuse(skew)
    predict = direct.predict
    absent = isinstance(estimator, AbsentEstimator)
    started = time.perf_counter()
    with startup_error_when("it was tried"):
        alone = estimator is None or absent
        if alone:
            compiled, quick = open_compiled(source, estimator, predict, settings)
            if direct.on_demand and not compiled:
                return load(dataclasses.replace(settings, scoring_estimator="start"))
            predict = compiled or predict
        example = _warm_up(source, estimator, contract, predict, checked=alone)
        warmup_ms = (time.perf_counter() - started) * 1000
        X = golden_check.batch_of(list(example), contract).X
        first = predict(Batch(X[:1], contract.methods[0]))
        if graph := isinstance(estimator, GraphEstimator):
            compiled, quick = None, quick_graph(estimator, predict, X, contract, settings)
        elif not alone:
            compiled, quick = open_compiled(source, estimator, predict, settings)
        if compiled:
            predict = threads.limited(compiled)
            if quick and direct.on_demand and compiled.logarithms:
                quick = _off_the_loop(quick, compiled.logarithms, direct.on_demand)
        concurrency = None if quick else _try(predict, X, contract, settings)
    slots = settings.scoring_slots or (concurrency.slots if concurrency else settings.processors)
    threads.limit(threads_beside(slots, settings.processors))
    together = joint_rows(
        predict,
        X,
        contract.methods,
        setting=settings.scoring_micro_batch_rows,
        concurrency=concurrency,
        one_engine=compiled.one_engine if compiled else MAX_JOINT_ROWS,
    )
    return Model(
        name=source.name,
        version=source.version,
        digest=direct.digest,
        contract=contract,
        version_skew=tuple(skew.values()),
        golden_rows=len(packaged.golden_rows) if packaged else 0,
        warmup_ms=warmup_ms,
        runtime=running_versions()
        | (estimator.runtime if graph else compiled.runtime if compiled else {}),
        cacheable=direct.cacheable,
        backend="onnx" if compiled or graph else "sklearn",
        quick=quick,
        predict=predict,
        predict_jointly=threads.limited(compiled.jointly) if compiled else None,
        each=compiled.each if compiled else None,
        joint_rows=together.most,
        joint_rows_reason=together.reason,
        baselines=packaged.baselines if packaged else (),
        answer_baselines=packaged.answer_baselines if packaged else (),
        most_row_share=packaged.most_row_share if packaged else 1.0,
        example=example,
        answers=_golden_answers(packaged, contract) or {contract.methods[0]: first},
        proven=not non_finite(first),
        concurrency=concurrency,
        on_demand=direct.on_demand,
        has_estimator=not (alone or graph),
    )


def _golden_answers(packaged: Manifest | None, contract: Contract) -> dict[str, list[Any]]:
    if packaged is None:
        return {}
    answers = packaged.golden_answers
    return {method: answers[method] for method in contract.methods if method in answers}


def _off_the_loop(quick: Quick, logarithms: frozenset[str], estimator: EstimatorOnDemand) -> Quick:
    """Leave to a thread what may need the estimator, until that is loaded."""

    def quick_alone(batch: Batch) -> Predict | None:
        if batch.method in logarithms and estimator.state != "loaded":
            return None
        return quick(batch)

    return quick_alone


def _warm_up(
    source: Artifact, estimator: Any, contract: Contract, predict: Predict, *, checked: bool
) -> list[list[Any]]:
    """Try the model; return rows that it has answered. ``checked``: it has answered the golden
    rows, when its compiled form was opened.

    Raises StartupError where it answers none, or not as at packaging.
    """
    if packaged := source.manifest:
        if not checked:
            tolerance = getattr(estimator, "tolerance", golden_check.RELATIVE_TOLERANCE)
            golden_check.check(packaged, predict, tolerance)
        if not packaged.golden_answers:  # its answers differ from call to call
            warm_up.first_answered(contract, predict, packaged.golden_rows)
        return packaged.golden_rows
    rows = warm_up.candidate_rows(
        estimator, contract, source.mlflow.example if source.mlflow else None
    )
    row = warm_up.first_answered(
        contract, predict, rows, lambda: way_out(source.file, saved_versions(source))
    )
    log.event(NOT_PACKAGED)
    return [row]


def _try(predict: Predict, X: np.ndarray, contract: Contract, settings: Settings) -> Concurrency:
    method = contract.methods[0]
    one = Batch(X[:1], method)
    several = Batch(np.resize(X, (ROWS_TOGETHER, X.shape[1])), method)
    return trial(
        lambda: predict(one),
        lambda: predict(several),
        processors=settings.processors,
        at_once=not settings.scoring_slots,  # it may be set because two at once crash the process
    )


def _refuse(skew: dict[str, str]) -> None:
    if skew:
        raise StartupError(
            f"The model was saved with other versions ({'; '.join(skew.values())}), which "
            f"SCORING_FAIL_ON_VERSION_SKEW forbids; install those, or {RETRAIN}."
        )
