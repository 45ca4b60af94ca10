"""What a packaged model is, read off its folder without loading it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from azureml_scoring.models.files import signature
from azureml_scoring.models.files.manifest import Manifest

SCHEMA = 1


def facts(folder: Path) -> dict[str, Any]:
    """Return the facts as JSON takes them; docs/command-line.md describes the form.

    Raises StartupError if the folder is not as it was packaged.
    """
    sums = signature.checksums(folder)
    manifest = Manifest.read(folder, sums)
    race = manifest.onnx and manifest.onnx.race
    return {
        "schema": SCHEMA,
        "name": manifest.model_name,
        "version": manifest.model_version,
        "model_file": manifest.model_file,
        "contract": manifest.contract.to_json(),
        "golden_rows": len(manifest.golden_rows),
        "cacheable": manifest.cacheable,
        "compiled": manifest.onnx is not None,
        "race": dataclasses.asdict(race) if race else None,
        "libraries": dict(sorted((manifest.versions | manifest.requirements).items())),
        "signed": (folder / signature.FILE_NAME).exists(),
        "files": {file: (folder / file).stat().st_size for file in sums},
    }


def table(shown: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the same for people: a label, which may be empty, and what belongs to it."""
    features, files = shown["contract"]["features"], shown["files"]
    libraries = ", ".join(f"{name} {number}" for name, number in shown["libraries"].items())
    return [
        ("model", f"{shown['name']} {shown['version']}, {shown['model_file']}"),
        ("takes", f"{len(features)} features"),
        *(("", _feature(place, feature)) for place, feature in enumerate(features)),
        ("answers", ", ".join(shown["contract"]["methods"])),
        ("golden", f"{shown['golden_rows']} rows"),
        ("cached", "yes" if shown["cacheable"] else "no"),
        ("compiled", "yes" if shown["compiled"] else "no"),
        *(_engines(shown["race"]) if shown["race"] else ()),
        ("libraries", libraries),
        ("size", f"{sum(files.values()):,} bytes in {len(files)} files"),
        ("signed", "yes; `mlops verify` says by whom" if shown["signed"] else "no"),
    ]


def _feature(place: int, feature: Mapping[str, Any]) -> str:
    name = place if feature["name"] is None else feature["name"]
    return f"{name}: {feature['dtype']}{', may be missing' if feature['missing'] else ''}"


def _engines(race: Mapping[str, Any]) -> list[tuple[str, str]]:
    winner = race["small"]
    if race["large"] != race["small"]:
        winner += f", from {race['large_from']} rows {race['large']}"
    times = race["microseconds"].items()
    return [("engine", winner), *(("", f"{name}: {_times(race['rows'], t)}") for name, t in times)]


def _times(rows: Sequence[int], microseconds: Sequence[float]) -> str:
    return ", ".join(
        f"{time / 1000:,.3f} ms for {count}" for count, time in zip(rows, microseconds, strict=True)
    )
