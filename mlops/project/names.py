"""Writes the names of ``scoring.toml`` into the files, and finds whatever disagrees with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from azureml_scoring.models.files.manifest import FILE_NAME, Manifest
from mlops import output
from mlops.check.document import Document, Problem, UnreadableDocument, read
from mlops.project import sample_requests
from mlops.project.places import Place, content, places
from mlops.project.project_file import FILE, Names

ARTIFACT = Path("artifact")
NAME_VARIABLES = ("MODEL_NAME", "MODEL_VERSION")


def write(root: Path, names: Names) -> list[str]:
    """Correct the names in the files below ``root``, and nothing else.

    Returns a line about each name that was wrong.
    """
    wrong = sorted(wrong_places(root, names), key=lambda place: (place.path, place.span))
    for place in reversed(wrong):  # from the end of each file: a change moves what follows it
        text, (start, end) = content(place.path) or "", place.span
        output.write(
            place.path, f"{text[:start]}{place.wanted}{text[end:]}", output.seen_by_the_command
        )
    return [f"{place.path}:{place.line}: {place.found} is now {place.wanted}" for place in wrong]


def wrong_places(root: Path, names: Names) -> list[Place]:
    return [place for place in places(root, names) if place.found != place.wanted]


def write_sample_requests(root: Path, packaged: Manifest) -> list[Path]:
    """Replace the sample requests that the model refuses by its golden rows; return their paths."""
    texts = sample_requests.texts(packaged)
    wrong = [path for path in texts if sample_requests.refused(root / path, packaged)]
    for path in wrong:
        output.write(root / path, texts[path], output.seen_by_the_command)
    return wrong


def packaged(root: Path) -> Manifest | None:
    """Read the manifest of the artifact folder, if there is one. Raises StartupError."""
    folder = root / ARTIFACT
    return Manifest.read(folder) if (folder / FILE_NAME).is_file() else None


def check(root: Path, names: Names) -> list[Problem]:
    """Find whatever disagrees with the names or with the packaged model. Raises StartupError."""
    return [*_names(root, names), *_model(root, names), *_environment(root)]


def _names(root: Path, names: Names) -> Iterator[Problem]:
    for place in wrong_places(root, names):
        wrong = (
            f"names {place.found or 'nothing'}, but names.{place.which} in {FILE} is {place.wanted}"
        )
        yield Problem(
            place.path,
            place.line,
            place.key,
            wrong,
            f"run `make names`, or write {place.wanted} there",
        )


def _model(root: Path, names: Names) -> Iterator[Problem]:
    if (manifest := packaged(root)) is None:
        return
    if manifest.model_name != names.model:
        path = root / ARTIFACT / FILE_NAME
        wrong = f"is {manifest.model_name}, but names.model in {FILE} is {names.model}"
        yield Problem(
            path, 1, ("model_name",), wrong, "run `make artifact`, or correct names.model there"
        )
        return
    for path in (sample_requests.PLAIN, sample_requests.NAMED):
        if why := sample_requests.refused(root / path, manifest):
            wrong = f"is not a request that the model in {ARTIFACT} takes ({why.rstrip('.')})"
            yield Problem(
                root / path, 1, ("data",), wrong, "run `make names`, which makes one of the model"
            )


def _environment(root: Path) -> Iterator[Problem]:
    """Find variables that override the model's name and version in the image's manifest."""
    for path in sorted(root.glob("kubernetes/**/*.yaml")):
        try:
            document = read(path)
        except UnreadableDocument:  # such as several documents in one file
            continue
        yield from _hiding(document)


def _hiding(document: Document) -> Iterator[Problem]:
    at = ("spec", "template", "spec", "containers")
    for n, container in enumerate(_mappings(document.value(*at))):
        for m, variable in enumerate(_mappings(container.get("env"))):
            if variable.get("name") in NAME_VARIABLES:
                yield document.problem(
                    (*at, n, "env", m, "name"),
                    f"is {variable['name']}, which overrides the model's manifest",
                    "remove the variable",
                )


def _mappings(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
