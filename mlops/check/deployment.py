"""Rules for online deployments that azure-ai-ml does not hold them to: what they are made of, and
how many."""

from __future__ import annotations

from collections.abc import Iterator

from mlops.check.document import Document, Problem, Unreadable, read
from mlops.check.kind import on_kubernetes
from mlops.check.references import is_mlflow, is_remote, serves_itself

LONGEST_MS, LONGEST_ON_KUBERNETES_MS = 180_000, 300_000
MOST_INSTANCES = 50


def type_as_schema(document: Document) -> Iterator[Problem]:
    """azure-ai-ml goes by the one, editors by the other."""
    expected = "kubernetes" if on_kubernetes(document) else "managed"
    if (document.value("type") or "managed") != expected:
        yield document.problem(("type",), "is not what $schema says", f"write `type: {expected}`")


def request_timeout(document: Document) -> Iterator[Problem]:
    key = ("request_settings", "request_timeout_ms")
    longest = LONGEST_ON_KUBERNETES_MS if on_kubernetes(document) else LONGEST_MS
    given = document.typed(int, *key)
    if given is not None and not 0 < given <= longest:
        yield document.problem(key, f"is {given}", f"write 1 to {longest}, in milliseconds")


def concurrency_is_positive(document: Document) -> Iterator[Problem]:
    key = ("request_settings", "max_concurrent_requests_per_instance")
    given = document.typed(int, *key)
    if given is not None and given < 1:
        yield document.problem(key, f"is {given}", "write 1 or more")


def instance_count(document: Document) -> Iterator[Problem]:
    key = ("instance_count",)
    given = document.value(*key)
    if isinstance(given, str):
        yield document.problem(key, "is text", "write the number without quotes")
    elif isinstance(given, int) and not 1 <= given <= MOST_INSTANCES:
        yield document.problem(key, f"is {given}", f"write 1 to {MOST_INSTANCES}")


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
    given = document.value(key)
    if isinstance(given, str) and given.startswith("file:"):
        path = document.beside(given.removeprefix("file:"))
        if not path.is_file():
            yield document.problem(
                (key,), f"is {given}, which does not exist", "write file:PATH from this file"
            )
            return
        try:
            read(path)
        except Unreadable as error:
            yield document.problem(
                (key,), f"is {given}, which {error.problem.wrong}", "correct that file"
            )
    elif isinstance(given, str) and not is_remote(given):
        yield document.problem(
            (key,), f"is {given}", "write file:PATH from this file or azureml:NAME:VERSION"
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
