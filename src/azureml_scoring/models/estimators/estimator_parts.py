"""Finds the parts of an estimator, and the columns that each of them met at its fit.

Any part may be a class from outside, with any attributes: one that fails is left out.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from azureml_scoring.models.estimators.known_values import kind_of

INNER_ATTRIBUTES = ("best_estimator_", "estimator_", "regressor_", "classifier_", "estimator")
"""Attributes in which searches, transformed targets and others keep an estimator that gets the
same columns."""

ENSEMBLE_ATTRIBUTES = ("estimators_", "calibrated_classifiers_")
"""Attributes in which ensembles keep theirs."""

MAX_MEMBERS = 10
"""Members of an ensemble to look at; all met the same columns."""

MAX_PARTS = 2_000
"""Parts of an estimator to look at; a cycle would have no end."""


class Part(NamedTuple):
    """A part of an estimator.

    places: the columns that it met at its fit.
    as_sent: they reach it as a request has them.
    """

    estimator: Any
    places: Sequence[int]
    as_sent: bool


def by_scikit_learn(part: Any) -> bool:
    """True if scikit-learn's own code handles the columns, even in a derived class."""
    methods = {"fit", "transform", "predict", "predict_proba"}
    owner = next((kind for kind in type(part).__mro__ if methods & vars(kind).keys()), object)
    return owner.__module__.startswith(("sklearn.", "imblearn."))


def parts(estimator: Any, count: int) -> Iterator[Part]:
    """Yield an estimator of ``count`` columns and all that it consists of, itself first."""
    return itertools.islice(_walk(Part(estimator, range(count), as_sent=True)), MAX_PARTS)


def _walk(whole: Part) -> Iterator[Part]:
    waiting, seen = deque([whole]), dict[tuple[Any, ...], Part]()
    while waiting:
        part = waiting.popleft()
        # A part may hold itself.
        if seen.setdefault((id(part.estimator), *part.places), part) is part:
            yield part
            waiting.extend(_inner(part))


def _inner(part: Part) -> list[Part]:
    inner = []
    with suppress(Exception):
        as_sent = part.as_sent and by_scikit_learn(part.estimator)
        for child, places, kept in _children(part.estimator, part.places):
            if _takes(child, len(places)):
                inner.append(Part(child, places, as_sent and kept))
    return inner


def _takes(inner: Any, count: int) -> bool:
    with suppress(Exception):
        return bool(getattr(inner, "n_features_in_", count) == count)
    return False


def _children(whole: Any, places: Sequence[int]) -> Iterator[tuple[Any, Sequence[int], bool]]:
    """Yield each child with its columns, and whether they reach it unchanged."""
    if hasattr(whole, "steps"):
        kept = True
        for _, step in whole.steps:
            if step is not None and not isinstance(step, str):  # "passthrough"
                yield step, places, kept
                kept = kept and _keeps(step)
    elif hasattr(whole, "transformers_"):
        for name, inner, _ in whole.transformers_:
            yield (
                inner,
                [places[place] for place in whole._transformer_to_input_indices.get(name, ())],
                True,
            )
    elif hasattr(whole, "transformer_list"):
        yield from ((inner, places, True) for _, inner in whole.transformer_list)
    else:
        yield from _members(whole, places)


def _members(whole: Any, places: Sequence[int]) -> Iterator[tuple[Any, Sequence[int], bool]]:
    for name in INNER_ATTRIBUTES:
        if hasattr(getattr(whole, name, None), "get_params") or hasattr(
            getattr(whole, name, None), "predict"
        ):
            yield getattr(whole, name), places, True
    for name in ENSEMBLE_ATTRIBUTES:
        members = getattr(whole, name, ())
        if isinstance(members, np.ndarray):
            members = np.ravel(members)
        # Bagging draws columns for each member.
        drawn = getattr(whole, "estimators_features_", itertools.repeat(range(len(places))))
        for inner, columns in itertools.islice(zip(members, drawn, strict=False), MAX_MEMBERS):
            yield inner, [places[column] for column in columns], True


def _keeps(step: Any) -> bool:
    """True for an imputer that neither leaves out empty columns nor adds others."""
    statistics = getattr(step, "statistics_", None)
    if statistics is None or step.indicator_ is not None:
        return False
    return None not in map(kind_of, statistics)
