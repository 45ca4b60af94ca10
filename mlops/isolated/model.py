"""An old model: its structure as it is read here, with the answers of its own environment."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from azureml_scoring.errors import StartupError, reason
from azureml_scoring.inputs.contract import METHODS
from azureml_scoring.models.estimators.model_in_dict import model_in_dict
from azureml_scoring.models.files import load_failure
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.file_formats import COMPRESSED_SUFFIXES, PICKLE_SUFFIXES
from azureml_scoring.models.files.manifest import Origin
from mlops import artifact_folder, code_folder
from mlops.converter import Convert
from mlops.isolated import old_pickle
from mlops.isolated.environments import environment
from mlops.isolated.remote import Place, Remote, remote
from mlops.isolated.saved_with import SavedWith, saved_with
from mlops.say import Say

CONTAINERS = ("steps", "transformers_", "transformer_list")
"""Attributes in which an estimator keeps named others."""


class IsolatedModel:
    """``estimator`` answers from another process, and is compiled from what was read here."""

    def __init__(self, estimator: Any, parts: Sequence[Any], origin: Origin) -> None:
        self.estimator = estimator
        self.origin = origin
        self._parts = parts

    def converter(self, convert: Convert) -> Convert:
        """Return ``convert`` for estimators that hold this one's parts, or are this one."""

        def convert_as_read(estimator: Any, width: int, say: Say) -> Any:
            for part in self._parts:
                vars(part).pop("transform", None)
            return convert(self._as_read(estimator), width, say)

        return convert_as_read

    def _as_read(self, estimator: Any) -> Any:
        if estimator is self.estimator:
            return copy.copy(estimator)
        if isinstance(estimator, Pipeline):
            steps = [(name, self._of_step(step)) for name, step in estimator.steps]
            return Pipeline(steps)
        return estimator

    def _of_step(self, step: Any) -> Any:
        return copy.copy(step) if step is self.estimator else step


@contextmanager
def isolated_model(
    source: Artifact, code: Sequence[Path], requirements: Path | None, say: Say
) -> Iterator[IsolatedModel]:
    """Start the model's own environment, and load it there and here. Raises StartupError."""
    if source.file.suffix.lower() not in (*PICKLE_SUFFIXES, *COMPRESSED_SUFFIXES):
        raise StartupError(
            f"--isolated is for pickles, and {source.file.name} is none; leave --isolated out."
        )
    logged = source.mlflow and source.mlflow.code
    folders = [code_folder.path_entry(folder) for folder in (*code, *([logged] if logged else []))]
    own = {path.stem for folder in folders for path in Path(folder).iterdir()}
    saved = saved_with(source, requirements, own, say)
    say(f"It was saved with scikit-learn {saved.scikit_learn or 'of then'}, as {saved.source} says")
    with remote(environment(saved, say), folders) as process:
        _load_there(process, source.file, saved)
        content = _read_here(source.file)
        structure = model_in_dict(content)
        keys = (
            [key for key, part in content.items() if part is structure]
            if content is not structure
            else []
        )
        place = [["item", key, None] for key in keys]
        parts = _answering_parts(structure, place, process)
        _answer(structure, place, process)
        origin = Origin(
            source.file.name, artifact_folder.sha256_of(source.file), process.versions()
        )
        yield IsolatedModel(structure, parts, origin)


def _load_there(process: Remote, file: Path, saved: SavedWith) -> None:
    try:
        process.load(file)
    except StartupError:
        raise
    except Exception as error:
        raise StartupError(
            f"{file.name} can't be loaded with {', '.join(saved.lines)} either ({reason(error)}); "
            f"name by --requirements FILE what it was saved with, and by --code the folder of "
            f"modules of your own."
        ) from None


def _read_here(file: Path) -> Any:
    try:
        return old_pickle.read(file)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a pickle can raise anything
        raise StartupError(not_compiled(file, reason(error))) from None


def not_compiled(file: Path, why: str) -> str:
    """Say which environment serves a model that is not compiled."""
    version = load_failure.saved_version(file) or "of then"
    remedy = (
        f"install scikit-learn {version} where you package and serve it, and package it there "
        f"without --isolated; `mlops environment` then writes the lock of its image"
        if version == "of then" or load_failure.is_served(version)
        else f"train and save it again, for the service does not run with scikit-learn {version}"
    )
    return (
        f"{file.name} is not compiled ({why}), so only an environment that can unpickle it serves "
        f"it: {remedy}."
    )


def _answering_parts(whole: Any, place: Place, process: Remote) -> list[Any]:
    """Let the transformers inside an estimator transform in the other process; return them."""
    parts = []
    for part, inner in _inner(whole, place):
        if hasattr(part, "transform"):
            part.transform = functools.partial(process.call, inner, "transform")
            parts.append(part)
        parts += _answering_parts(part, inner, process)
    return parts


def _inner(whole: Any, place: Place) -> Iterator[tuple[Any, Place]]:
    attributes = getattr(whole, "__dict__", {})
    if "best_estimator_" in attributes:
        yield whole.best_estimator_, [*place, ["attribute", "best_estimator_", None]]
    for name in CONTAINERS:
        for number, (_, part, *_) in enumerate(attributes.get(name, ())):
            if part is not None and not isinstance(part, str):
                yield part, [*place, ["attribute", name, number]]


def _answer(structure: Any, place: Place, process: Remote) -> None:
    """Make the estimator one of a class like its own, whose methods ask the other process.

    It is pickled and copied as one of its own class.
    """
    plain: Any = type(structure)
    there = process.methods(place)

    def reduce(self: Any, protocol: Any) -> tuple[Any, ...]:
        function, (_, *others), *rest = plain.__reduce_ex__(self, protocol)
        return (function, (plain, *others), *rest)

    def absent(self: Any) -> None:
        raise AttributeError

    asking = {name: staticmethod(functools.partial(process.call, place, name)) for name in there}
    lacking = {name: property(absent) for name in METHODS if name not in there}
    members = {"__module__": plain.__module__, "__reduce_ex__": reduce, **lacking, **asking}
    try:
        structure.__class__ = type(plain.__name__, (plain,), members)
    except TypeError as error:
        raise StartupError(
            f"The model ({plain.__name__}) can't be packaged in isolation ({reason(error)}); "
            f"package it without --isolated, in an environment that can load it."
        ) from None
