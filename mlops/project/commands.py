"""``mlops artifact`` and ``mlops names``, by which `make` applies the project file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from azureml_scoring.errors import StartupError
from azureml_scoring.models.files.manifest import FILE_NAME
from mlops import output
from mlops.package_commands import package, printable
from mlops.project import names as names_
from mlops.project import project_file
from mlops.project.project_file import FILE, command_line

RECORDS = Path("build")
"""Holds the manifest's checksum of each artifact folder that `mlops artifact` wrote and may
replace."""

EXISTING = click.Path(path_type=Path, exists=True)


@click.command()
@click.option("--model", type=EXISTING, help=f"Package this model instead of the one in {FILE}.")
@click.option(
    "--sample", type=EXISTING, help=f"Read sample rows from this file instead of the one in {FILE}."
)
@click.option(
    "--version", default="v1.0.0", callback=printable, help="Give the model this version."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=names_.ARTIFACT,
    help="Write the artifact to this folder.",
)
@click.option(
    "--force", is_flag=True, help="Replace an artifact folder that another command wrote."
)
def artifact(model: Path | None, sample: Path | None, version: str, out: Path, force: bool) -> None:
    """Package the model of scoring.toml under its name there.

    An artifact folder that this command wrote is replaced. One that you packaged yourself is
    replaced only with --force.

    Example: mlops artifact --version 7
    """
    project = project_file.read()
    overrides = {
        name: str(path)
        for name, path in {"file": model, "sample": sample}.items()
        if path is not None
    }
    options = {**project.options, **overrides}
    _check_model(options)
    from mlops import demo
    from mlops.artifact_folder import check_out

    check_out(out, force=True)
    replaced = _is_full(out)
    if replaced and not force and not _is_ours(out):
        raise StartupError(
            f"{out} was not written by this command, so it is not replaced; move it away, or give "
            "--force (make: FORCE=1)."
        )
    if project.names.model == demo.NAME:
        click.echo(
            f"note: names.model in {FILE} is still the demo's; write the name of your model there",
            err=True,
        )
    file = options.pop("file")
    settled = {"name": project.names.model, "version": version, "out": str(out), "force": replaced}
    _package([*command_line(options | settled), "--", file])
    output.write(_record(out), _mark(out))


def _package(words: list[str]) -> None:
    with package.make_context(
        "package", words, parent=click.get_current_context().parent
    ) as context:
        package.invoke(context)


@click.command()
def names() -> None:
    """Write the names of scoring.toml into the files that need them.

    They are in endpoints/ and infrastructure/. Only the names change; comments and everything else
    stay. A sample request is replaced if the
    model in artifact/ refuses it.

    Example: mlops names
    """
    project, root = project_file.read(), Path()
    changed = names_.write(root, project.names)
    packaged = names_.packaged(root)
    if packaged and packaged.model_name == project.names.model:
        changed += [
            f"{path} is now a request to that model"
            for path in names_.write_sample_requests(root, packaged)
        ]
    else:
        click.echo(
            f"note: {project.names.model} is not in artifact/, so sample requests are not checked",
            err=True,
        )
    for line in changed:
        click.echo(line)
    click.echo(f"{len(changed)} changed.")


def _check_model(options: Mapping[str, Any]) -> None:
    """Raise StartupError if there is no model to package."""
    if missing := [name for name in ("file", "sample") if name not in options]:
        raise StartupError(
            f"{FILE} names no model of yours (below [model] it lacks {' and '.join(missing)}): "
            'write there file = "models/model.joblib" and sample = "models/train.csv", or run '
            "make artifact MODEL=FILE SAMPLE=FILE; `make demo` packages the demo."
        )
    for name in ("file", "sample"):
        if not Path(options[name]).exists():
            raise StartupError(
                f"{FILE}: model.{name} is {options[name]}, which is not here; correct it, or put "
                "the file there first, in a pipeline by a step before this one."
            )


def _is_full(out: Path) -> bool:
    return out.exists() and not (out.is_dir() and not any(out.iterdir()))


def _is_ours(out: Path) -> bool:
    """True if ``out`` is as this command left it."""
    try:
        return _record(out).read_text() == _mark(out)
    except (OSError, UnicodeDecodeError):
        return False


def _record(out: Path) -> Path:
    return RECORDS / f"{out.name}.written"


def _mark(out: Path) -> str:
    return f"{output.MARK}: {hashlib.sha256((out / FILE_NAME).read_bytes()).hexdigest()}\n"
