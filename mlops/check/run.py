"""Reads files and folders, and checks each file by the rules of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from azureml_scoring.errors import StartupError
from mlops.check import (
    agreement,
    assets,
    azure_schema,
    batch,
    deployment,
    endpoint,
    monitor,
    probes,
    script,
    variables,
)
from mlops.check.document import Document, Problem, UnreadableDocument, read
from mlops.check.kind import DEPLOYMENTS, ENDPOINTS, SCHEMAS, DocumentKind, kind

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
_BATCH_DEPLOYMENT: Sequence[Rule] = (
    endpoint.name,
    *batch.RULES,
    deployment.model,
    deployment.environment,
    script.scoring_script,
    *assets.ENVIRONMENT_RULES,
    *assets.MODEL_RULES,
)
RULES: Mapping[DocumentKind, Sequence[Rule]] = {
    **dict.fromkeys(ENDPOINTS, endpoint.RULES),
    **dict.fromkeys(DEPLOYMENTS, _DEPLOYMENT),
    DocumentKind.ENVIRONMENT: assets.ENVIRONMENT_RULES,
    DocumentKind.MODEL: assets.MODEL_RULES,
    DocumentKind.MONITOR: monitor.RULES,
    DocumentKind.BATCH_ENDPOINT: (endpoint.name, *batch.ENDPOINT_RULES),
    DocumentKind.BATCH_DEPLOYMENT: _BATCH_DEPLOYMENT,
}


def files(paths: Iterable[Path]) -> list[Path]:
    """Return ``paths``, with each folder replaced by the YAML files below it.

    Raises StartupError for a folder without YAML files.
    """
    result: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix in (".yml", ".yaml"))
            if not inside:
                raise StartupError(f"{path} holds no YAML file; name a folder or files that do.")
            result += inside
        elif not path.exists():
            raise StartupError(f"There is no {path} here; name the files or folders to check.")
        else:
            result.append(path)
    return list(dict.fromkeys(result))


def check(paths: Sequence[Path]) -> list[Problem]:
    """Return all problems, in the order of the files and their lines.

    Raises StartupError if azure-ai-ml is not installed.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            documents.append(read(path))
        except UnreadableDocument as error:
            problems.append(error.problem)
    for document in documents:
        problems += _problems(document)
    problems += _endpoint_names(documents)
    return sorted(problems, key=lambda problem: (paths.index(problem.path), problem.line))


def _problems(document: Document) -> Iterator[Problem]:
    what = kind(document)
    if what is None:
        yield document.problem(
            ("$schema",),
            "does not say what this is",
            f"write {SCHEMAS}/NAME.schema.json with NAME one of {', '.join(DocumentKind)}",
        )
        return
    for key in document.twice:
        yield document.problem(key, "occurs twice, and only the last one counts", "remove one")
    ours = [problem for rule in RULES[what] for problem in rule(document)]
    yield from ours
    for problem in azure_schema.problems(document, what):
        if not any(problem.key == our.key[: len(problem.key)] for our in ours):
            yield problem


def _endpoint_names(documents: Sequence[Document]) -> Iterator[Problem]:
    """Require a deployment to belong to an endpoint of its folder, if the folder has one of its
    kind."""
    batch_kinds = (DocumentKind.BATCH_ENDPOINT,), (DocumentKind.BATCH_DEPLOYMENT,)
    for endpoints, deployments in ((ENDPOINTS, DEPLOYMENTS), batch_kinds):
        names: dict[Path, list[object]] = {}
        for document in documents:
            if kind(document) in endpoints:
                names.setdefault(document.path.parent, []).append(document.value("name"))
        for document in documents:
            beside = names.get(document.path.parent)
            if (
                kind(document) in deployments
                and beside
                and document.value("endpoint_name") not in beside
            ):
                yield document.problem(
                    ("endpoint_name",), "is not the endpoint beside it", f"write {beside[0]}"
                )
