"""``mlops types``: writes the type of a model's rows, for type checkers, from its contract."""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from pathlib import Path

import click

from azureml_scoring.inputs.feature import BOOLEAN, CATEGORY, DATETIME, TEXT, Feature

MAX_LITERALS = 20
"""More categories than that are written as their types."""


@click.command()
@click.argument("model_dir", type=click.Path(path_type=Path, exists=True))
def types(model_dir: Path) -> None:
    """Print a Python module with the type of a row that the model in MODEL_DIR takes.

    Example: mlops types artifact > rows.py
    """
    from mlops.model_features import features_of

    click.echo(source(features_of(model_dir)), nl=False)


def source(features: Sequence[Feature]) -> str:
    """Return a module with the TypedDict ``Row``; columns without names are "0", "1", ..."""
    columns = {
        str(place) if feature.name is None else feature.name: _type(feature)
        for place, feature in enumerate(features)
    }
    text = " ".join(columns.values())
    used = [name for name in ("Any", "Literal", "NotRequired") if name in text] + ["TypedDict"]
    head = f'"""A row of the model\'s input."""\n\nfrom typing import {", ".join(used)}\n\n'
    if all(name.isidentifier() and not keyword.iskeyword(name) for name in columns):
        lines = [f"    {name}: {kind}" for name, kind in columns.items()]
        return "\n".join([f"{head}\nclass Row(TypedDict):", *lines, ""])
    lines = [f"        {name!r}: {kind}," for name, kind in columns.items()]
    return "\n".join([f"{head}Row = TypedDict(", '    "Row",', "    {", *lines, "    },", ")", ""])


def _type(feature: Feature) -> str:
    text = _value_type(feature) + (" | None" if feature.missing else "")
    return f"NotRequired[{text}]" if feature.optional else text


def _value_type(feature: Feature) -> str:
    if feature.whole:
        return "int"
    if feature.numeric:
        return "float"
    simple = {TEXT: "str", DATETIME: "str", BOOLEAN: "bool"}
    if feature.dtype in simple:
        return simple[feature.dtype]
    if feature.dtype != CATEGORY or not feature.categories:
        return "Any"
    literal = not any(isinstance(value, float) for value in feature.categories)
    if literal and not feature.unseen and len(feature.categories) <= MAX_LITERALS:
        return f"Literal[{', '.join(map(repr, feature.categories))}]"
    return " | ".join(sorted({type(value).__name__ for value in feature.categories}))
