"""What API Management refuses when a policy is saved: XML against Microsoft's schemas, expressions
that are not C#."""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import xmlschema

from apim.csharp import is_expression, syntax_errors

NESTED = {"when", "otherwise", "return-response", "fragment"}
"""Elements whose content the schema leaves open."""


@functools.cache
def schema() -> xmlschema.XMLSchema11:
    folder = Path(__file__).with_name("policySchemas")
    return xmlschema.XMLSchema11(str(folder / "policies.xsd"), validation="lax")


def problems(document: ET.Element) -> list[str]:
    """Return the problems of a whole policy or a fragment."""
    whole = (
        []
        if document.tag == "fragment"
        else [f"{e.path}: {e.reason}" for e in schema().iter_errors(document)]
    )
    return whole + list(_inside(document, document.tag))


def _inside(parent: ET.Element, path: str) -> Iterator[str]:
    for text in [*parent.attrib.values(), parent.text or ""]:
        if is_expression(text.strip()):
            yield from (f"{path}: not C# near {error!r}" for error in syntax_errors(text.strip()))
    for child in parent:
        here = f"{path}/{child.tag}"
        if parent.tag in NESTED:
            declared = schema().elements.get(child.tag)
            if declared is None:
                yield f"{here}: no such policy"
            else:
                yield from (f"{here}: {error.reason}" for error in declared.iter_errors(child))
        yield from _inside(child, here)
