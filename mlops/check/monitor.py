"""Rules for Azure ML's monitors that azure-ai-ml does not check."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlops.check.document import Document, Key, Problem, UnreadableDocument, read
from mlops.check.kind import DEPLOYMENTS, kind

TARGET: Key = ("create_monitor", "monitoring_target", "endpoint_deployment_id")
COLLECTIONS = ("model_inputs", "model_outputs")


def deployment(document: Document) -> Iterator[Problem]:
    """Require a deployment of an endpoint, one of the folder's if that has any, which collects."""
    target = document.typed(str, *TARGET)
    if target is None:
        return
    if not re.fullmatch(r"azureml:[^:]+:[^:]+", target):
        yield document.problem(TARGET, "names no deployment", "write azureml:ENDPOINT:DEPLOYMENT")
        return
    beside = {_reference(other): other for other in _deployments(document)}
    if beside and target not in beside:
        yield document.problem(TARGET, "is no deployment beside it", f"write {next(iter(beside))}")
    elif beside and (missing := _not_collected(beside[target])):
        yield document.problem(
            TARGET,
            f"is a deployment without the collection {missing[0]}, so nothing is compared",
            f"add it below data_collector in {beside[target].path.name}",
        )


def _deployments(document: Document) -> Iterator[Document]:
    for path in sorted(document.path.parent.glob("*.y*ml")):
        try:
            other = read(path)
        except UnreadableDocument:
            continue
        if kind(other) in DEPLOYMENTS:
            yield other


def _reference(deployment: Document) -> str:
    return f"azureml:{deployment.value('endpoint_name')}:{deployment.value('name')}"


def _not_collected(deployment: Document) -> list[str]:
    collections = deployment.value("data_collector", "collections")
    return [
        name for name in COLLECTIONS if not isinstance(collections, dict) or name not in collections
    ]


RULES = (deployment,)
