"""Rules for online deployments that azure-ai-ml does not hold them to: what they are made of, and how many."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from mlops.check.document import Document, Problem
from mlops.check.kind import on_kubernetes
from mlops.check.references import asset, is_remote, serves_itself

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
            (*key, "type"), "is target_utilization, which is for Kubernetes", "remove it and use autoscale.json"
        )
    least, most = document.typed(int, *key, "min_instances"), document.typed(int, *key, "max_instances")
    if least is not None and most is not None and least > most:
        yield document.problem((*key, "min_instances"), f"is {least}, over max_instances", f"write {most} at most")


def model(document: Document) -> Iterator[Problem]:
    if document.value("model") is None and not serves_itself(document):
        yield document.problem(("model",), "is missing", "write azureml:NAME:VERSION of a registered model")
    yield from _path(document, "model")


def environment(document: Document) -> Iterator[Problem]:
    if document.value("environment") is None and not _is_mlflow(document):
        yield document.problem(("environment",), "is missing", "write file:environment.yml or azureml:NAME:VERSION")
    yield from _path(document, "environment")


def scoring_script(document: Document) -> Iterator[Problem]:
    """An image with a server of its own, and a model of MLflow, need none."""
    key = ("code_configuration",)
    if document.value(*key) is None:
        if not serves_itself(document) and not _is_mlflow(document):
            yield document.problem(key, "is missing", "name the folder as code and the file as scoring_script")
        return
    code, script = document.typed(str, *key, "code"), document.typed(str, *key, "scoring_script")
    if code is None or is_remote(code):
        return
    folder = document.beside(code)
    if not folder.is_dir():
        yield document.problem((*key, "code"), f"is {code}, which is no folder", "write its path from this file")
    elif script is not None:
        yield from _functions(document, folder / script)


def _functions(document: Document, script: Path) -> Iterator[Problem]:
    key = ("code_configuration", "scoring_script")
    try:
        tree = ast.parse(script.read_text(encoding="utf-8"))
    except OSError:
        yield document.problem(key, f"is {script.name}, which is not in that folder", "write the name of a file there")
        return
    except (SyntaxError, ValueError) as error:
        yield document.problem(key, f"is no Python that can be parsed ({error})", "correct it")
        return
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = {node.name for node in tree.body if isinstance(node, functions)}
    found |= {name.asname or name.name for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names}
    for missing in [name for name in ("init", "run") if name not in found]:
        yield document.problem(key, f"has no function {missing}()", f"define {missing}() in {script.name}")


def _path(document: Document, key: str) -> Iterator[Problem]:
    given = document.value(key)
    if isinstance(given, str) and given.startswith("file:"):
        if not document.beside(given.removeprefix("file:")).is_file():
            yield document.problem((key,), f"is {given}, which does not exist", "write file:PATH from this file")
    elif isinstance(given, str) and not is_remote(given):
        yield document.problem((key,), f"is {given}", "write file:PATH from this file or azureml:NAME:VERSION")


def _is_mlflow(document: Document) -> bool:
    found = asset(document, "model")
    return found is not None and found.get("type") == "mlflow_model"


RULES = (
    type_as_schema,
    request_timeout,
    concurrency_is_positive,
    instance_count,
    scale_settings,
    model,
    environment,
    scoring_script,
)
