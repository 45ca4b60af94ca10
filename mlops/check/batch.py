"""Rules for batch endpoints and their deployments that azure-ai-ml does not check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mlops.check import conda, variables
from mlops.check.document import Document, Problem
from mlops.check.references import described, is_mlflow

OWN_SCRIPT = "batch_score.py"
SETTINGS = "settings"
NEEDED = ("azureml-core", "azureml-dataset-runtime")
"""Packages without which a job fails at its start."""

SHORT_TIMEOUT_S = 30
"""Azure's default, for all files of a mini-batch."""


def auth_mode(document: Document) -> Iterator[Problem]:
    mode = document.value("auth_mode")
    if mode not in (None, "aad_token"):
        yield document.problem(
            ("auth_mode",), f"is {mode}, which batch endpoints lack", "write aad_token"
        )


def type_is_model(document: Document) -> Iterator[Problem]:
    if document.value("type") != "model":
        yield document.problem(
            ("type",), "is not model, so that settings are ignored", "write `type: model`"
        )


def compute(document: Document) -> Iterator[Problem]:
    value = document.value("compute")
    if not str(value).startswith(("azureml:", "/subscriptions/")):
        wrong = "is missing" if value is None else f"is {value}"
        yield document.problem(("compute",), wrong, "write azureml:NAME of a cluster")


def error_threshold(document: Document) -> Iterator[Problem]:
    key = (SETTINGS, "error_threshold")
    threshold = document.typed(int, *key)
    if threshold is None or threshold < 0:
        yield document.problem(
            key,
            "is -1, so a job succeeds in which every file failed"
            if threshold is None or threshold == -1
            else f"is {threshold}",
            "write how many files may fail, such as 0",
        )


def timeout(document: Document) -> Iterator[Problem]:
    key = (SETTINGS, "retry_settings", "timeout")
    seconds = document.typed(int, *key)
    if seconds is None or seconds <= SHORT_TIMEOUT_S:
        shown = SHORT_TIMEOUT_S if seconds is None else seconds
        yield document.problem(
            key,
            f"is {shown} s for all files of a mini-batch",
            "write how long the largest of them take, such as 3600",
        )


def output_action(document: Document) -> Iterator[Problem]:
    """Our script returns names of files, which the service would append as predictions."""
    script = document.value("code_configuration", "scoring_script")
    if script == OWN_SCRIPT and document.value(SETTINGS, "output_action") != "summary_only":
        yield document.problem(
            (SETTINGS, "output_action"),
            f"is not summary_only, and {OWN_SCRIPT} writes files of its own",
            "write summary_only",
        )


def environment(document: Document) -> Iterator[Problem]:
    """Refuse curated environments, and a conda file without what the service needs."""
    key = ("environment",)
    reference = str(document.value(*key))
    if reference.startswith(("azureml://registries/azureml/", "azureml:AzureML-")):
        yield document.problem(
            key, "is a curated one, which batch refuses", "name an image with a conda_file"
        )
    if is_mlflow(document) or (place := described(document, "environment")) is None:
        return
    source, at = place
    packages = conda.packages(source, (*at, "conda_file"))
    missing = [name for name in NEEDED if packages is not None and name not in packages]
    if missing:
        yield document.problem(
            key,
            f"has a conda file without {' and '.join(missing)}, which batch jobs need",
            f"add it below pip in the conda file of {source.path.name}",
        )


def environment_variables(document: Document) -> Iterator[Problem]:
    """Apply the rules of online deployments, whose variables are at the root."""
    inside = document.typed(dict, SETTINGS, variables.KEY)
    root = replace(document, data={**document.data, variables.KEY: inside or {}})
    for rule in variables.RULES:
        for problem in rule(root):
            yield document.problem((SETTINGS, *problem.key), problem.wrong, problem.instead)


ENDPOINT_RULES = (auth_mode,)
RULES = (
    type_is_model,
    compute,
    error_threshold,
    timeout,
    output_action,
    environment,
    environment_variables,
)
