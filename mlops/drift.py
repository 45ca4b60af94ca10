"""``mlops drift``: how far collected data, or any other, has moved from the data that a model was packaged with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from contract import ANY, CATEGORY, TEXT, Feature
from errors import StartupError
from manifest import REPACKAGE, Manifest
from mlops import sample as samples
from stability import DRIFTED, FEW, LEAST_KNOWN, WATCH, Baseline


@dataclass(frozen=True)
class Drift:
    """Of one feature. ``now``: rows by bin, as ``baseline.counts``."""

    baseline: Baseline
    now: np.ndarray

    @property
    def index(self) -> float:
        return self.baseline.index(self.now)

    @property
    def verdict(self) -> str:
        return "drifted" if self.index > DRIFTED else "watch" if self.index > WATCH else "stable"


def compare(artifact: Path, files: Iterable[Path]) -> list[Drift]:
    """The features, the most drifted first. Raises StartupError."""
    packaged = Manifest.read(artifact)
    baselines = packaged.baselines
    if not baselines:
        raise StartupError(
            f"{artifact} tells nothing of the data it was trained on; {REPACKAGE}, with a sample of at least "
            f"{LEAST_KNOWN} rows."
        )
    frame = pd.concat([_read(file, packaged.contract.features) for file in files], ignore_index=True)
    frame.columns = frame.columns.astype(str)
    missing = [baseline.name for baseline in baselines if baseline.name not in frame.columns]
    if missing:
        raise StartupError(f"The data lacks the columns {', '.join(missing)}; give what the model was asked.")
    columns = zip(baselines, packaged.contract.features, strict=True)
    found = [Drift(baseline, baseline.count(_column(frame, baseline, feature))) for baseline, feature in columns]
    return sorted(found, key=lambda drift: -drift.index)


def table(drifts: Sequence[Drift]) -> str:
    width = max(len("feature"), *(len(drift.baseline.name) for drift in drifts))
    rows = int(drifts[0].now.sum())
    lines = [f"{drift.baseline.name:{width}}  {drift.index:7.3f}  {drift.verdict}" for drift in drifts]
    if rows < FEW:
        lines.append(f"Of {rows:,} rows only: chance alone may have moved them. Give {FEW:,} or more.")
    return "\n".join([f"{'feature':{width}}      PSI  of {rows:,} rows", *lines])


def _column(frame: pd.DataFrame, baseline: Baseline, feature: Feature) -> list[Any]:
    column = frame[baseline.name]
    if baseline.values is None:
        try:
            return list(pd.to_numeric(column).to_numpy(float, na_value=np.nan))
        except (TypeError, ValueError):
            raise StartupError(f"The column {baseline.name} holds what is no number; correct the data.") from None
    return samples.counted(feature, column.astype(object).where(column.notna(), None))


def _as_it_is(feature: Feature) -> Feature:
    """Categories that the fit did not have are no mistake here."""
    if feature.dtype != CATEGORY:
        return feature
    return replace(feature, dtype=TEXT if any(isinstance(value, str) for value in feature.categories) else ANY)


def _read(file: Path, features: Sequence[Feature]) -> pd.DataFrame:
    """What a data collector has written, Azure ML's or ours, or a sample."""
    if file.suffix.lower() != ".jsonl":
        return samples.read(file, [_as_it_is(feature) for feature in features])
    try:
        lines = [orjson.loads(line) for line in file.read_bytes().splitlines() if line.strip()]
        rows = [row for line in lines for row in (line["data"] if isinstance(line.get("data"), list) else [line])]
    except (orjson.JSONDecodeError, AttributeError) as error:
        raise StartupError(f"{file} is not JSON lines ({error}); give a file of the data collector.") from None
    if not rows:
        raise StartupError(f"{file} has no rows; give one that has.")
    return pd.DataFrame(rows, dtype=object)  # or a null would make numbers of a column's categories 1.0, 2.0
