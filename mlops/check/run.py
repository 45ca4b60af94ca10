"""Reads files and folders and holds each to the rules of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from azureml_scoring.errors import StartupError
from mlops.check import (
    agreement,
    assets,
    azure_schema,
    deployment,
    endpoint,
    probes,
    script,
    variables,
)
from mlops.check.document import Document, Problem, Unreadable, read
from mlops.check.kind import DEPLOYMENTS, ENDPOINTS, SCHEMAS, Kind, kind

Rule = Callable[[Document], Iterator[Problem]]

_DEPLOYMENT: Sequence[Rule] = (
    endpoint.name,
    *deployment.RULES,
    *script.RULES,
    *probes.RULES,
    *variables.RULES,
    *agreement.RULES,
    *assets.ENVIRONMENT_RULES,
    *assets.MODEL_RULES,
)
RULES: Mapping[Kind, Sequence[Rule]] = {
    **dict.fromkeys(ENDPOINTS, endpoint.RULES),
    **dict.fromkeys(DEPLOYMENTS, _DEPLOYMENT),
    Kind.ENVIRONMENT: assets.ENVIRONMENT_RULES,
    Kind.MODEL: assets.MODEL_RULES,
}


def files(paths: Iterable[Path]) -> list[Path]:
    """``paths``, with the YAML files below in place of a folder. Raises StartupError where one has
    none."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix in (".yml", ".yaml"))
            if not inside:
                raise StartupError(f"{path} holds no YAML file; name a folder or files that do.")
            found += inside
        elif not path.exists():
            raise StartupError(f"There is no {path} here; name the files or folders to check.")
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def check(paths: Sequence[Path]) -> list[Problem]:
    """All problems, in the order of the files and their lines. Raises StartupError where
    azure-ai-ml is missing."""
    documents: list[Document] = []
    found: list[Problem] = []
    for path in paths:
        try:
            documents.append(read(path))
        except Unreadable as error:
            found.append(error.problem)
    for document in documents:
        found += _problems(document)
    found += _endpoint_names(documents)
    return sorted(found, key=lambda problem: (paths.index(problem.path), problem.line))


def _problems(document: Document) -> Iterator[Problem]:
    what = kind(document)
    if what is None:
        yield document.problem(
            ("$schema",),
            "does not say what this is",
            f"write {SCHEMAS}/NAME.schema.json with NAME one of {', '.join(Kind)}",
        )
        return
    for key in document.twice:
        yield document.problem(
            key, "stands there twice, and only the last one counts", "remove one"
        )
    ours = [problem for rule in RULES[what] for problem in rule(document)]
    yield from ours
    for problem in azure_schema.problems(document, what):
        if not any(problem.key == told.key[: len(problem.key)] for told in ours):
            yield problem


def _endpoint_names(documents: Sequence[Document]) -> Iterator[Problem]:
    """A deployment belongs to an endpoint of its folder, if one is there."""
    names: dict[Path, list[object]] = {}
    for document in documents:
        if kind(document) in ENDPOINTS:
            names.setdefault(document.path.parent, []).append(document.value("name"))
    for document in documents:
        beside = names.get(document.path.parent)
        if (
            kind(document) in DEPLOYMENTS
            and beside
            and document.value("endpoint_name") not in beside
        ):
            yield document.problem(
                ("endpoint_name",), "is not the endpoint beside it", f"write {beside[0]}"
            )
