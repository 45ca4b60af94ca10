"""Writes ``schemas.json``: the schemas of the resources that ``infrastructure/`` uses.

They are read off the bindings that CDK Terrain generates from the providers' own schemas; those are
parsed, not imported. After a change of the resource types used, or of a provider's version:

    python -m pip install --no-deps --target build/cdktn \\
        cdktn-provider-azurerm==18.9.0 cdktn-provider-azapi==1.0.0 cdktn-provider-time==14.0.2
    PYTHONPATH=tests python -m terraform.snapshot build/cdktn

The bindings do not tell lists from sets, enums, ranges, nor what is sensitive: the last is taken
from the names.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

from terraform.module import ROOTS, Module
from terraform.schema import SNAPSHOT

OF_EVERY_RESOURCE = {
    "connection",
    "count",
    "depends_on",
    "for_each",
    "lifecycle",
    "provider",
    "provisioners",
    "timeouts",
}
OF_CDK = {"internal_value", "fqn", "interpolation_as_list", "timeouts", "config", "alias"}
SCALARS = {"builtins.str": "string", "jsii.Number": "number", "builtins.bool": "bool"}
SENSITIVE = re.compile(
    r"access_key|connection_string|shared_key|password|instrumentation_key|kube_config|client_secret"
)
PROVIDERS = {
    "azurerm": "registry.terraform.io/hashicorp/azurerm",
    "azapi": "registry.terraform.io/azure/azapi",
    "time": "registry.terraform.io/hashicorp/time",
}


class Bindings:
    """One module of the bindings: a resource, a data source or the provider, with its blocks by
    class name."""

    def __init__(self, module: Path) -> None:
        tree = ast.parse(module.read_text())
        self._classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        self._root = next(name for name in self._classes if name != "_LazyImport")

    def schema(self) -> dict[str, Any]:
        return self._block(f"{self._root}Config", self._root, OF_EVERY_RESOURCE)

    def provider(self) -> dict[str, Any]:
        return self._block(f"{self._root}Config", "", OF_CDK)

    def _block(self, arguments: str, outputs: str, left_out: set[str]) -> dict[str, Any]:
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for name, text, required, is_block in self._arguments(arguments):
            if name in left_out:
                continue
            if is_block:
                inner = re.findall(r'"([A-Z]\w+)"', text)[0]
                blocks[name] = {
                    "nesting_mode": "list",
                    "block": self._block(inner, f"{inner}OutputReference", set()),
                    **({"min_items": 1} if required else {}),
                    **({} if "typing.Sequence[" in text else {"max_items": 1}),
                }
            else:
                how = "required" if required else "computed" if name == "id" else "optional"
                attributes[name] = {"type": self._type(text), how: True}
                if name.endswith("_wo"):
                    attributes[name]["write_only"] = True
        for name, text in self._computed(outputs):
            if name not in blocks:
                attributes.setdefault(name, {"type": self._type(text), "computed": True})
        for name, attribute in attributes.items():
            if SENSITIVE.search(name) and attribute["type"] != "bool":
                attribute["sensitive"] = True
        return {"attributes": attributes, **({"block_types": blocks} if blocks else {})}

    def _arguments(self, owner: str) -> list[tuple[str, str, bool, bool]]:
        if owner not in self._classes:
            return []
        body = self._classes[owner].body
        constructor = next(
            node for node in body if isinstance(node, ast.FunctionDef) and node.name == "__init__"
        )
        docs = ast.get_docstring(constructor) or ""
        # The bindings' own names went through camelCase: "on_30_days" came back as "on30_days".
        names = dict(re.findall(r":param (\w+): .*\{@link \S+#(\w+) ", docs))
        found = []
        for argument, default in zip(
            constructor.args.kwonlyargs, constructor.args.kw_defaults, strict=True
        ):
            name = names.get(argument.arg, argument.arg)
            is_block = f":param {argument.arg}: {name} block." in docs
            found.append((name, source(argument.annotation), default is None, is_block))
        return found

    def _computed(self, owner: str) -> list[tuple[str, str]]:
        """Properties that can't be set: those without a twin that reads the input."""
        if owner not in self._classes:
            return []
        found = {
            node.name: source(node.returns)
            for node in self._classes[owner].body
            if isinstance(node, ast.FunctionDef)
            and "builtins.property" in map(ast.unparse, node.decorator_list)
        }
        return [
            (name, text)
            for name, text in found.items()
            if name not in OF_CDK
            and not name.endswith("_input")
            and f"{name.rstrip('_')}_input" not in found
        ]

    def _type(self, text: str) -> Any:
        if found := re.search(r'"([A-Z]\w+)List"', text):
            return [
                "list",
                [
                    "object",
                    {
                        key: self._type(one)
                        for key, one in self._computed(f"{found[1]}OutputReference")
                    },
                ],
            ]
        if "typing.Any" in text or "AnyMap" in text:
            return "dynamic"
        scalar = next(
            (
                name
                for key, name in SCALARS.items()
                if key in text.replace("Mapping[builtins.str,", "")
            ),
            "string",
        )
        if "Mapping[" in text or "Map" in text:
            return ["map", scalar]
        return ["list", scalar] if re.search(r"Sequence\[|List\[", text) else scalar


def source(node: ast.expr | None) -> str:
    """An annotation, without the union that every binding's argument has."""
    text = ast.unparse(node).replace("'", '"') if node else ""
    return re.sub(r'(, )?"_cdktn_\w+\.IResolvable"(, )?', "", text)


def version(packages: Path, provider: str) -> str:
    """Return the version of the provider that the bindings were generated for."""
    text = (packages / f"cdktn_provider_{provider}" / "provider" / "__init__.py").read_text()
    return re.findall(rf"/{provider}/([\d.]+)/docs", text)[0]


def main() -> None:
    packages = Path(sys.argv[1])
    used = [block for root in ROOTS for block in Module(root).blocks().values()]
    providers: dict[str, Any] = {}
    for provider, address in PROVIDERS.items():
        modules = packages / f"cdktn_provider_{provider}"
        providers[provider] = {
            "address": address,
            "version": version(packages, provider),
            "provider": Bindings(modules / "provider" / "__init__.py").provider(),
        }
        for section, part, prefix in (
            ("resource", "resource_schemas", ""),
            ("data", "data_source_schemas", "data_"),
        ):
            names = sorted(
                {
                    block.type
                    for block in used
                    if block.section == section and block.type.startswith(f"{provider}_")
                }
            )
            folders = {
                name: name if prefix else name.removeprefix(f"{provider}_") for name in names
            }
            providers[provider][part] = {
                name: Bindings(modules / (prefix + folder) / "__init__.py").schema()
                for name, folder in folders.items()
            }
    text = json.dumps({"provider_schemas": providers}, sort_keys=True)
    # One type a line, so that a change shows.
    SNAPSHOT.write_text(
        re.sub(r'("(?:azurerm|azapi|time)_\w+": \{"attributes")', r"\n\1", text) + "\n"
    )


if __name__ == "__main__":
    main()
