"""Rules for online deployments that azure-ai-ml does not check: their assets, limits and counts."""

from __future__ import annotations

from collections.abc import Iterator

from mlops.check.document import Document, Problem, UnreadableDocument, read
from mlops.check.kind import on_kubernetes
from mlops.check.references import is_mlflow, is_remote, serves_itself

MAX_TIMEOUT_MS, MAX_KUBERNETES_TIMEOUT_MS = 180_000, 300_000
MAX_INSTANCES = 50


def type_as_schema(document: Document) -> Iterator[Problem]:
    """Require ``type`` and ``$schema`` to agree: azure-ai-ml reads one, editors the other."""
    expected = "kubernetes" if on_kubernetes(document) else "managed"
    if (document.value("type") or "managed") != expected:
        yield document.problem(("type",), "is not what $schema says", f"write `type: {expected}`")


def request_timeout(document: Document) -> Iterator[Problem]:
    key = ("request_settings", "request_timeout_ms")
    longest_ms = MAX_KUBERNETES_TIMEOUT_MS if on_kubernetes(document) else MAX_TIMEOUT_MS
    timeout_ms = document.typed(int, *key)
    if timeout_ms is not None and not 0 < timeout_ms <= longest_ms:
        yield document.problem(key, f"is {timeout_ms}", f"write 1 to {longest_ms}, in milliseconds")


def concurrency_is_positive(document: Document) -> Iterator[Problem]:
    key = ("request_settings", "max_concurrent_requests_per_instance")
    requests = document.typed(int, *key)
    if requests is not None and requests < 1:
        yield document.problem(key, f"is {requests}", "write 1 or more")


def instance_count(document: Document) -> Iterator[Problem]:
    key = ("instance_count",)
    count = document.value(*key)
    if isinstance(count, str):
        yield document.problem(key, "is text", "write the number without quotes")
    elif isinstance(count, int) and not 1 <= count <= MAX_INSTANCES:
        yield document.problem(key, f"is {count}", f"write 1 to {MAX_INSTANCES}")


def scale_settings(document: Document) -> Iterator[Problem]:
    key = ("scale_settings",)
    if not on_kubernetes(document) and document.value(*key, "type") == "target_utilization":
        yield document.problem(
            (*key, "type"),
            "is target_utilization, which is for Kubernetes",
            "remove it and use autoscale.json",
        )
    least, most = (
        document.typed(int, *key, "min_instances"),
        document.typed(int, *key, "max_instances"),
    )
    if least is not None and most is not None and least > most:
        yield document.problem(
            (*key, "min_instances"), f"is {least}, over max_instances", f"write {most} at most"
        )


def model(document: Document) -> Iterator[Problem]:
    if document.value("model") is None and not serves_itself(document):
        yield document.problem(
            ("model",), "is missing", "write azureml:NAME:VERSION of a registered model"
        )
    yield from _path(document, "model")


def environment(document: Document) -> Iterator[Problem]:
    if document.value("environment") is None and not is_mlflow(document):
        yield document.problem(
            ("environment",), "is missing", "write file:environment.yml or azureml:NAME:VERSION"
        )
    yield from _path(document, "environment")


def _path(document: Document, key: str) -> Iterator[Problem]:
    reference = document.value(key)
    if isinstance(reference, str) and reference.startswith("file:"):
        path = document.beside(reference.removeprefix("file:"))
        if not path.is_file():
            yield document.problem(
                (key,), f"is {reference}, which does not exist", "write file:PATH from this file"
            )
            return
        try:
            read(path)
        except UnreadableDocument as error:
            yield document.problem(
                (key,), f"is {reference}, which {error.problem.wrong}", "correct that file"
            )
    elif isinstance(reference, str) and not is_remote(reference):
        yield document.problem(
            (key,), f"is {reference}", "write file:PATH from this file or azureml:NAME:VERSION"
        )


RULES = (
    type_as_schema,
    request_timeout,
    concurrency_is_positive,
    instance_count,
    scale_settings,
    model,
    environment,
)
