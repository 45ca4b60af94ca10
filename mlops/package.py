"""Packages a model: writes its file and a manifest, measured on sample data, to a folder."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models import golden_check
from azureml_scoring.models.engines.graph_estimator import GraphEstimator
from azureml_scoring.models.engines.onnx_model import OnnxModel
from azureml_scoring.models.estimators.estimator_contract import parameters_of
from azureml_scoring.models.estimators.known_features import with_fitted
from azureml_scoring.models.estimators.model_errors import startup_error_when
from azureml_scoring.models.estimators.model_in_dict import model_in_dict
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.files import artifact, model_file, python_function
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.manifest import Manifest, running_versions
from azureml_scoring.models.files.mlflow_folder import default_method
from azureml_scoring.models.files.model_file import UntrustedTypes
from azureml_scoring.settings import Settings
from mlops import artifact_folder, jobs
from mlops.compiled_form import compiled_form
from mlops.converter import converter
from mlops.csv_file import CsvFile
from mlops.golden_selection import GoldenOption
from mlops.graph_sample import graph_features, graph_rows
from mlops.isolated.compiled_alone import compiled_alone
from mlops.isolated.model import isolated_model
from mlops.measure import Measurement, measure
from mlops.needs import Needs
from mlops.pieces import check_whole
from mlops.read_as import as_fitted, unlike_the_fit
from mlops.sample import apply_types
from mlops.say import Say, silent


def package(
    model: Path,
    sample: pd.DataFrame | CsvFile,
    out: Path,
    *,
    user_types: Mapping[str, Feature] | None = None,
    name: str | None = None,
    version: str | None = None,
    force: bool = False,
    cacheable: bool = True,
    trust: Collection[str] = (),
    classes: Sequence[Any] = (),
    golden_rows: GoldenOption = "synthetic",
    code: Sequence[Path] = (),
    requirements: Path | None = None,
    isolated: bool = False,
    say: Say = silent,
) -> Manifest:
    """Write the artifact folder ``out``.

    The estimator is unpickled: package only what you trust. Raises StartupError.

    user_types: what the user says of a CSV's columns.
    trust: types that a skops file may hold, in addition to those that skops trusts.
    classes: names for the classes of a booster whose own file numbers them.
    golden_rows: rows for the manifest; "sample" takes some of the sample's, "synthetic" draws
        others like them.
    code: folders with modules of the user's, for the artifact.
    requirements: file of packages beyond the service's own; if isolated, of the environment's.
    isolated: the model is loaded in an environment of its own, and only what is compiled of it is
        served.
    """
    artifact_folder.check_out(out, force)
    say(f"Loading {model}")
    settings = Settings(
        scoring_model_path=model.absolute(),
        scoring_skops_trusted_types=",".join(trust),
        model_name=name,
        model_version=version,
    )
    source = artifact.find(settings)
    if source.manifest and source.manifest.origin:
        raise StartupError(
            f"{model} holds only what was compiled of {source.manifest.origin.file}; package that "
            f"file again."
        )
    needs = Needs(source, code, None if isolated else requirements, trust, say)
    with contextlib.ExitStack() as running:
        old = None
        if isolated:
            old = running.enter_context(isolated_model(source, code, requirements, say))
            estimator, digest = old.estimator, old.origin.sha256
        else:
            with needs.recorded():
                estimator, digest = _load(
                    source,
                    settings,
                    classes,
                    f"mlops package {model} --sample DATA --out {out}",
                    say,
                )
        with startup_error_when("it was measured on the sample"):
            signature = (source.mlflow and source.mlflow.features) or ()
            graph = isinstance(estimator, GraphEstimator)
            if graph:
                signature = graph_features(estimator, signature, [*sample.columns], say)
            else:
                signature = with_fitted(signature, estimator)
            sample = _read(sample, estimator, signature, user_types or {}, say)
            if not isinstance(golden_rows, str):
                golden_rows = _read(golden_rows, estimator, signature, user_types or {}, silent)
            check_whole(estimator, sample, say)
        graphs = running.enter_context(converter())
        with startup_error_when("it was measured on the sample"):
            default = default_method(source.mlflow, estimator)
            measurement = measure(estimator, sample, say, default, signature, golden_rows)
        compiled, compiled_files = (
            (None, dict[str, bytes]())
            if graph
            else compiled_form(
                estimator,
                measurement,
                old.converter(graphs) if old else graphs,
                say,
                alone=old is not None,
            )
        )
    if old:
        measurement = compiled_alone(measurement, compiled, compiled_files, source.file, say)
        code_files, packages = dict[str, Path](), dict[str, str]()
    else:
        _note_on_jobs(estimator, measurement, compiled, say)
        code_files, packages = needs.code(say), needs.packages(estimator, say)
    model_files = {} if old else _files(source)
    sources = {**model_files, **code_files}
    manifest = Manifest(
        model_name=source.name,
        model_version=source.version if source.version != "unknown" else "1",
        model_file=next(iter(compiled_files)) if old else source.file.name,
        files={name: artifact_folder.sha256_of(file) for name, file in sources.items()}
        | ({source.file.name: digest} if len(model_files) == 1 else {})
        | {name: hashlib.sha256(file).hexdigest() for name, file in compiled_files.items()},
        versions=running_versions(),
        contract=_with_signature(measurement.contract, signature, estimator, say),
        golden_rows=measurement.rows,
        golden_answers=measurement.answers,
        cacheable=cacheable and measurement.cacheable,
        onnx=compiled,
        baselines=measurement.baselines,
        requirements=packages,
        classes=tuple(classes),
        origin=old.origin if old else None,
    )
    say(f"Writing {out}")
    artifact_folder.write(
        manifest,
        sources,
        compiled_files,
        out,
        check=lambda folder: needs.check_alone(folder, say),
    )
    return manifest


def _files(source: Artifact) -> dict[str, Path]:
    """Return name -> file of the model itself, without its author's code."""
    if source.mlflow is None or source.mlflow.function is None:
        return {source.file.name: source.file}
    folder, code = source.file.parent, source.mlflow.code
    return {
        name: file
        for name, file in python_function.files(folder).items()
        if code is None or code not in file.parents
    }


