"""The manifest of a packaged model: the checksums of its files, and how to call it.

It shows that the artifact is the one that was packaged, whole and unchanged, before anything is
unpickled. Who packaged it only a signature shows (docs/adr/0026).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import ConfigDict, Field, NonNegativeInt, TypeAdapter, ValidationError, with_config

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import Contract, Method
from azureml_scoring.inputs.feature import Scalar
from azureml_scoring.models.baseline import Baseline
from azureml_scoring.models.engines.onnx_model import OnnxModel
from azureml_scoring.models.files.safe_join import safe_join

FILE_NAME = "manifest.json"
SCHEMA = 1
REPACKAGE = "package the model again with `mlops package`"
RETRAIN = "train the model with the versions that run here, and package that one"
"""Packaging the same file again would record the answers of these versions as the right ones."""

UNSEEN_ROWS = 4
"""A row that is expected so often in a sample is there twice or more in ten of eleven."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Package = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Version = Annotated[str, Field(pattern=r"^[0-9][A-Za-z0-9.+!_-]*$")]
"""Neither can be an option or an address in a command of pip."""


@dataclass(frozen=True)
class Origin:
    """The pickle that a model was compiled from, if it is not in the artifact.

    packages: package -> version in the environment that read it, Python's among them.
    """

    file: str
    sha256: Sha256
    packages: dict[str, str]


