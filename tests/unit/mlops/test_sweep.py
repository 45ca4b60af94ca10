"""The table of all estimators (docs/sweep.md): what the service answers with a compiled model,
against what it answers without.

``make sweep`` goes through all of scikit-learn and writes the table. By itself this is a part of
it, held against the table: what is served, what is compiled, and why not.
"""

from __future__ import annotations

import itertools
import json
import timeit
from collections.abc import Iterator
from pathlib import Path

import pytest

import support
import sweep_page
import swept_models
from azureml_scoring.errors import StartupError
from azureml_scoring.models import golden_check
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.settings import Settings
from examples import few_of
from mlops.convert import NOT_COMPARED
from odd_requests import body_of, outcome, requests, same
from places import REPOSITORY
from sweep_page import Swept

pytestmark = pytest.mark.slow

PART = (
    *swept_models.PIPELINES,
    "BernoulliNB",
    "CategoricalNB",
    "ExtraTreesClassifier",
    "GaussianNB",
    "KMeans",
    "KNeighborsClassifier",
    "LinearSVC",
    "MLPRegressor",
    "OneHotEncoder",
    "OrdinalEncoder",
    "PowerTransformer",
    "RandomForestRegressor",
    "StackingRegressor",
)
"""Those of `make deep`."""

KEPT = (
    "GaussianNB",
    "KMeans",
    "KNNImputer, Ridge",
    "LinearSVC",
    "MLPRegressor",
    "OrdinalEncoder for unknown codes, forest",
    "PCA, SVC",
    "SimpleImputer, StandardScaler, logistic",
    "StackingRegressor",
    "gaps and values, Ridge",
    "texts and numbers by column, logistic",
    "words weighted, Ridge",
)
"""Those of `make test`: one of each kind."""

NAMES = {
    "booster": "its own booster",
    "estimator": "scikit-learn",
    "numpy": "numpy",
    "onnxruntime": "ONNX Runtime",
}
"""Of what computes, in the docs."""

PAGE = REPOSITORY / "docs/sweep.md"


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> Iterator[list[Swept]]:
    lines: list[Swept] = []
    yield lines
    if path := request.config.getoption("--sweep"):
        path.write_text(sweep_page.written(lines), encoding="utf-8")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        whole = metafunc.config.getoption("--sweep")
        metafunc.parametrize("name", swept_models.every() if whole else few_of(PART, KEPT))


@pytest.mark.filterwarnings("ignore")
def test_compiled_or_not_the_answers_and_refusals_are_the_same(
    name: str, tmp_path: Path, table: list[Swept], pytestconfig: pytest.Config
):
    """Rows like the fit's and odd ones, one by one and together, get the same answers; and the
    docs say whether the model is compiled, or why not."""
    whole = bool(pytestconfig.getoption("--sweep"))
    swept = _swept(name, tmp_path, whole=whole)
    table.append(swept)
    assert not swept.differing
    assert len(swept.codes) != 1 or name == "DummyClassifier", (
        "no odd row was refused: the sweep shows nothing"
    )
    if not whole:
        assert swept.state == sweep_page.states(PAGE.read_text())[name], "run `make sweep`"


def test_the_docs_have_each_estimator_and_pipeline():
    """A new version of scikit-learn brings others: then ``make sweep`` adds them."""
    assert sweep_page.states(PAGE.read_text()).keys() == swept_models.every().keys()


def test_the_docs_say_why_each_other_model_stays_with_scikit_learn():
    """In words of their own: a message of the converter's explains nothing."""
    states = sweep_page.states(PAGE.read_text())
    staying = {name for name, state in states.items() if state.startswith("scikit-learn")}
    assert staying == {*itertools.chain(*sweep_page.STAYING.values())}


def _swept(name: str, folder: Path, *, whole: bool) -> Swept:
    """Ask each request for the next method in turn; if ``whole``, for all, and take the time."""
    told: list[str] = []
    try:
        estimator, frame = swept_models.every()[name]()
        path = support.packaged(estimator, frame, folder, say=told.append)
    except (swept_models.NotFitted, StartupError) as error:
        # as there is nothing to serve of an encoder of targets
        return Swept(name, str(error).splitlines()[0].split("; ")[0])
    assert not [line for line in told if NOT_COMPARED in line]
    compiled, plain = (
        load(Settings(scoring_model_path=path, scoring_backend=backend))
        for backend in ("auto", "sklearn")
    )
    swept = Swept(name, _computed(path, told), compiled.backend == "onnx")
    if swept.compiled and whole:
        swept.speed_up = speed_up(compiled, plain)
    turns = itertools.cycle(plain.contract.methods)
    for what, rows in requests(frame):
        for method in plain.contract.methods if whole else [next(turns)]:
            body = body_of(rows, method)
            given, wanted = outcome(compiled, body), outcome(plain, body)
            swept.codes[wanted[0]] += 1
            if not same(given, wanted):
                swept.differing.append(f"{method}, {what}: {given} instead of {wanted}")
    return swept


def speed_up(compiled: Model, plain: Model) -> float:
    """Return how many times faster one row is."""
    batch = golden_check.batch_of(list(plain.example)[:1], plain.contract)
    seconds = [
        min(timeit.repeat(lambda model=model: model.predict(batch), number=10, repeat=5))
        for model in (plain, compiled)
    ]
    return seconds[0] / seconds[1]


def _computed(folder: Path, told: list[str]) -> str:
    """Return what computes the answers, or why nothing compiled does."""
    compiled = json.loads((folder / "manifest.json").read_text()).get("onnx")
    if compiled:
        race, proof = compiled["race"], compiled["parity"]
        by = NAMES[race["small"]]
        if race["large"] != race["small"]:
            by += f" (from {race['large_from']} rows {NAMES[race['large']]})"
        return (
            f"{by}, {compiled['dtype']}, up to {compiled['largest']:.0e}; "
            f"{proof['rows']:,} answers compared"
        )
    [reason] = [line for line in told if "no ONNX" in line]
    return "scikit-learn: " + reason.split("will answer: ")[1]
