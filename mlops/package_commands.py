"""``mlops package`` and ``mlops demo``, which write artifact folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from azureml_scoring.errors import StartupError
from mlops.column_options import column_options, user_types
from mlops.say import on_stderr

FOLDER = click.Path(path_type=Path, file_okay=False)
EXISTING = click.Path(path_type=Path, exists=True)


def printable(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return a name or version, or refuse one with unprintable characters: it goes into file
    names, JSON and terminals."""
    if value is not None and not value.isprintable():
        raise click.BadParameter(
            "It contains unprintable characters; write letters and digits.", ctx, param
        )
    return value


@click.command()
@click.argument("model", type=EXISTING)
@click.option(
    "--sample",
    type=EXISTING,
    required=True,
    help="Read rows like those to come from this file: .csv, .json, .parquet or .npy.",
)
@click.option("--out", type=FOLDER, required=True, help="Write the artifact folder here.")
@click.option(
    "--name", callback=printable, help="Give the model this name; by default, its file's."
)
@click.option("--version", callback=printable, help="Give the model this version; by default, 1.")
@click.option(
    "--drop",
    multiple=True,
    metavar="COLUMN",
    help="Leave this column of the sample out, such as the target.",
)
@column_options
@click.option(
    "--golden-rows",
    metavar="synthetic|sample|FILE",
    default="synthetic",
    help="Use golden rows made up like the sample's, ten rows of the sample, or those of a file.",
)
@click.option(
    "--not-cacheable",
    is_flag=True,
    help="Never cache answers: they depend on more than the request, such as the time.",
)
@click.option(
    "--trust",
    multiple=True,
    metavar="TYPE",
    help="Allow this type in a .skops file although skops does not trust it, or this function in a "
    "pickle although it may do harm.",
)
@click.option(
    "--code",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    metavar="DIR",
    help="Copy the modules in this folder, which the model needs, into the artifact. Those that "
    "loading the model imports are found without it.",
)
@click.option(
    "--requirements",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Record the packages that this file lists and the service does not bring. Those of the "
    "model's classes are found without it.",
)
@click.option(
    "--isolated",
    is_flag=True,
    help="Load the pickle in an environment of its own, made with the versions that it was saved "
    "with, and serve what is compiled of it. They are those of --requirements, of MLflow's files, "
    "or of the pickle.",
)
@click.option(
    "--classes",
    metavar="NAME,NAME,...",
    default="",
    help="Name the classes of XGBoost's or LightGBM's own file, which numbers them from 0.",
)
@click.option("--force", is_flag=True, help="Replace an existing artifact folder.")
def package(
    model: Path,
    sample: Path,
    out: Path,
    name: str | None,
    version: str | None,
    drop: tuple[str, ...],
    text: tuple[str, ...],
    dtype: tuple[str, ...],
    golden_rows: str,
    not_cacheable: bool,
    trust: tuple[str, ...],
    code: tuple[Path, ...],
    requirements: Path | None,
    isolated: bool,
    classes: str,
    force: bool,
) -> None:
    """Write the artifact folder of MODEL.

    MODEL is a file that joblib, pickle or skops wrote, a booster's own file (.ubj, .json, .txt,
    .cbm), or an MLflow folder. The artifact folder holds the model and a manifest: checksums,
    versions, the input contract, and golden rows with their answers, which the service checks
    before it takes requests. MODEL is unpickled here, so package only a model that you trust.

    Example: mlops package model.pkl --sample train.csv --drop y --out artifact
    """
    from mlops import golden_selection, sample_file
    from mlops.package import package as package_model

    rows = sample_file.load(sample)
    columns = {str(column): column for column in rows.columns}
    unknown = [name for name in drop if name not in columns]
    if unknown:
        raise StartupError(
            f"--drop names {', '.join(unknown)}, which the sample lacks; it has "
            f"{', '.join(columns)}."
        )
    manifest = package_model(
        model,
        rows.drop(columns=[columns[name] for name in drop]),
        out,
        user_types=user_types(text, dtype),
        golden_rows=golden_selection.parse_option(golden_rows, drop),
        name=name,
        version=version,
        force=force,
        cacheable=not not_cacheable,
        trust=trust,
        code=code,
        requirements=requirements,
        isolated=isolated,
        classes=_class_names(classes),
        say=on_stderr,
    )
    skops = manifest.model_file.lower().endswith(".skops")
    _packaged(manifest.model_name, manifest.model_version, out, trust if skops else ())
    if manifest.requirements:
        click.echo(f"For an image with its packages: mlops environment {out} --out environment/own")


@click.command()
@click.option("--out", type=FOLDER, required=True, help="Write the artifact folder here.")
@click.option(
    "--version", default="v1.0.0", callback=printable, help="Give the model this version."
)
@click.option("--force", is_flag=True, help="Replace an existing artifact folder.")
def demo(out: Path, version: str, force: bool) -> None:
    """Train and package the demo model.

    It is a classifier on scikit-learn's diabetes data.

    Example: mlops demo --out artifact
    """
    from mlops import demo as demos

    manifest = demos.make(out, version=version, force=force, say=on_stderr)
    _packaged(manifest.model_name, manifest.model_version, out)


def _class_names(text: str) -> list[str] | list[int]:
    """Return the names between commas: numbers if all are whole numbers."""
    names = [name.strip() for name in text.split(",")] if text else []
    return [int(name) for name in names] if all(map(str.isdecimal, names)) else names


def _packaged(name: str, version: str, out: Path, trusted: Sequence[str] = ()) -> None:
    setting = f"SCORING_SKOPS_TRUSTED_TYPES={','.join(trusted)} " if trusted else ""
    click.echo(f"Packaged {name} {version}. Serve it: {setting}mlops serve --model-dir {out}")
