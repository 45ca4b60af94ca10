"""Prepares a rollout: which version of the model it brings, and which rows to ask it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from azureml_scoring.errors import StartupError
from azureml_scoring.models.files.manifest import FILE_NAME
from mlops.endpoint import EndpointError
from mlops.rollout import model_reference, targets
from mlops.rollout.model_reference import Models, Registered
from mlops.rollout.plan import Check
from mlops.rollout.questions import Questions


@dataclass(frozen=True)
class Preparation:
    """What the files on this machine say. ``document``: the content of the deployment's ``file``.
    ``artifact``: the model's folder. ``sample``: rows to compare predictions by. ``waived``: checks
    to leave out."""

    document: dict[str, Any]
    file: Path
    artifact: Path | None = None
    sample: Path | None = None
    waived: tuple[Check, ...] = ()

    @property
    def model(self) -> Registered | None:
        return model_reference.registered(self.document)

    @property
    def fetches(self) -> bool:
        """True if only Azure has the model's manifest."""
        here = self.artifact or model_reference.folder(self.document, self.file)
        return self.model is not None and here is None and set(self.waived) != set(Check)

    def here(self) -> Questions:
        """Return the questions from files on this machine. Raises StartupError, EndpointError."""
        if self.artifact and not (self.artifact / FILE_NAME).is_file():
            raise StartupError(
                f"{self.artifact} has no {FILE_NAME}; name a folder that `mlops package` wrote."
            )
        return self._questions(self.artifact or model_reference.folder(self.document, self.file))

    def ask(self, models: Callable[[], Models]) -> tuple[Questions, Registered | None]:
        """Return the questions, and the version that a label in the file means now. Raises
        StartupError, EndpointError."""
        if self.model is None or not (self.model.label or self.fetches):
            return self.here(), None
        there = models()
        version = there.version(self.model)
        questions = self._fetched(there, version) if self.fetches else self.here()
        return questions, version if self.model.label else None

    def _fetched(self, models: Models, model: Registered) -> Questions:
        with TemporaryDirectory() as folder:
            try:
                models.describe(model, Path(folder))
                return self._questions(Path(folder))
            except EndpointError as error:
                raise EndpointError(
                    f"{str(error).removesuffix('.')}, or name the model's folder on this machine "
                    f"by --artifact."
                ) from error
            except StartupError as error:  # the folder is temporary
                raise StartupError(str(error).replace(folder, str(model))) from error

    def _questions(self, folder: Path | None) -> Questions:
        if model_reference.moves(self.document):
            raise EndpointError(
                f"{self.document['model']} may mean another version by the time that it is "
                "deployed; name a version, as "
                "azureml://registries/REGISTRY/models/NAME/versions/VERSION."
            )
        return targets.questions(folder, self.sample).without(self.waived)
