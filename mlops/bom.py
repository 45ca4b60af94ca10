"""Describes a packaged model as an ML-BOM (CycloneDX 1.6), and as a model card made of that.

Equal inputs give equal bytes: there is no time and no random number in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from azureml_scoring.models.files import signature
from azureml_scoring.models.files.manifest import FILE_NAME, Manifest

SPECIFICATION = "1.6"


def bom(folder: Path, data: Sequence[Path] = (), metrics: Mapping[str, str] | None = None) -> Any:
    """Return the document, as JSON takes it.

    ``data``: files that the model was fitted or packaged on, of which it has the sha256 and nothing
    else. ``metrics``: name -> value. Raises StartupError if the folder is not as it was packaged.
    """
    sums = signature.checksums(folder)
    manifest = Manifest.read(folder, sums)
    name, version = manifest.model_name, manifest.model_version
    packages = manifest.versions | manifest.requirements
    python = packages.pop("python", "unknown")
    libraries = [_library(package, number) for package, number in sorted(packages.items())]
    model = {
        "type": "machine-learning-model",
        "bom-ref": f"model:{name}@{version}",
        "name": name,
        "version": version,
        "hashes": _hashes(sums[FILE_NAME]),
        "modelCard": _card(manifest, data, metrics or {}),
        "components": [
            {"type": "file", "bom-ref": f"file:{file}", "name": file, "hashes": _hashes(digest)}
            for file, digest in sums.items()
        ],
        "properties": [_property("python", python)]
        + ([_property("compiled from", manifest.origin.file)] if manifest.origin else []),
    }
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {"component": model},
        "components": libraries,
        "dependencies": [
            {
                "ref": model["bom-ref"],
                "dependsOn": [library["bom-ref"] for library in libraries],
            }
        ],
    }


def model_card(document: Any) -> str:
    """Return Markdown of an ML-BOM."""
    model = document["metadata"]["component"]
    card = model["modelCard"]
    parameters = card["modelParameters"]
    lines = [f"# {_cell(model['name'])} {_cell(model['version'])}", ""]
    lines += _table("Takes", parameters["inputs"])
    lines += _table("Gives", parameters["outputs"])
    datasets = [
        {"format": f"{each['name']}, sha256 {each['contents']['properties'][0]['value']}"}
        for each in parameters.get("datasets", ())
    ]
    lines += _table("Data", datasets)
    measured = card.get("quantitativeAnalysis", {}).get("performanceMetrics", ())
    lines += _table("Metrics", [{"format": f"{m['type']}: {m['value']}"} for m in measured])
    packages = [{"format": f"{each['name']} {each['version']}"} for each in document["components"]]
    lines += _table("Libraries", packages)
    files = [
        {"format": f"{each['name']}, sha256 {each['hashes'][0]['content']}"}
        for each in model["components"]
    ]
    lines += _table("Files", files)
    return "\n".join(lines).rstrip() + "\n"


def _card(manifest: Manifest, data: Sequence[Path], metrics: Mapping[str, str]) -> dict[str, Any]:
    features = manifest.contract.features
    parameters: dict[str, Any] = {
        "inputs": [
            {"format": f"{feature.name if feature.name is not None else i}: {feature.dtype}"}
            for i, feature in enumerate(features)
        ],
        "outputs": [{"format": method} for method in manifest.contract.methods],
    }
    if data:
        parameters["datasets"] = [
            {
                "type": "dataset",
                "name": file.name,
                "contents": {"properties": [_property("sha256", signature.sha256_of(file))]},
            }
            for file in data
        ]
    card: dict[str, Any] = {"modelParameters": parameters}
    if metrics:
        card["quantitativeAnalysis"] = {
            "performanceMetrics": [
                {"type": name, "value": value} for name, value in metrics.items()
            ]
        }
    return card


def _library(package: str, version: str) -> dict[str, str]:
    purl = f"pkg:pypi/{package.lower().replace('_', '-')}@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package,
        "version": version,
        "purl": purl,
    }


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": f"azureml-scoring:{name}", "value": value}


def _table(heading: str, rows: Sequence[Mapping[str, str]]) -> list[str]:
    listed = [f"- {_cell(row['format'])}" for row in rows]
    return [f"## {heading}", "", *listed, ""] if listed else []


def _cell(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!" else c for c in " ".join(text.split()))