def _with_signature(
    contract: Contract, signature: Sequence[Feature], estimator: Any, say: Say
) -> Contract:
    """Return the contract with what no sample shows: optional columns, and parameters."""
    optional = {feature.name for feature in signature if feature.optional}
    refused = [f.name for f in contract.features if f.name in optional and not f.missing]
    if refused:
        say(
            f"  note: the signature says that {', '.join(map(str, refused))} may be left out, but "
            f"the model takes no missing values there"
        )
    features = tuple(
        replace(feature, optional=feature.missing and feature.name in optional)
        for feature in contract.features
    )
    return replace(contract, features=features, parameters=parameters_of(estimator))


def _read(
    rows: pd.DataFrame | CsvFile,
    estimator: Any,
    signature: Sequence[Feature],
    user_types: Mapping[str, Feature],
    say: Say,
) -> pd.DataFrame:
    """Read rows with the types of the fit and of the user. Raises StartupError."""
    if isinstance(rows, CsvFile):
        frame = as_fitted(rows, estimator, signature, user_types, say)
    else:
        frame = apply_types(rows, {**unlike_the_fit(rows, estimator), **user_types})
    return graph_rows(frame, signature) if isinstance(estimator, GraphEstimator) else frame


def _load(
    source: Artifact, settings: Settings, classes: Sequence[Any], command: str, say: Say
) -> tuple[Any, str]:
    """Return the estimator and the sha256 of its file.

    ``command``: the user's own, which an error repeats with another option. Raises StartupError.
    """
    try:
        content, digest, skew = model_file.read(source, settings, classes)
    except UntrustedTypes as error:
        named = " ".join(
            f"--trust {untrusted}" for untrusted in sorted({*settings.trusted_types, *error.types})
        )
        raise StartupError(
            f"{error.problem}; if you trust that, run `{command} {named}`."
        ) from None
    estimator = model_in_dict(content)
    if estimator is not content:
        say(f"  note: the file is a dict, of which its {type(estimator).__name__} is served")
    for line in skew.values():
        say(
            f"  note: {line}; train it again with the versions that will serve it, or "
            f"package it with --isolated"
        )
    return estimator, digest


def _note_on_jobs(
    estimator: Any, measurement: Measurement, compiled: OnnxModel | None, say: Say
) -> None:
    """Print a note if ``n_jobs`` makes the estimator slower, unless the compiled model answers."""
    contract = measurement.contract
    if compiled and contract.methods[0] in compiled.outputs:
        return
    row, predict = (
        golden_check.batch_of(measurement.rows[:1], contract),
        Predictor(estimator, contract),
    )
    # Packaging must not fail because of a note.
    with contextlib.suppress(StartupError), startup_error_when("its n_jobs was looked for"):
        if line := jobs.note(estimator, lambda: predict(row)):
            say(f"  {line}")
