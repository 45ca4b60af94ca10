"""Reads which model a deployment's file names: a folder on this machine, or a model registered in
Azure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

SHORT = re.compile(r"azureml:(?P<name>[^/:@]+)(?::(?P<version>[^/@]+)|@(?P<label>[^/:@]+))")
ARM = re.compile(
    r"azureml:/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)/providers/"
    r"Microsoft\.MachineLearningServices/workspaces/(?P<workspace>[^/]+)/models/(?P<name>[^/]+)/"
    r"(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))",
    re.IGNORECASE,
)
LABELLED_IN_REGISTRY = re.compile(r"azureml://registries/.+/labels/[^/]+", re.IGNORECASE)


@dataclass(frozen=True)
class Registered:
    """A model of a workspace, by ``version`` or by a ``label`` such as latest. ``place``:
    subscription, resource group and workspace, if the file names them."""

    name: str
    version: str | None = None
    label: str | None = None
    place: tuple[str, str, str] | None = None

    def __str__(self) -> str:
        return (
            f"azureml:{self.name}:{self.version}"
            if self.version
            else f"azureml:{self.name}@{self.label}"
        )


class Models(Protocol):
    """The models of a workspace. Each call may raise EndpointError."""

    def version(self, model: Registered) -> Registered:
        """Return the model by the version that its label means now."""

    def describe(self, model: Registered, folder: Path) -> None:
        """Write the model's manifest and MLmodel, if it has them, into ``folder``."""


def registered(document: dict[str, Any]) -> Registered | None:
    """Return the workspace's model that a deployment's file names; None for a folder, and for a
    model of a registry."""
    text = str(document.get("model"))
    if match := SHORT.fullmatch(text):
        return Registered(match["name"], match["version"], match["label"])
    if match := ARM.fullmatch(text):
        place = (match["subscription"], match["group"], match["workspace"])
        return Registered(match["name"], match["version"], match["label"], place)
    return None


def folder(document: dict[str, Any], file: Path) -> Path | None:
    """Return the folder on this machine that ``file`` names as its model; None for one in Azure."""
    model = document.get("model")
    path = model.get("path") if isinstance(model, dict) else None
    return file.parent / path if isinstance(path, str) and ":" not in path else None


def moves(document: dict[str, Any]) -> bool:
    """True if the file names a registry's model by a label, which may mean another version a minute
    later."""
    return LABELLED_IN_REGISTRY.fullmatch(str(document.get("model"))) is not None
