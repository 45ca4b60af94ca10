"""Finds the names of ``scoring.toml`` in files that Azure and Terraform read unchanged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from azureml_scoring.models.files.bounded_yaml import Loader
from mlops.check.document import Key
from mlops.project.project_file import Names

Span = tuple[int, int]

REFERENCES = ("model", "endpoint_deployment_id")
"""Keys whose value refers to a model or to an endpoint."""

BATCH = "batch-"
"""Begins the names of a batch endpoint's files, which lie beside those of an online one."""


@dataclass(frozen=True)
class Place:
    """A name in a file.

    ``which``: the field of Names that it must equal. ``span``: its position in the text.
    """

    path: Path
    key: Key
    line: int
    which: str
    found: str
    wanted: str
    span: Span


def places(root: Path, names: Names) -> Iterator[Place]:
    """Yield all places below ``root``, right or wrong, in the files and keys that exist."""
    for pattern, which, key, find in WHERE:
        for path in sorted(root.glob(pattern)):
            if path.name.startswith(BATCH) and BATCH not in pattern:
                continue
            text = content(path)
            if text is not None and (span := find(text)):
                line = text.count("\n", 0, span[0]) + 1
                yield Place(path, key, line, which, text[slice(*span)], getattr(names, which), span)


def content(path: Path) -> str | None:
    """Return a text with its line ends unchanged, or None if it can't be read.

    Others report such a file.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _in_yaml(key: Key, text: str) -> Span | None:
    """Find the value at ``key``, without quotes; in a reference, the name after ``azureml:``.

    JSON is YAML too.
    """
    try:
        node = Loader(text).get_single_node()
    except (yaml.YAMLError, ValueError):
        return None
    for part in key:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for name, value in pairs if name.value == part), None)
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
        return None  # a block of text ends on another line
    quote = 1 if node.style else 0
    start, end = node.start_mark.index + quote, node.end_mark.index - quote
    if key[-1] not in REFERENCES:
        return start, end
    reference = re.compile(r"azureml:([^/:@\s]+)").match(text, start, end)
    return reference and reference.span(1)


def _in_terraform(variable: str, text: str) -> Span | None:
    """Find the default of a variable, if it is text."""
    start = text.find(f'variable "{variable}" {{')
    end = text.find("\n}", start)
    default = re.compile(r'^\s*default\s*=\s*"([^"\n]*)"', re.MULTILINE)
    match = default.search(text, max(start, 0), max(end, 0))
    return match and match.span(1)


def _yaml(
    pattern: str, which: str, *key: str
) -> tuple[str, str, Key, Callable[[str], Span | None]]:
    return pattern, which, key, partial(_in_yaml, key)


WHERE = (
    _yaml("endpoints/model.yml", "model", "name"),
    _yaml("endpoints/online-endpoint.yml", "endpoint", "name"),
    _yaml("endpoints/*-deployment.yml", "endpoint", "endpoint_name"),
    _yaml("endpoints/*-deployment.yml", "model", "model"),
    _yaml(
        "endpoints/monitor.yml",
        "endpoint",
        "create_monitor",
        "monitoring_target",
        "endpoint_deployment_id",
    ),
    _yaml("endpoints/batch-endpoint.yml", "batch_endpoint", "name"),
    _yaml("endpoints/batch-deployment.yml", "batch_endpoint", "endpoint_name"),
    _yaml("endpoints/batch-deployment.yml", "model", "model"),
    _yaml("endpoints/autoscale.json", "endpoint", "parameters", "endpoint", "defaultValue"),
    _yaml("endpoints/kubernetes/online-endpoint.yml", "kubernetes_endpoint", "name"),
    _yaml("endpoints/kubernetes/*-deployment.yml", "kubernetes_endpoint", "endpoint_name"),
    _yaml("endpoints/kubernetes/*-deployment.yml", "model", "model"),
    (
        "infrastructure/variables.tf",
        "endpoint",
        ("endpoint_name", "default"),
        partial(_in_terraform, "endpoint_name"),
    ),
)
"""Pattern of files, field of Names, key, and the function that finds the key in a text."""
