"""Renders ``kubernetes/`` as ``kubectl kustomize`` does. It knows only what our files use, and
refuses anything else.

pip can't install kubectl. Its own output is in ``tests/data/kubernetes`` (``make manifests``), and
a test compares the two.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]

KEYS = {"apiVersion", "kind", "namespace", "resources", "components", "images", "patches"}
MERGED_BY = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath"}
"""Lists whose items are merged, and the key that tells which; all others are replaced."""


def render(folder: Path) -> list[Manifest]:
    """Return the rendered objects. Raises AssertionError for a feature that is not known here."""
    return _applied(folder, [])


def _applied(folder: Path, given: list[Manifest]) -> list[Manifest]:
    """Return the objects of a folder, with its patches applied. ``given``: the objects that a
    component changes."""
    spec = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert spec.keys() <= KEYS, f"{folder}: {spec.keys() - KEYS} is not rendered here; use kubectl"
    manifests = list(given)
    for name in spec.get("resources", []):
        place = folder / name
        manifests += (
            render(place) if place.is_dir() else list(yaml.safe_load_all(place.read_text()))
        )
    for name in spec.get("components", []):
        manifests = _applied(folder / name, manifests)
    for patch in spec.get("patches", []):
        assert patch.keys() <= {"path", "patch"}, (
            f"{folder}: a patch with {patch.keys()} is not rendered here"
        )
        text = patch["patch"] if "patch" in patch else (folder / patch["path"]).read_text()
        manifests = _patched(manifests, yaml.safe_load(text))
    for manifest in manifests:
        if "namespace" in spec:
            manifest["metadata"]["namespace"] = spec["namespace"]
    for image in spec.get("images", []):
        _rename(manifests, **image)
    return manifests


def _patched(manifests: list[Manifest], patch: Manifest) -> list[Manifest]:
    (found,) = [each for each in manifests if _identity(each) == _identity(patch)]
    others = [each for each in manifests if each is not found]
    if patch.get("$patch") == "delete":
        return others
    return [_merged(each, patch) if each is found else each for each in manifests]


def _identity(manifest: Manifest) -> tuple[str, str, str]:
    return manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]


def _merged(old: Any, new: Any, key: str = "") -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        assert not any(name.startswith("$") for name in new), (
            f"{key}: a directive is not rendered here"
        )
        return old | {name: _merged(old.get(name), value, name) for name, value in new.items()}
    if isinstance(old, list) and isinstance(new, list) and key in MERGED_BY:
        by = MERGED_BY[key]
        items = {item[by]: item for item in old}
        patched = {item[by]: _merged(items.get(item[by]), item) for item in new}
        return [*patched.values(), *(item for name, item in items.items() if name not in patched)]
    return copy.deepcopy(new)


def _rename(manifests: list[Manifest], *, name: str, newName: str, newTag: str) -> None:
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                if container["image"].rpartition(":")[0] == name:
                    container["image"] = f"{newName}:{newTag}"
