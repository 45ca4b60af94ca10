"""Rules for a deployment's environment variables: text, no secrets, only known settings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from azureml_scoring import settings
from azureml_scoring.errors import StartupError
from azureml_scoring.settings import Settings
from mlops.check.document import Document, Problem

KEY = "environment_variables"
SECRET_NAME = re.compile(
    r"(^|_)(PASSWORD|PWD|SECRET|TOKEN|KEY|CREDENTIALS?|CONNECTION_?STRING)(_|$)", re.IGNORECASE
)
SECRET_VALUE = re.compile(
    r"://[^/@\s]*:(?!\d+/)[^@\s]+@|rediss?://[^@\s]*:[^@\s]+@|(AccountKey|SharedAccessKey|Password|Pwd)=|[?&]sig="
    r"|PRIVATE KEY-----",
    re.IGNORECASE,
)
"""Also matches a password in a URL, even one with a slash; after a host and a port the slash begins
the path."""

PUBLIC = {"SCORING_MODEL_KEY"}
"""A name like a secret's, for a public key or a certificate."""

INJECTED = re.compile(r"\$\{\{(keyvault:https://|azureml://connections/)[^{}]+\}\}")
"""References that Azure ML replaces with a secret of the Key Vault or of a connection when the
container starts."""


def text(document: Document) -> Iterator[Problem]:
    for name, value in _variables(document).items():
        if not isinstance(value, str):
            yield document.problem((KEY, name), "is not text", "put the value in quotes")


def no_secrets(document: Document) -> Iterator[Problem]:
    """Report secrets in plain text, without repeating their values."""
    for name, value in _variables(document).items():
        named = name not in PUBLIC and SECRET_NAME.search(name)
        shown = named or SECRET_VALUE.search(str(value))
        if value and shown and not INJECTED.fullmatch(str(value)):
            yield document.problem(
                (KEY, name),
                "is a secret in plain text",
                "use the managed identity (for Redis REDIS_AUTH: entra), or ${{keyvault:https://VAULT/secrets/NAME}}",
            )


def known_settings(document: Document) -> Iterator[Problem]:
    """Report each setting that the service would refuse at its start."""
    for name, value in _texts(document).items():
        try:
            settings.load({name: value})
        except StartupError as error:
            wrong, _, instead = str(error).removeprefix(f"{name} ").rstrip(".").partition("; ")
            yield document.problem((KEY, name), wrong, instead)


def deployment_name(document: Document) -> Iterator[Problem]:
    """Require DEPLOYMENT_NAME, which metadata and logs show, to be the deployment's name."""
    name, variable = document.value("name"), _texts(document).get("DEPLOYMENT_NAME")
    if variable is not None and variable != name:
        yield document.problem(
            (KEY, "DEPLOYMENT_NAME"), "is not the deployment's name", f"write {name}"
        )


def configured(document: Document) -> Settings | None:
    """Return the settings that the service would read, or None if it would not start."""
    try:
        return settings.load(_texts(document))
    except StartupError:
        return None


def _variables(document: Document) -> dict[str, object]:
    return {str(name): value for name, value in (document.typed(dict, KEY) or {}).items()}


def _texts(document: Document) -> dict[str, str]:
    return {name: value for name, value in _variables(document).items() if isinstance(value, str)}


RULES = (text, no_secrets, known_settings, deployment_name)
