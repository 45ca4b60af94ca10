"""Packages a model with a CSV as its sample, by the command."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from click.testing import CliRunner, Result

import support
from azureml_scoring.models.files.manifest import Manifest
from mlops.cli import main


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def package(
    folder: Path, estimator: object, sample: str | pd.DataFrame, *options: object
) -> Result:
    file = support.dump(estimator, folder)
    if isinstance(sample, str):
        (folder / "train.csv").write_text(sample)
    else:
        sample.to_csv(folder / "train.csv", index=False)
    return run(
        "package",
        file,
        "--sample",
        folder / "train.csv",
        "--out",
        folder / "out",
        "--force",
        *options,
    )


def dtypes(folder: Path) -> dict[str | None, str]:
    return {
        feature.name: feature.dtype for feature in Manifest.read(folder / "out").contract.features
    }
