"""New deployments for rehearsals: a good one, and some that go wrong once they are in service."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from mlops.package import package
from mlops.rehearsal.deployment import DeployedModel
from mlops.rehearsal.misbehaving_pipeline import (
    AFTER_PREDICTIONS,
    MISBEHAVIOUR,
    MisbehavingPipeline,
)
from mlops.rollout.journal import RolloutOutcome


@dataclass(frozen=True)
class Green:
    """A new deployment and how its rollout must end. ``why``: a part of the reason for that.
    ``requests_per_s``: of the clients. ``patience_s``: of the plan."""

    title: str
    ends: RolloutOutcome
    why: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: str = "true"
    kills_controller: bool = False
    requests_per_s: float = 60
    patience_s: float = 60


def _misbehaving(how: str, after: int) -> dict[str, str]:
    return {MISBEHAVIOUR: how, AFTER_PREDICTIONS: str(after), "SCORING_BACKEND": "sklearn"}


GREENS = {
    "good": Green("a good one", RolloutOutcome.PROMOTED),
    "slow": Green(
        "a slow one",
        RolloutOutcome.ROLLED_BACK,
        " ms",
        _misbehaving("slow", after=20),
        requests_per_s=30,  # more would overload it, and be refused
    ),
    "failing": Green(
        "one that fails", RolloutOutcome.ROLLED_BACK, "errors", _misbehaving("failing", after=40)
    ),
    "other": Green(
        "one with other predictions",
        RolloutOutcome.ROLLED_BACK,
        "predictions agree",
        labels="shuffled",
    ),
    "dying": Green(
        "one that dies half-way",
        RolloutOutcome.ROLLED_BACK,
        "errors",
        _misbehaving("dying", after=100),
    ),
    "cold": Green(
        "a good one that starts cold",
        RolloutOutcome.PROMOTED,
        environment=_misbehaving("cold", after=0),
    ),
    "quiet": Green(
        "a good one with few requests",
        RolloutOutcome.INCONCLUSIVE,
        "requests more would take",
        requests_per_s=10,
        patience_s=5,
    ),
    "killed": Green(
        "a good one whose controller is killed",
        RolloutOutcome.INTERRUPTED,
        "died",
        kills_controller=True,
    ),
}


def data() -> tuple[pd.DataFrame, pd.Series]:
    bunch = load_diabetes(as_frame=True, scaled=False)
    return bunch.data, (bunch.target > bunch.target.median()).astype(int)


def artifact(folder: Path, green: Green) -> DeployedModel:
    """Train and package the model below ``folder``, once for each kind of labels. Raises
    StartupError."""
    out = folder / green.labels
    if not out.exists():
        X, y = data()
        labels = y if green.labels == "true" else np.random.default_rng(0).permutation(y)
        estimator = MisbehavingPipeline(
            [("scale", StandardScaler()), ("model", LogisticRegression(max_iter=1000))]
        ).fit(X, labels)
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "model.joblib"
            joblib.dump(estimator, file)
            package(file, X, out, name="diabetes-classifier", version=f"v2-{green.labels}")
    return DeployedModel(out, green.environment)
