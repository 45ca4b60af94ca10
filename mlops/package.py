"""Packages a model: writes its file and a manifest, measured on sample data, to a folder."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models import golden_check
from azureml_scoring.models.engines.graph_estimator import GraphEstimator
from azureml_scoring.models.engines.onnx_model import OnnxModel
from azureml_scoring.models.estimators.model_errors import startup_error_when
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.files import artifact, python_function
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.manifest import Manifest, running_versions
from azureml_scoring.models.files.mlflow_folder import default_method
from azureml_scoring.settings import Settings
from mlops import artifact_folder, jobs, pickled_code
from mlops.compiled_form import compiled_form
from mlops.converter import Convert, converter
from mlops.csv_file import CsvFile
from mlops.golden_selection import GoldenOption
from mlops.isolated.compiled_alone import compiled_alone
from mlops.loaded_model import LoadedModel, model_here, model_in_its_environment
from mlops.measure import Measurement, measure
from mlops.model_sample import ModelSample
from mlops.needs import Needs
from mlops.pieces import check_whole
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
    trust: types that a skops file may hold, in addition to those that skops trusts; functions that
        a pickle may name although they can do harm.
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
    source = _source(settings)
    pickled_code.check(source.file, trust, say)
    needs = Needs(source, code, None if isolated else requirements, trust, say)
    with contextlib.ExitStack() as running:
        if isolated:
            model_in = model_in_its_environment(source, code, requirements, say)
            loaded = running.enter_context(model_in)
        else:
            command = f"mlops package {model} --sample DATA --out {out}"
            with needs.recorded():
                loaded = model_here(source, settings, classes, command, say)
        graphs = running.enter_context(converter())
        reader, measured = _measured(source, loaded, sample, golden_rows, user_types or {}, say)
        compiled, compiled_files = _compiled(loaded, measured, graphs, say)
    if loaded.isolated:
        measured = compiled_alone(measured, compiled, compiled_files, source.file, say)
        copied = _Copied({}, {}, {})
    else:
        _note_on_jobs(loaded.estimator, measured, compiled, say)
        copied = _copied(source, loaded, needs, say)
    manifest = Manifest(
        model_name=source.name,
        model_version=source.version if source.version != "unknown" else "1",
        model_file=next(iter(compiled_files)) if loaded.isolated else source.file.name,
        files=copied.sums
        | {name: hashlib.sha256(file).hexdigest() for name, file in compiled_files.items()},
        versions=running_versions(),
        contract=reader.signed(measured.contract, say),
        golden_rows=measured.rows,
        golden_answers=measured.answers,
        cacheable=cacheable and measured.cacheable,
        onnx=compiled,
        baselines=measured.baselines,
        answer_baselines=measured.answer_baselines,
        most_alike_rows=measured.most_alike_rows,
        requirements=copied.packages,
        classes=tuple(classes),
        origin=loaded.isolated.origin if loaded.isolated else None,
    )
    say(f"Writing {out}")
    artifact_folder.write(
        manifest,
        copied.files,
        compiled_files,
        out,
        check=lambda folder: needs.check_alone(folder, say),
    )
    return manifest


def _source(settings: Settings) -> Artifact:
    """Find the model. Raises StartupError, also for one without its estimator."""
    source = artifact.find(settings)
    if source.manifest and source.manifest.origin:
        raise StartupError(
            f"{settings.scoring_model_path} holds only what was compiled of "
            f"{source.manifest.origin.file}; package that file again."
        )
    return source


class _Copied(NamedTuple):
    """What the artifact takes over: name -> file, name -> sha256, and package -> version."""

    files: dict[str, Path]
    sums: dict[str, str]
    packages: dict[str, str]


def _copied(source: Artifact, loaded: LoadedModel, needs: Needs, say: Say) -> _Copied:
    """Return the model's files and its author's code, and the packages that they need."""
    own = _files(source)
    files = own | needs.code(say)
    sums = {name: artifact_folder.sha256_of(file) for name, file in files.items()}
    if len(own) == 1:
        sums[source.file.name] = loaded.digest  # of the bytes that were loaded
    return _Copied(files, sums, needs.packages(loaded.estimator, say))


def _measured(
    source: Artifact,
    loaded: LoadedModel,
    sample: pd.DataFrame | CsvFile,
    golden_rows: GoldenOption,
    user_types: Mapping[str, Feature],
    say: Say,
) -> tuple[ModelSample, Measurement]:
    """Measure the model on the sample, and return who read it too. Raises StartupError."""
    estimator = loaded.estimator
    with startup_error_when("it was measured on the sample"):
        logged = (source.mlflow and source.mlflow.features) or ()
        reader = ModelSample(estimator, logged, [*sample.columns], user_types, say)
        frame = reader.read(sample, say)
        if not isinstance(golden_rows, str):
            golden_rows = reader.read(golden_rows, silent)
        check_whole(estimator, frame, say)
        default = default_method(source.mlflow, estimator)
        measured = measure(estimator, frame, say, default, reader.signature, golden_rows)
    return reader, measured


def _compiled(
    loaded: LoadedModel, measured: Measurement, graphs: Convert, say: Say
) -> tuple[OnnxModel | None, dict[str, bytes]]:
    """Return the compiled model, if there is one, and its files."""
    if isinstance(loaded.estimator, GraphEstimator):
        return None, {}
    if old := loaded.isolated:
        graphs = old.converter(graphs)
    return compiled_form(loaded.estimator, measured, graphs, say, alone=old is not None)


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
