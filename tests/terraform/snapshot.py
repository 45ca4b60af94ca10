"""Writes ``azurerm.json``: the schema of the azurerm resources that ``infrastructure/`` uses.

It is read off the bindings that the CDK Terrain project generates from the provider's own schema; they are parsed, not
imported. After a change of the resource types used, or of the provider's version:

    python -m pip install --no-deps --target build/cdktn cdktn-provider-azurerm==18.9.0
    PYTHONPATH=tests python -m terraform.snapshot build/cdktn

The form is that of ``terraform providers schema -json``. The bindings do not tell lists from sets, nor enums and ranges.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

from terraform.module import INFRASTRUCTURE, Module
from terraform.schema import AZURERM

OF_CDK = {"connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioners", "timeouts", "id"}
"""Arguments that every resource has, whatever its type."""

SCALARS = {"builtins.str": "string", "jsii.Number": "number", "builtins.bool": "bool"}


class Bindings:
    """One module of the bindings: a resource or a data source with its blocks, by class name."""

    def __init__(self, package: Path, kind: str, type_name: str) -> None:
        name = type_name.removeprefix("azurerm_")
        folder = f"data_azurerm_{name}" if kind == "data" else name
        tree = ast.parse((package / "cdktn_provider_azurerm" / folder / "__init__.py").read_text())
        self._classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        self._root = next(iter(node for node in self._classes if node != "_LazyImport"))

    def schema(self) -> dict[str, Any]:
        block = self._block(self._root + "Config", self._root)
        block["attributes"]["id"] = {"type": "string", "computed": True}
        return block

    def _block(self, arguments: str, outputs: str) -> dict[str, Any]:
        attributes, blocks = {}, {}
        if arguments in self._classes:
            constructor = self._method(arguments, "__init__")
            docs = ast.get_docstring(constructor) or ""
            for argument, default in zip(constructor.args.kwonlyargs, constructor.args.kw_defaults, strict=True):
                name = argument.arg.rstrip("_")
                if name in OF_CDK:
                    continue
                required, text = default is None, ast.unparse(argument.annotation or ast.Constant(None)).replace("'", '"')
                inner = re.search(r'"([A-Z]\w+)"', text.replace('"_cdktn_78ede62e.IResolvable"', ""))
                if inner and f":param {argument.arg}: {name} block." in docs:
                    repeated = "typing.Sequence[" in text
                    blocks[name] = {
                        "nesting_mode": "list",
                        "block": self._block(inner[1], f"{inner[1]}OutputReference"),
                        **({"min_items": 1} if required else {}),
                        **({} if repeated else {"max_items": 1}),
                    }
                else:
                    attributes[name] = {"type": self._type(text), "required" if required else "optional": True}
        for name, text in self._computed(outputs):
            if name not in attributes and name not in blocks:
                attributes[name] = {"type": self._type(text), "computed": True}
        return {"attributes": attributes, **({"block_types": blocks} if blocks else {})}

    def _computed(self, outputs: str) -> list[tuple[str, str]]:
        """Properties that cannot be set: those without a twin that reads the input."""
        if outputs not in self._classes:
            return []
        found = {
            node.name: ast.unparse(node.returns).replace("'", '"')
            for node in self._classes[outputs].body
            if isinstance(node, ast.FunctionDef) and node.returns and any("property" in ast.unparse(d) for d in node.decorator_list)
        }
        own = {"internal_value", "fqn", "interpolation_as_list", "timeouts"}
        return [
            (name, text)
            for name, text in found.items()
            if name not in own and not name.endswith("_input") and f"{name}_input" not in found
        ]

    def _type(self, text: str) -> Any:
        text = text.removeprefix("typing.Optional[")
        if found := re.search(r'"(\w+?)List"', text):
            return ["list", self._object(found[1])]
        if "Mapping[" in text or "Map" in text:
            inner = next((name for key, name in SCALARS.items() if key in text.split("Mapping[builtins.str,")[-1]), "string")
            return ["map", inner]
        scalar = next((name for key, name in SCALARS.items() if key in text), "string")
        return ["list", scalar] if re.search(r"Sequence\[|List\[", text) else scalar

    def _object(self, name: str) -> Any:
        return ["object", {key: self._type(text) for key, text in self._computed(f"{name}OutputReference")}]

    def _method(self, owner: str, name: str) -> ast.FunctionDef:
        return next(n for n in self._classes[owner].body if isinstance(n, ast.FunctionDef) and n.name == name)


def main() -> None:
    package = Path(sys.argv[1])
    version = next(package.glob("cdktn_provider_azurerm-*.dist-info")).name.split("-")[1].removesuffix(".dist")
    used = Module(INFRASTRUCTURE).types()
    schemas = {
        f"{kind}_schemas": {
            name: Bindings(package, section, name).schema()
            for name in sorted(used[section])
            if name.startswith("azurerm_")
        }
        for kind, section in (("resource", "resource"), ("data_source", "data"))
    }
    text = json.dumps({"bindings": f"cdktn-provider-azurerm {version}", **schemas}, indent=1, sort_keys=True)
    AZURERM.write_text(text + "\n")
    print(f"{AZURERM}: {sum(map(len, schemas.values()))} types")  # noqa: T201


if __name__ == "__main__":
    main()
