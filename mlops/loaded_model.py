"""Loads a model to package: in this process, or in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azureml_scoring.errors import StartupError
from azureml_scoring.models.estimators.model_in_dict import model_in_dict
from azureml_scoring.models.files import model_file
from azureml_scoring.models.files.artifact import Artifact
from azureml_scoring.models.files.model_file import UntrustedTypes
from azureml_scoring.settings import Settings
from mlops.isolated.model import IsolatedModel, isolated_model
from mlops.say import Say


@dataclass(frozen=True)
class LoadedModel:
    """digest: the sha256 of the model's file. isolated: its environment, if it has its own."""

    estimator: Any
    digest: str
    isolated: IsolatedModel | None = None


@contextmanager
def model_in_its_environment(
    source: Artifact, code: Sequence[Path], requirements: Path | None, say: Say
) -> Iterator[LoadedModel]:
    """Keep the environment running for as long as the estimator must answer. Raises
    StartupError."""
    with isolated_model(source, code, requirements, say) as isolated:
        yield LoadedModel(isolated.estimator, isolated.origin.sha256, isolated)


def model_here(
    source: Artifact, settings: Settings, classes: Sequence[Any], command: str, say: Say
) -> LoadedModel:
    """Load the model's file.

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
    return LoadedModel(estimator, digest)
