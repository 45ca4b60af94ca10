"""What answers without a compiled form, or beside it: the estimator, which may not be loaded."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models import golden_check
from azureml_scoring.models.booster_threads import thread_setters
from azureml_scoring.models.compiled_model import answers_alone
from azureml_scoring.models.estimator_on_demand import EstimatorOnDemand
from azureml_scoring.models.estimators.estimator_contract import cacheable, contract_of
from azureml_scoring.models.estimators.model_errors import startup_error_when
from azureml_scoring.models.estimators.model_in_dict import model_in_dict
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.files.absent_estimator import AbsentEstimator
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.files.model_file import loads_quietly, read, verify
from azureml_scoring.models.library_threads import LibraryThreads
from azureml_scoring.models.model import Predict
from azureml_scoring.settings import Settings

NEVER = "SCORING_ESTIMATOR=never"


class DirectPredict(NamedTuple):
    """``estimator``: None if it is not loaded. ``digest``: the sha256 of its file. ``warned``: the
    version skew that it reported itself."""

    estimator: Any
    contract: Contract
    cacheable: bool
    digest: str
    warned: dict[str, str]
    threads: LibraryThreads
    predict: Predict
    on_demand: EstimatorOnDemand | None = None


def direct_predict(source: Artifact, settings: Settings) -> DirectPredict:
    """Verify the model's file, and load it unless its compiled form answers without it. Raises
    StartupError."""
    packaged = source.manifest
    alone = answers_alone(packaged, settings)
    if settings.scoring_estimator == "never" and not alone:
        raise StartupError(
            f"{NEVER}, but {source.file.name} has no compiled form beside it that answers without "
            f"its estimator; remove the setting."
        )
    if packaged and alone and not packaged.origin:
        if settings.scoring_estimator == "never":
            return _without(source, packaged, settings)
        if settings.scoring_estimator == "on-demand" and loads_quietly(source):
            return _on_demand(source, packaged, settings)
    return _loaded(source, settings)


def _loaded(source: Artifact, settings: Settings) -> DirectPredict:
    packaged = source.manifest
    content, digest, warned = read(source, settings)
    estimator = model_in_dict(content)
    with startup_error_when("its contract was read"):
        contract = packaged.contract if packaged else contract_of(estimator, source.mlflow)
        repeatable = packaged.cacheable if packaged else cacheable(estimator)
    threads = LibraryThreads(thread_setters(estimator, len(contract.features)))
    predict = threads.limited(Predictor(estimator, contract))
    return DirectPredict(estimator, contract, repeatable, digest, warned, threads, predict)


def _on_demand(source: Artifact, packaged: Manifest, settings: Settings) -> DirectPredict:
    threads = _own_threads()

    def load() -> Predict:
        loaded = _loaded(source, settings)
        with startup_error_when("it was tried"):
            golden_check.check(packaged, loaded.predict)
        loaded.threads.limit(threads.count)
        return loaded.predict

    on_demand = EstimatorOnDemand(load)
    digest = verify(source, settings)
    return DirectPredict(
        None, packaged.contract, packaged.cacheable, digest, {}, threads, on_demand, on_demand
    )


def _without(source: Artifact, packaged: Manifest, settings: Settings) -> DirectPredict:
    """Return what refuses all that the compiled form can't answer."""
    compiled = packaged.onnx.outputs if packaged.onnx else {}
    methods = tuple(method for method in packaged.contract.methods if method in compiled)
    contract = dataclasses.replace(packaged.contract, methods=methods)
    predict = Predictor(AbsentEstimator(NEVER), contract)
    digest = verify(source, settings)
    return DirectPredict(None, contract, packaged.cacheable, digest, {}, _own_threads(), predict)


def _own_threads() -> LibraryThreads:
    """Limit the threads of numpy, which computes on the event loop."""
    threads = LibraryThreads()
    threads.apply()
    return threads
