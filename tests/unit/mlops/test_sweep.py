"""The differential sweep: what the service answers with a compiled model, against what it answers
without.

``make sweep`` goes through all of scikit-learn and writes docs/sweep.md; by itself this is a part
of it.
"""

from __future__ import annotations

import itertools
import json
import textwrap
import timeit
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import support
import swept_models
from azureml_scoring.errors import ScoringError, StartupError
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.models import golden_check
from azureml_scoring.models.loading import load
from azureml_scoring.models.model import Model
from azureml_scoring.models.predictions import non_finite
from azureml_scoring.settings import Settings
from mlops.convert import NOT_COMPARED
from mlops.parity import TOLERANCE
from mlops.sample import rows_of
from validation import validate

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
"""Those of each test run."""

ODD: dict[str, Any] = {
    "unknown code": 4,
    "between codes": 3.7,
    "a little off": 3.0000000000000004,
    "missing": None,
    "huge": 1e300,
    "beyond float32": 1e39,
    "whole and large": 2**53 + 1,
    "beyond int64": 2**64,
    "tiny": 5e-324,
    "small": 1e-30,
    "zero": 0,
    "negative zero": -0.0,
    "negative": -3,
    "fraction": 0.5,
    "text for a number": "3",
    "other text": "Bergen",
    "boolean": True,
}

Outcome = tuple[str, Any]
"""``ok`` or an error's code, and the answers."""


@dataclass
class Swept:
    """A line of the sweep's table."""

    name: str
    computed: str
    speed_up: float = 1.0
    codes: Counter[str] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> Iterator[list[Swept]]:
    lines: list[Swept] = []
    yield lines
    if path := request.config.getoption("--sweep"):
        path.write_text(_page(lines), encoding="utf-8")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    whole = metafunc.config.getoption("--sweep")
    metafunc.parametrize("name", swept_models.every() if whole else PART)


@pytest.mark.filterwarnings("ignore")
def test_compiled_or_not_the_answers_and_refusals_are_the_same(
    name: str, tmp_path: Path, table: list[Swept]
):
    """Rows like the fit's and odd ones, one by one and together, get the same answers."""
    told: list[str] = []
    try:
        estimator, frame = swept_models.every()[name]()
        folder = support.packaged(estimator, frame, tmp_path, say=told.append)
    except (
        swept_models.NotFitted,
        StartupError,
    ) as error:  # as there is nothing to serve of an encoder of targets
        assert name not in PART
        table.append(Swept(name, str(error).splitlines()[0].split("; ")[0]))
        return
    assert not [line for line in told if NOT_COMPARED in line]
    swept = Swept(name, _computed(folder, told))
    table.append(swept)
    models = [
        load(Settings(scoring_model_path=folder, scoring_backend=backend))
        for backend in ("auto", "sklearn")
    ]
    if models[0].backend == "onnx":
        swept.speed_up = speed_up(*models)
    for (what, rows), method in itertools.product(requests(frame), models[0].contract.methods):
        body = json.dumps({"data": rows, "method": method}).encode()
        given, wanted = (outcome(model, body) for model in models)
        swept.codes[wanted[0]] += 1
        if not same(given, wanted):
            swept.differing.append(f"{method}, {what}: {given} instead of {wanted}")
    assert not swept.differing
    assert len(swept.codes) > 1 or name == "DummyClassifier", (
        "no odd row was refused: the sweep shows nothing"
    )


def requests(frame: pd.DataFrame) -> Iterator[tuple[str, list[list[Any]]]]:
    """Yield what is in the requests, and their rows."""
    known = rows_of(frame.head(40))
    yield "rows of the sample", known
    width = len(known[0])
    for (what, value), place in itertools.product(ODD.items(), [*range(width), None]):
        row = (
            [value] * width if place is None else [*known[0][:place], value, *known[0][place + 1 :]]
        )
        yield f"{what} in {'all places' if place is None else place}", [row]
        if place in (0, None):
            yield f"{what} in {place} beside others", [known[1], row, known[2]]


def speed_up(compiled: Model, plain: Model) -> float:
    """Return how many times faster one row is."""
    batch = golden_check.batch_of(list(plain.example)[:1], plain.contract)
    seconds = [
        min(timeit.repeat(lambda model=model: model.predict(batch), number=10, repeat=5))
        for model in (plain, compiled)
    ]
    return seconds[0] / seconds[1]


def outcome(model: Model, body: bytes) -> Outcome:
    """Score like the service, which refuses answers that are not finite."""
    try:
        answers = model.predict(validate(body, model.contract, Limits()))
    except ScoringError as error:
        return error.code, error.location
    return ("not_finite", None) if non_finite(answers) else ("ok", answers)


def same(given: Any, wanted: Any) -> bool:
    """Numbers may be apart by what packaging allows."""
    if isinstance(wanted, list | tuple):
        return (
            type(given) is type(wanted)
            and len(given) == len(wanted)
            and all(map(same, given, wanted))
        )
    if isinstance(wanted, float):
        return isinstance(given, float) and abs(given - wanted) <= TOLERANCE * max(1.0, abs(wanted))
    return type(given) is type(wanted) and bool(given == wanted)


def _computed(folder: Path, told: list[str]) -> str:
    """Return what computes the answers, or why nothing compiled does."""
    compiled = json.loads((folder / "manifest.json").read_text())["onnx"]
    if compiled:
        proof = compiled["parity"]
        by = "numpy" if compiled["numpy"] else "ONNX Runtime"
        return (
            f"{by}, {compiled['dtype']}, up to {compiled['largest']:.0e}; "
            f"{proof['rows']:,} answers compared"
        )
    [reason] = [line for line in told if "no ONNX" in line]
    return "scikit-learn: " + reason.split("will answer: ")[1]


INTRODUCTION = f"""# The differential sweep

Written by `make sweep`. It sends every estimator of scikit-learn that can be fitted and packaged,
and pipelines with encoders, imputers and scalers, the same requests twice: compiled, where
packaging proved that, and with `SCORING_BACKEND=sklearn`. Requests hold rows of the sample, and odd
rows with one value changed in one column, in each or beside other rows:

{textwrap.fill(", ".join(ODD), 100)}.

Both must give the same answers and refuse with the same codes; `not_finite` is an answer of NaN or
infinity, which JSON lacks.

"""


def _page(lines: list[Swept]) -> str:
    swept = [line for line in lines if line.codes]
    compiled = sum(line.computed.startswith(("numpy", "ONNX")) for line in swept)
    total, differing = (
        sum(line.codes.total() for line in swept),
        sum(len(line.differing) for line in swept),
    )
    summary = (
        f"**{len(swept)} models, {compiled} of them compiled; {total:,} requests, {differing} "
        f"answered differently.**"
    )
    head = [
        "",
        "| Model | Computed by | One row, times faster | Requests | Answered | Refused | Differ |",
        "|---|---|---|---|---|---|---|",
    ]
    others = [f"- {line.name}: {line.computed}" for line in lines if not line.codes]
    note = ["", "Not packaged, as there is nothing to serve, or not on this data:", ""]
    return INTRODUCTION + "\n".join([summary, *head, *map(_line, swept), *note, *others, ""])


def _line(swept: Swept) -> str:
    refused = ", ".join(
        f"{code} {count}" for code, count in sorted(swept.codes.items()) if code != "ok"
    )
    counts = f"{swept.codes.total()} | {swept.codes['ok']} | {refused} | {len(swept.differing)}"
    return f"| {swept.name} | {swept.computed} | {swept.speed_up:.0f} | {counts} |"
