"""Makes an artifact folder of a model: the file, and a manifest measured on sample data."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

import artifact
import golden
import model as serving
from contract import Contract, Feature
from errors import ModelFailed, ScoringError, StartupError
from estimator import Predictor, container_of, finite, methods_of
from manifest import Manifest, running_versions, sha256
from mlops import sample as samples
from settings import Settings
from validation import Batch

GOLDEN_ROWS = 10

Say = Callable[[str], None]


def package(
    model: Path,
    sample: pd.DataFrame,
    out: Path,
    *,
    name: str | None = None,
    version: str | None = None,
    force: bool = False,
    say: Say = lambda line: None,
) -> Manifest:
    """Write ``out``. The estimator is unpickled: package only what you trust. Raises StartupError."""
    _check_out(out, force)
    say(f"Loading {model}")
    found = artifact.find(Settings(scoring_model_path=model.absolute(), model_name=name, model_version=version))
    estimator, digest, skew = serving.read(found, trust_types=True)
    for line in skew:
        say(f"  note: {line}; train it again with the versions that will serve it")
    frame = _select(sample, estimator, say)
    say(f"Measuring the contract on {len(frame)} rows, {len(frame.columns)} features")
    contract = _contract(frame, estimator)
    indices = _spread(len(frame), GOLDEN_ROWS)
    rows = samples.rows_of(frame, indices)
    say(f"Asking {len(rows)} golden rows for {', '.join(contract.methods)}")
    answers = _golden_answers(rows, estimator, contract, say)
    if _same_without_names(rows, estimator, contract, answers):
        contract = dataclasses.replace(contract, container="array")
    contract = dataclasses.replace(contract, methods=tuple(answers))
    manifest = Manifest(
        model_name=found.name,
        model_version=found.version if found.version != "unknown" else "1",
        model_file=found.file.name,
        files={found.file.name: digest},
        versions=running_versions(),
        contract=contract,
        golden_rows=rows,
        golden_answers={method: given for method, given in answers.items() if given is not None},
    )
    say(f"Writing {out}")
    _write(manifest, found.file, out)
    return manifest


def _check_out(out: Path, force: bool) -> None:
    if out.exists() and not force and (not out.is_dir() or any(out.iterdir())):
        raise StartupError(f"{out} exists and is not empty; name another folder or give --force to replace it.")


def _select(sample: pd.DataFrame, estimator: Any, say: Say) -> pd.DataFrame:
    """The columns that the model was fitted on, in that order."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        missing = [name for name in names if name not in sample.columns]
        if missing:
            raise StartupError(
                f"The sample lacks columns that the model was fitted on: {', '.join(missing)}; add them."
            )
        others = [str(column) for column in sample.columns if column not in set(names)]
        if others:
            say(f"  note: columns that the model does not know are left out: {', '.join(others)}")
        return sample[list(names)]
    texts = container_of(estimator, ()) == "list"
    count = 1 if texts else getattr(estimator, "n_features_in_", len(sample.columns))
    if len(sample.columns) != count:
        raise StartupError(
            f"The sample has {len(sample.columns)} columns ({', '.join(map(str, sample.columns))}), "
            f"the model takes {count}; leave the others out with --drop COLUMN."
        )
    return sample


def _contract(frame: pd.DataFrame, estimator: Any) -> Contract:
    features = samples.features_of(frame)
    contract = Contract(features, methods_of(estimator), container_of(estimator, features))
    taken = _missing_taken(samples.rows_of(frame, range(min(len(frame), 100))), estimator, contract)
    features = tuple(dataclasses.replace(f, missing=missing) for f, missing in zip(features, taken, strict=True))
    return dataclasses.replace(contract, features=features)


def _missing_taken(rows: list[list[Any]], estimator: Any, contract: Contract) -> list[bool]:
    """For each feature, tried out: is a row without its value answered with numbers?"""
    whole = next((row for row in rows if None not in row), rows[0])
    without = [[*whole[:j], None, *whole[j + 1 :]] for j in range(len(whole))]
    features: tuple[Feature, ...] = tuple(dataclasses.replace(f, missing=True) for f in contract.features)
    lenient = dataclasses.replace(contract, features=features)
    if _answered(without, estimator, lenient):
        return [True] * len(whole)
    return [_answered([row], estimator, lenient) for row in without]


def _answered(rows: list[list[Any]], estimator: Any, contract: Contract) -> bool:
    try:
        return finite(Predictor(estimator, contract)(golden.batch(rows, contract)))
    except ScoringError:
        return False


def _golden_answers(rows: list[list[Any]], estimator: Any, contract: Contract, say: Say) -> dict[str, list[Any] | None]:
    """Method -> answers; None where they are no test of the model. A method that fails is not offered."""
    answers: dict[str, list[Any] | None] = {}
    for method in contract.methods:
        try:
            batch = Batch(golden.batch(rows, contract).X, method)
            first, second = (Predictor(estimator, contract)(batch) for _ in range(2))
        except ScoringError as error:
            if method == contract.methods[0]:
                reason = error.__cause__ if isinstance(error, ModelFailed) else error
                raise StartupError(
                    f"The model fails on the sample ({method}: {reason}); give rows like those of its fit."
                ) from None
            say(f"  note: {method} fails on the sample and is not offered")
            continue
        comparable = finite(first) and golden.same(second, first)
        if not comparable:
            say(f"  note: {method} answers with NaN or infinity, or differently each time: no golden answers for it")
        answers[method] = first if comparable else None
    return answers


def _same_without_names(
    rows: list[list[Any]], estimator: Any, contract: Contract, answers: dict[str, list[Any] | None]
) -> bool:
    """A DataFrame costs a model of nothing but numbers more than its prediction does. Does an array do as well?"""
    if contract.container != "frame" or not contract.uniform or None in answers.values():
        return False
    unnamed = dataclasses.replace(contract, container="array")
    batch = golden.batch(rows, unnamed)
    try:
        asked = {method: Predictor(estimator, unnamed)(Batch(batch.X, method)) for method in answers}
    except ScoringError:
        return False
    return golden.same([asked[method] for method in answers], list(answers.values()))


def _spread(count: int, wanted: int) -> list[int]:
    """Positions from the first to the last, evenly."""
    wanted = min(wanted, count)
    return [i * (count - 1) // max(wanted - 1, 1) for i in range(wanted)]


def _write(manifest: Manifest, file: Path, out: Path) -> None:
    """Beside ``out`` first, then in its place: nobody sees half of it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        folder = Path(scratch) / "artifact"
        folder.mkdir()
        shutil.copyfile(file, folder / file.name)
        with (folder / file.name).open("rb") as copied:
            if sha256(copied) != manifest.files[file.name]:
                raise StartupError(f"{file} changed while it was packaged; run this again.")
        manifest.write(folder)
        if out.exists():
            out.rename(Path(scratch) / "replaced")
        folder.rename(out)
