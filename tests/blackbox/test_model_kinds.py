"""Each kind of model in docs/models.md is packaged by the command, served, and asked over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boosted
import graphs
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import mlflow_folder
import support
from blackbox.server import BARE, serving
from package_command import run

pytestmark = [pytest.mark.any_worker, pytest.mark.slow]

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
NAMES = [f"c{place}" for place in range(boosted.WIDTH)]
FRAME = pd.DataFrame(boosted.rows(), columns=NAMES)
SIGNATURE = mlflow_folder.columns(NAMES)
LABELS = boosted.target("bools").astype(int)

Make = Callable[[Path], tuple[Path, list[Any]]]
"""Writes a model into a folder; returns it and its answers to FRAME."""


def pickle(folder: Path) -> tuple[Path, list[Any]]:
    fitted = LogisticRegression().fit(FRAME, LABELS)
    return support.dump(fitted, folder), fitted.predict(FRAME).tolist()


def booster_file(folder: Path) -> tuple[Path, list[Any]]:
    fitted = boosted.xgboost(classifier=True).fit(FRAME, LABELS)
    fitted.save_model(str(folder / "model.ubj"))
    return folder / "model.ubj", fitted.predict(FRAME).tolist()


def graph(folder: Path) -> tuple[Path, list[Any]]:
    fitted = LogisticRegression().fit(FRAME.to_numpy(), LABELS)
    (folder / "model.onnx").write_bytes(graphs.of_sklearn(fitted, boosted.WIDTH))
    return folder / "model.onnx", fitted.predict(FRAME.to_numpy()).tolist()


def of_sklearn(folder: Path) -> tuple[Path, list[Any]]:
    _, answers = pickle(folder)
    return mlflow_folder.mlflow(folder, SIGNATURE), answers


def of_lightgbm(folder: Path) -> tuple[Path, list[Any]]:
    fitted = boosted.lightgbm(classifier=True).fit(FRAME, LABELS)
    saved = mlflow_folder.lightgbm(folder / "m", fitted.booster_, inputs=SIGNATURE)
    return saved, fitted.predict_proba(FRAME).tolist()


def of_onnx(folder: Path) -> tuple[Path, list[Any]]:
    file, answers = graph(folder)
    return mlflow_folder.onnx(folder / "m", file.read_bytes(), inputs=SIGNATURE), answers


def of_function(folder: Path) -> tuple[Path, list[Any]]:
    saved = mlflow_folder.adder(
        folder / "m", "served_adder",
        inputs=[*mlflow_folder.columns("ab"), *mlflow_folder.columns(NAMES[2:])],
    )  # fmt: skip
    return saved, (FRAME["c0"] + FRAME["c1"] + 10).tolist()


KINDS: dict[str, Make] = {
    "scikit-learn's estimators": pickle,
    "from their own files": booster_file,
    "an ONNX graph alone": graph,
    "flavour `sklearn`": of_sklearn,
    "`xgboost`, `lightgbm`, `catboost`": of_lightgbm,
    "flavour `onnx`": of_onnx,
    "a loader of its own": of_function,
}
NOT_HERE = "that MLflow loads"
"""MLflow does not go with our lock; tests/unit/mlops/test_mlflow_flavours.py has what is said."""


def test_each_row_of_the_page_is_served_here():
    """A row that is added needs a model here."""
    rows = re.findall(r"^\| (?!Model|-)([^|]+) \|.*\|.*\|$", PAGE, re.MULTILINE)
    assert [row for row in rows if not any(kind in row for kind in (*KINDS, NOT_HERE))] == []
    assert len(rows) == len(KINDS) + 1


@pytest.mark.parametrize("make", KINDS.values(), ids=lambda make: make.__name__)
def test_a_kind_of_model_is_packaged_and_answers(make: Make, tmp_path: Path):
    """As many rows as a request takes, with the same answers as the model's own."""
    model, expected = make(tmp_path)
    names = ["a", "b", *NAMES[2:]] if make is of_function else NAMES
    rows = FRAME.set_axis(names, axis=1)
    rows.to_csv(tmp_path / "sample.csv", index=False)
    done = run(
        "package", model, "--sample", tmp_path / "sample.csv", "--out", tmp_path / "artifact"
    )
    assert done.exit_code == 0, done.output
    body = {"columns": names, "data": rows.head(100).to_numpy().tolist()}
    with serving(tmp_path / "artifact", tmp_path, **BARE) as server:
        response = server.score(body)
    assert response.status_code == 200, response.text
    answers = pd.DataFrame(response.json()["predictions"])
    pd.testing.assert_frame_equal(
        answers, pd.DataFrame(expected[:100]), check_dtype=False, rtol=1e-5, atol=1e-5
    )