@with_config(ConfigDict(extra="forbid", allow_inf_nan=False))
@dataclass(frozen=True)
class Manifest:
    """What packaging recorded of a model.

    files: name -> sha256.
    versions: package -> version at packaging.
    golden_rows: rows in the contract's order.
    golden_answers: method -> the answers to the golden rows.
    cacheable: equal requests get equal answers, so an answer may be used twice.
    onnx: the compiled model, if it was proven to answer like the estimator.
    baselines: the sample's distribution, one per feature.
    answer_baselines: the distribution of the answers to the sample, by ``answer_columns``.
    most_alike_rows: so many rows of the sample are one and the same row; 0 if that is not known,
        as in older manifests.
    requirements: package -> version of what the model needs and the service does not bring.
    classes: names for the classes of a booster whose own file holds none.
    origin: the pickle that only the compiled form is left of; None if the model's file is here.
    """

    model_name: str
    model_version: str
    model_file: str
    files: dict[str, Sha256]
    versions: dict[str, str]
    contract: Contract
    golden_rows: list[list[Scalar | None]]
    golden_answers: dict[Method, list[Any]]
    cacheable: bool = True
    onnx: OnnxModel | None = None
    baselines: tuple[Baseline, ...] = ()
    answer_baselines: tuple[Baseline, ...] = ()
    most_alike_rows: NonNegativeInt = 0
    requirements: dict[Package, Version] = field(default_factory=dict)
    classes: tuple[Scalar, ...] = ()
    origin: Origin | None = None

    def write(self, folder: Path) -> Path:
        """Write the file, without what has its default value: a service that is older than a field
        then still reads a manifest that does not use it."""
        path = folder / FILE_NAME
        document = {"schema": SCHEMA} | self._document()
        for part, source in ((document["onnx"], self.onnx), (document, self)):
            for name in _with_default_value(source):
                del part[name]
        path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        return path

    def _document(self) -> dict[str, Any]:
        compiled = self.onnx and dataclasses.asdict(self.onnx)
        origin = self.origin and dataclasses.asdict(self.origin)
        parts = {"contract": self.contract.to_json(), "onnx": compiled, "origin": origin}
        baselines = {
            name: [baseline.to_json() for baseline in getattr(self, name)]
            for name in ("baselines", "answer_baselines")
        }
        return vars(self) | parts | baselines

    @property
    def most_row_share(self) -> float:
        """More of the requests than one row holds by itself: twice what the sample's commonest
        does, and what a sample of its size can't show."""
        rows = sum(self.baselines[0].counts) if self.baselines else 0
        if not (rows and self.most_alike_rows):
            return 1.0
        return 2 * (self.most_alike_rows + UNSEEN_ROWS) / rows

    @classmethod
    def read(cls, folder: Path, signed: Mapping[str, str] | None = None) -> Manifest:
        """Read the manifest of a folder.

        ``signed``: name -> sha256, by the folder's signature. Raises StartupError if this version
        can't read it, one of its files lies elsewhere, or the signature says otherwise.
        """
        path = folder / FILE_NAME
        try:
            data = path.read_bytes()
            document = orjson.loads(data)
            if document.pop("schema") != SCHEMA:
                raise StartupError(
                    f"{path} has another schema than {SCHEMA}, the one read here; {REPACKAGE}."
                )
            manifest: Manifest = _adapter().validate_json(orjson.dumps(document), strict=True)
            manifest._check(document)
        except (FileNotFoundError, NotADirectoryError):
            raise StartupError(
                f"There is no {path}; name a folder that `mlops package` wrote."
            ) from None
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            if first["type"] == "unexpected_keyword_argument":
                raise StartupError(
                    f"{path} was made by a newer version, with {place:.100}, which this one does "
                    f"not know; update the service, or {REPACKAGE} of this version."
                ) from None
            raise StartupError(
                f"{path} is damaged (at {place}: {first['msg']}); {REPACKAGE}."
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StartupError(
                f"{path} is damaged ({type(error).__name__}); {REPACKAGE}."
            ) from None
        for name in (
            manifest.model_file,
            *manifest.files,
            *([manifest.onnx.file] if manifest.onnx else []),
            *([manifest.onnx.tables] if manifest.onnx and manifest.onnx.tables else []),
        ):
            safe_join(folder, name)
        sums = manifest.files | {FILE_NAME: hashlib.sha256(data).hexdigest()}
        if signed is not None and not sums.items() <= signed.items():
            raise StartupError(
                f"{path} and the signature beside it have other checksums; {REPACKAGE}, and sign "
                f"that."
            )
        return manifest

    def _check(self, read: dict[str, Any]) -> None:
        """Compare with the document that was read, and the parts with each other.

        Nothing may be lost, and a default may replace only what older versions did not write.
        Raises ValueError.
        """
        written = orjson.loads(orjson.dumps(self._document()))
        read = {name: written[name] for name in _defaults(self)} | read
        if written["onnx"] and read["onnx"]:
            read["onnx"] = written["onnx"] | read["onnx"]
        if written != read or not self.golden_answers.keys() <= set(self.contract.methods):
            raise ValueError
        if self.onnx and [type(self.onnx.parity[key]) for key in ("rows", "tolerance")] != [
            int,
            float,
        ]:
            raise ValueError
        for baseline, feature in zip(
            self.baselines, self.contract.features, strict=bool(self.baselines)
        ):
            if not baseline.consistent or (baseline.values is None) != feature.numeric:
                raise ValueError
        if not all(baseline.consistent for baseline in self.answer_baselines):
            raise ValueError

    def verify(self, name: str, digest: str) -> None:
        """Compare the sha256 of a file that is about to be loaded. Raises StartupError."""
        expected = self.files.get(name)
        if expected is None:
            raise StartupError(
                f"{name} is not in the manifest, so it is not loaded; if it is the model that you "
                f"trained, {REPACKAGE}."
            )
        if digest != expected:
            raise StartupError(
                f"{name} is not the file that was packaged: its sha256 differs from the "
                f"manifest's. Upload the artifact folder again; only if you changed the file "
                f"yourself, {REPACKAGE}."
            )


def _defaults(part: Manifest | OnnxModel) -> dict[str, Any]:
    """Return the default of each field that has one."""
    return {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in dataclasses.fields(part)
        if (field.default, field.default_factory) != (MISSING, MISSING)
    }


def _with_default_value(part: Manifest | OnnxModel | None) -> list[str]:
    defaults = _defaults(part) if part else {}
    return [name for name, default in defaults.items() if getattr(part, name) == default]


@functools.cache
def _adapter() -> TypeAdapter[Manifest]:
    return TypeAdapter(Manifest)


def running_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages whose changes alter a model."""
    versions = {"python": platform.python_version()}
    for package in ("scikit-learn", "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def version_skew(saved: dict[str, str]) -> dict[str, str]:
    """Return a line for each package whose version is not that of packaging.

    Python's patch version does not count.
    """
    skew = {}
    for package, now in running_versions().items():
        then = saved.get(package, now)
        significant = 2 if package == "python" else 3
        if then.split(".")[:significant] != now.split(".")[:significant]:
            skew[package] = f"{package}: saved with {then}, running {now}"
    return skew
