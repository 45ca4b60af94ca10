"""Random pipelines, fitted on random mixed frames: what the hunt for differing answers tries."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from random import Random
from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline

from random_frames import Kind, random_frame
from random_models import model_and_target
from random_steps import BETWEEN, encoder, for_numbers, for_text, some

COUNT = 80
"""Rows of a frame."""


@dataclass(frozen=True)
class RandomModel:
    """A fitted pipeline and the frame that it was fitted on."""

    estimator: Any
    frame: pd.DataFrame

    def __repr__(self) -> str:
        columns = ", ".join(f"{name}: {kind}" for name, kind in self.frame.dtypes.items())
        return f"{self.estimator!r}\non {columns}"


def random_model(rng: Random) -> RandomModel | None:
    """Return a model, or None if the steps don't fit together."""
    frame, kinds = random_frame(rng, COUNT)
    steps = [_columns(rng, kinds), *some(rng, BETWEEN, 0.4)]
    model, target = model_and_target(rng, frame)
    if rng.random() < 0.95:
        steps.append(model)
    pipeline = Pipeline([(f"step{place}", step) for place, step in enumerate(steps)])
    if rng.random() < 0.15:
        pipeline.set_output(transform="pandas")
    if rng.random() < 0.1:
        pipeline = GridSearchCV(pipeline, {}, cv=2)
    with warnings.catch_warnings(action="ignore"):
        try:
            return RandomModel(pipeline.fit(frame, target), frame)
        except Exception:  # the steps are random: a scaler may get texts
            return None


def _columns(rng: Random, kinds: dict[str, Kind], depth: int = 0) -> Any:
    """Return a ColumnTransformer, perhaps one in another or beside another."""
    if depth < 2 and rng.random() < 0.15:
        return FeatureUnion([(str(n), _columns(rng, kinds, depth + 2)) for n in range(2)])
    groups: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        groups.setdefault(_treatment(rng, kind), []).append(name)
    parts: list[tuple[str, Any, Any]] = []
    for treatment, names in groups.items():
        gaps = any(kinds[name].gaps for name in names)
        if treatment == "encoded":
            part = encoder(rng, gaps)
        elif treatment == "number":
            part = for_numbers(rng, gaps)
        elif treatment == "text":
            parts += [(f"text {name}", for_text(rng), name) for name in names]
            continue
        else:
            part = treatment
        if depth < 2 and rng.random() < 0.1 and not isinstance(part, str):
            part = ColumnTransformer([("inner", part, names)], remainder="drop")
        parts.append((treatment, part, _selected(rng, names, [*kinds])))
    rng.shuffle(parts)
    return ColumnTransformer(
        parts,
        remainder=rng.choice(["drop", "drop", "passthrough"]),
        sparse_threshold=rng.choice([0.0, 0.3, 1.0]),
        transformer_weights={parts[0][0]: 0.5} if rng.random() < 0.05 else None,
        verbose_feature_names_out=rng.random() < 0.7,
    )


def _treatment(rng: Random, kind: Kind) -> str:
    if rng.random() < 0.08:
        return "drop"
    if kind.number and kind.few:
        return rng.choice(["number", "encoded"])
    if kind.number:
        return "number"
    return "encoded" if rng.random() < 0.95 or kind.gaps else "text"


def _selected(rng: Random, names: list[str], every: list[str]) -> Any:
    """Return one of the ways to name columns."""
    places = [every.index(name) for name in names]
    return rng.choice(
        [
            names,
            names,
            places,
            [name in names for name in every],
            make_column_selector("^(" + "|".join(map(re.escape, names)) + ")$"),
        ]
        if len(every) > len(names)
        else [names, places, slice(None)]
    )
