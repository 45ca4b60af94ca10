"""Rules for a deployment's environment variables: text, no secrets, and settings that the service
knows."""

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
    r"://[^/@\s]*:(?!\d+/)[^@\s]+@|rediss?://[^@\s]*:[^@\s]+@|(AccountKey|SharedAccessKey|Password|Pwd)=|[?&]sig=",
    re.IGNORECASE,
)
"""A password in a URL may hold a slash, though it should not; after a host and a port a slash
begins the path."""

INJECTED = re.compile(r"\$\{\{(keyvault:https://|azureml://connections/)[^{}]+\}\}")
"""What Azure ML replaces by a secret of the Key Vault or of a connection when the container
starts."""


def text(document: Document) -> Iterator[Problem]:
    for name, value in _given(document).items():
        if not isinstance(value, str):
            yield document.problem((KEY, name), "is not text", "put the value in quotes")


def no_secrets(document: Document) -> Iterator[Problem]:
    """The value is not echoed."""
    for name, value in _given(document).items():
        shown = SECRET_NAME.search(name) or SECRET_VALUE.search(str(value))
        if value and shown and not INJECTED.fullmatch(str(value)):
            yield document.problem(
                (KEY, name),
                "is a secret in plain text",
                "use the managed identity (for Redis REDIS_AUTH: entra), or ${{keyvault:https://VAULT/secrets/NAME}}",
            )


def known_settings(document: Document) -> Iterator[Problem]:
    """Each by itself, as start-up would refuse it."""
    for name, value in _texts(document).items():
        try:
            settings.load({name: value})
        except StartupError as error:
            wrong, _, instead = str(error).removeprefix(f"{name} ").rstrip(".").partition("; ")
            yield document.problem((KEY, name), wrong, instead)


def deployment_name(document: Document) -> Iterator[Problem]:
    """Metadata and logs show it."""
    name, given = document.value("name"), _texts(document).get("DEPLOYMENT_NAME")
    if given is not None and given != name:
        yield document.problem(
            (KEY, "DEPLOYMENT_NAME"), "is not the deployment's name", f"write {name}"
        )


def configured(document: Document) -> Settings | None:
    """What the service would read; None where it would not start."""
    try:
        return settings.load(_texts(document))
    except StartupError:
        return None


def _given(document: Document) -> dict[str, object]:
    return {str(name): value for name, value in (document.typed(dict, KEY) or {}).items()}


def _texts(document: Document) -> dict[str, str]:
    return {name: value for name, value in _given(document).items() if isinstance(value, str)}


RULES = (text, no_secrets, known_settings, deployment_name)
