"""The providers' schemas, as far as ``infrastructure/`` uses them, and what a block has wrong by
them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SNAPSHOT = Path(__file__).parent / "schemas.json"
"""Written by ``terraform.snapshot``."""

META = {"count", "for_each", "depends_on", "lifecycle", "provider", "timeouts"}
"""Terraform's own, which every resource takes."""


TERRAFORM_DATA = {
    "attributes": {
        "id": {"type": "string", "computed": True},
        "input": {"type": "dynamic", "optional": True},
        "output": {"type": "dynamic", "computed": True},
        "triggers_replace": {"type": "dynamic", "optional": True},
    }
}
"""Of Terraform itself, which needs no provider for it."""


def schemas() -> dict[str, Any]:
    """Return schemas by provider, in the form of ``terraform providers schema -json``."""
    data: dict[str, Any] = json.loads(SNAPSHOT.read_text())["provider_schemas"]
    return data


def of_type(section: str, kind: str) -> dict[str, Any] | None:
    """The schema of a resource or data source; None where it is not in the snapshot."""
    if kind == "terraform_data":
        return TERRAFORM_DATA
    part = "data_source_schemas" if section == "data" else "resource_schemas"
    found: dict[str, Any] | None = schemas()[kind.partition("_")[0]][part].get(kind)
    return found


def problems(
    where: str, body: dict[str, Any], schema: dict[str, Any], own: set[str] = META
) -> Iterator[str]:
    """Unknown names, missing ones, blocks in place of arguments and the other way round; at all
    depths."""
    attributes, blocks = schema["attributes"], schema.get("block_types", {})
    given = {
        name: value for name, value in body.items() if not name.startswith("__") and name not in own
    }
    dynamic = {
        name: one["content"]
        for part in given.pop("dynamic", [])
        for name, one in part.items()
        if name[0] != "_"
    }
    for name in dynamic.keys() & given.keys():
        if blocks.get(name, {}).get("max_items") == 1:
            yield f"{where}.{name} is given twice"
        dynamic[name] = [*given[name], *dynamic[name]]
    for name, value in {**given, **dynamic}.items():
        here = f"{where}.{name}"
        is_block = isinstance(value, list) and any(
            isinstance(one, dict) and "__is_block__" in one for one in value
        )
        if name in blocks:
            if not is_block:
                yield f"{here} is a block, not an argument"
                continue
            if name not in dynamic and len(value) > blocks[name].get("max_items", len(value)):
                yield f"{here} is given {len(value)} times"
            for one in value:
                yield from problems(here, one, blocks[name]["block"], set())
        elif name not in attributes:
            yield f"{here} is unknown"
        elif is_block:
            yield f"{here} is an argument, not a block"
        elif not attributes[name].keys() & {"required", "optional"}:
            yield f"{here} can't be set"
        elif isinstance(value, bool) != (attributes[name]["type"] == "bool") and not is_expression(
            value
        ):
            yield f"{here} is not a {attributes[name]['type']}"
    needed = {name for name, one in attributes.items() if one.get("required")}
    needed |= {name for name, one in blocks.items() if one.get("min_items")}
    for name in sorted(needed - given.keys() - dynamic.keys()):
        yield f"{where}.{name} is missing"


def is_expression(value: object) -> bool:
    return isinstance(value, str) and "${" in value
