"""The table of all estimators, docs/sweep.md: how it is written and read."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from dataclasses import dataclass, field

from odd_requests import ODD

NUMBER = re.compile(r"\d[\d.,]*(e[+-]\d+)?")

QUICKER = "it is quicker than its graph"
"""Why a graph that was proven is not used."""


@dataclass
class Swept:
    """A line of the table.

    computed: what computes the answers, or why nothing compiled does.
    """

    name: str
    computed: str
    compiled: bool = False
    speed_up: float = 1.0
    codes: Counter[str] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """What must not change unnoticed; numbers in reasons may, from one machine to another."""
        if not self.codes:
            return "not packaged"
        return "compiled" if self.compiled else _reason(self.computed)


STAYING: dict[str, tuple[str, ...]] = {
    "each row is an equation of its own, solved step by step": (
        "DictionaryLearning",
        "LatentDirichletAllocation",
        "MiniBatchDictionaryLearning",
        "MiniBatchNMF",
        "NMF",
        "SparseCoder",
    ),
    "each row is compared with the rows of the fit; a graph would do the same work": (
        "Isomap",
        "KernelDensity",
        "LabelPropagation",
        "LabelSpreading",
        "LocallyLinearEmbedding",
        "RadiusNeighborsClassifier",
        "RadiusNeighborsRegressor",
        "RadiusNeighborsTransformer",
    ),
    "far from the sample its probabilities are rounding errors, which no other computation makes": (
        "NearestCentroid",
    ),
    "each probability is an integral": ("GaussianProcessClassifier",),
    "the answers differ each time": ("BernoulliRBM",),
    "a Fourier transform": ("PolynomialCountSketch",),
    "zeros have a formula of their own": ("AdditiveChi2Sampler",),
    "one column, and rarely a model by itself; within CalibratedClassifierCV it is compiled": (
        "IsotonicRegression",
    ),
    "it refuses codes that it does not know, and ONNX Runtime fails on them": ("CategoricalNB",),
    "codes of several classifiers are compared; OneVsRestClassifier is compiled": (
        "OutputCodeClassifier",
    ),
    "a graph of it takes float32, in which a number next to the threshold is the threshold": (
        "Binarizer, tree",
    ),
    "it answers true and false, a graph numbers; between other steps it is compiled": (
        "MissingIndicator",
    ),
    "it only transforms texts; before a model it is compiled": (
        "CountVectorizer",
        "HashingVectorizer",
        "TfidfVectorizer",
    ),
}
"""Why estimators stay with scikit-learn -> their names."""


INTRODUCTION = f"""# The table of all estimators

Every estimator of scikit-learn, and pipelines with encoders, imputers and scalers: whether it is
served, by what it is computed, how much faster one row is compiled, and why it is not compiled
where it is not. `make sweep` writes this page; a test holds a part of it against the code in each
run. `make parity-hunt` does the same with random pipelines over random mixed columns, for ten
minutes or as long as you like.

Each model gets the same requests twice: compiled, where packaging proved that, and with
`SCORING_BACKEND=sklearn`. Requests hold rows of the sample, and odd rows with one value changed in
one column, in each or beside other rows:

{textwrap.fill(", ".join(ODD), 100)}.

Both must give the same answers and refuse with the same codes; `not_finite` is an answer of NaN or
infinity, which JSON lacks. The times are those of one row within the process, on a busy machine of
two cores: take them as sizes.

"""

HEAD = """
| Model | Computed by | One row, times faster | Requests | Answered | Refused | Differ |
|---|---|---|---|---|---|---|
"""


def _reason(computed: str) -> str:
    """Return a reason without its numbers. A race may end one way or the other."""
    return "compiled" if QUICKER in computed else NUMBER.sub("#", computed)


def written(lines: list[Swept]) -> str:
    """Return the page."""
    swept = [line for line in lines if line.codes]
    compiled = sum(line.compiled for line in swept)
    total = sum(line.codes.total() for line in swept)
    differing = sum(len(line.differing) for line in swept)
    summary = (
        f"**{len(swept)} models, {compiled} of them compiled; {total:,} requests, {differing} "
        f"answered differently.**\n"
    )
    staying = "".join(
        textwrap.fill(f"- {', '.join(names)}: {why}", 100, subsequent_indent="  ") + "\n"
        for why, names in STAYING.items()
    )
    others = "".join(f"- {line.name}: {line.computed}\n" for line in lines if not line.codes)
    return (
        f"{INTRODUCTION}{summary}{HEAD}{''.join(map(_line, swept))}\n"
        f"## What stays with scikit-learn\n\n{staying}\n"
        f"## What is not packaged\n\nThere is nothing to serve, or not on this data:\n\n{others}"
    )


def _line(swept: Swept) -> str:
    refused = ", ".join(
        f"{code} {count}" for code, count in sorted(swept.codes.items()) if code != "ok"
    )
    faster = f"{swept.speed_up:.0f}" if swept.compiled else ""
    counts = f"{swept.codes.total()} | {swept.codes['ok']} | {refused} | {len(swept.differing)}"
    return f"| {swept.name} | {swept.computed} | {faster} | {counts} |\n"


def states(page: str) -> dict[str, str]:
    """Return the state of each model of a page."""
    known = {}
    for line in page.splitlines():
        if line.startswith("| ") and not line.startswith("| Model"):
            name, computed, faster, *_ = [cell.strip() for cell in line[1:].split(" | ")]
            known[name] = "compiled" if faster else _reason(computed)
    for line in page.partition("## What is not packaged")[2].splitlines():
        if line.startswith("- "):
            known[line[2:].partition(":")[0]] = "not packaged"
    return known
