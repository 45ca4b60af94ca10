"""Rules for environments and models, in files of their own or inside a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlops.check.document import Document, Key, Problem, UnreadableDocument, read
from mlops.check.kind import DocumentKind, kind
from mlops.check.references import is_remote

ROUTES = ("liveness_route", "readiness_route", "scoring_route")


def image_or_build(document: Document) -> Iterator[Problem]:
    for at in _environments(document):
        image, build = document.value(*at, "image"), document.value(*at, "build")
        if image and build:
            yield document.problem((*at, "build"), "stands beside image", "keep one of them")
        if not image and not build:
            yield document.problem(
                (*at, "image"), "is missing", "name an image, or a folder to build one from"
            )
        if document.value(*at, "conda_file") and not image:
            yield document.problem(
                (*at, "conda_file"), "needs an image to be installed in", "add image"
            )


def conda_file(document: Document) -> Iterator[Problem]:
    for at in _environments(document):
        key = (*at, "conda_file")
        file = _local(document, *key)
        if file is None:
            continue
        try:
            if read(file).value("dependencies") is None:
                yield document.problem(
                    key, f"is {file.name}, which has no dependencies", "list them there"
                )
        except UnreadableDocument as error:
            yield document.problem(
                key, f"can't be used: {error}", "write the path of a conda file from this one"
            )


def build_context(document: Document) -> Iterator[Problem]:
    for at in _environments(document):
        folder = _local(document, *at, "build", "path")
        dockerfile = document.typed(str, *at, "build", "dockerfile_path") or "Dockerfile"
        if folder and not folder.is_dir():
            yield document.problem(
                (*at, "build", "path"),
                f"is {folder}, which is not a folder",
                "write its path from this file",
            )
        elif folder and not (folder / dockerfile).is_file():
            yield document.problem(
                (*at, "build", "dockerfile_path"),
                f"is {dockerfile}, which is not in build.path",
                "write its path there",
            )


def routes(document: Document) -> Iterator[Problem]:
    for at in _environments(document):
        for route in ROUTES:
            key = (*at, "inference_config", route, "path")
            path = document.typed(str, *key)
            if path is not None and not path.startswith("/"):
                yield document.problem(key, f"is {path}", "start it with /")


def model_path(document: Document) -> Iterator[Problem]:
    for at in _models(document):
        key = (*at, "path")
        path = _local(document, *key)
        if document.value(*key) is None:
            yield document.problem(
                key, "is missing", "write the path of what `mlops package` wrote"
            )
        elif path and not _has_content(path):
            yield document.problem(
                key,
                f"is {path}, where there is no model",
                "run `make artifact`, or write the path of what `mlops package` wrote",
            )


def mlflow_folder(document: Document) -> Iterator[Problem]:
    for at in _models(document):
        path = _local(document, *at, "path")
        is_mlflow = document.value(*at, "type") == "mlflow_model"
        if is_mlflow and path and _has_content(path) and not (path / "MLmodel").is_file():
            yield document.problem(
                (*at, "type"), "is mlflow_model, but path has no MLmodel", "write custom_model"
            )


def _environments(document: Document) -> Iterator[Key]:
    return _keys_of(document, DocumentKind.ENVIRONMENT, "environment")


def _models(document: Document) -> Iterator[Key]:
    return _keys_of(document, DocumentKind.MODEL, "model")


def _keys_of(document: Document, asset: DocumentKind, inside: str) -> Iterator[Key]:
    """Yield the key that describes an asset: the whole document, or the key ``inside`` it."""
    if kind(document) is asset:
        yield ()
    elif isinstance(document.value(inside), dict):
        yield (inside,)


def _local(document: Document, *key: str | int) -> Path | None:
    path = document.typed(str, *key)
    return None if path is None or is_remote(path) else document.beside(path)


def _has_content(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


ENVIRONMENT_RULES = (image_or_build, conda_file, build_context, routes)
MODEL_RULES = (model_path, mlflow_folder)
