"""Finds the columns of texts in a pipeline, and multiplies the weights of a linear model behind
them into sums over their terms.

So a text becomes as few floats as the model makes sums of it, not one for each term.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.naive_bayes import BernoulliNB
from sklearn.pipeline import FeatureUnion, Pipeline

from mlops.linear_models import (
    linear_models,
    naive_bayes_of_counts,
    replace_weights,
    replace_width,
    weights,
)
from mlops.linear_steps import matrix_of
from mlops.parity import NotProven
from mlops.text_vector import VECTORIZERS, TextVector, text_vector

MAX_TEXT_FLOATS = 2_000
"""Floats that a text may become for a model that is not linear."""


@dataclass
class TextPart:
    """A part that turns a text into a vector, and its steps that are more than weights."""

    vector: TextVector
    steps: list[Any]


@dataclass(frozen=True)
class FoldedTexts:
    """``parts``: id of a vectorizer, or of the pipeline that it begins, -> what it does.
    ``steps``: those behind the first step of the whole pipeline."""

    parts: dict[int, TextPart] = field(default_factory=dict)
    steps: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class _Block:
    """Neighbouring columns of a step's output. ``text``: they are a text's alone."""

    width: int
    text: TextPart | None = None


def folded(steps: Sequence[Any]) -> FoldedTexts:
    """Return the parts that read texts by their terms, and the steps behind them.

    ``steps``: of a fitted pipeline, none of them a pipeline. Raises NotProven.
    """
    parts: dict[int, TextPart] = {}
    first, *rest = steps
    if isinstance(first, VECTORIZERS):
        vector, rest = text_vector(steps)
        parts[id(first)] = TextPart(vector, [])
        blocks = [_Block(vector.width, parts[id(first)])]
    else:
        blocks = _blocks(first, parts)
    if not parts:
        return FoldedTexts(steps=rest)
    if not rest:
        raise NotProven("it only transforms texts")
    linear = _folded_into(blocks, rest)
    for part in parts.values():
        _check_width(part.vector, [*part.steps, *rest][0])
    return FoldedTexts(parts, [linear] if linear else rest)


def _folded_into(blocks: Sequence[_Block], steps: Sequence[Any]) -> Any | None:
    """Return a linear model that takes sums of texts in place of terms, and make the texts give
    them; None if a step does more than multiply."""
    matrices = [matrix_of(step) for step in steps[:-1]]
    model = copy.deepcopy(steps[-1])
    if type(model) is BernoulliNB and not matrices:
        model = _without_threshold(blocks, model)
    members = linear_models(model)
    if not members or any(matrix is None for matrix in matrices):
        return None
    of_members = []
    for member in members:
        product: Any = weights(member)
        for matrix in reversed(matrices):
            product = matrix @ product
        of_members.append(np.asarray(product))
    every = np.hstack(of_members)
    count = every.shape[1]
    if len(every) != sum(block.width for block in blocks):
        return None
    begin, rows = 0, []
    for block in blocks:
        own = every[begin : begin + block.width]
        begin += block.width
        if block.text:
            block.text.vector = block.text.vector.times(own)
            own = np.eye(count)
        rows.append(own)
    replacement = np.vstack(rows)
    begin = 0
    for member, own in zip(members, of_members, strict=True):
        replace_weights(member, replacement[:, begin : begin + own.shape[1]].copy())
        begin += own.shape[1]
    replace_width(model, len(replacement))
    return model


def _without_threshold(blocks: Sequence[_Block], model: BernoulliNB) -> Any:
    """Return a model that only adds, if this one sees whether a text has a term, and no more."""
    texts = [block.text for block in blocks if block.text]
    present = [vector for text in texts if (vector := text.vector.presence())]
    if model.binarize != 0.0 or len(present) < len(blocks):
        return model
    for text, vector in zip(texts, present, strict=True):
        text.vector = vector
    return naive_bayes_of_counts(model)


def _check_width(vector: TextVector, following: Any) -> None:
    """Raise NotProven if a text becomes too many floats for the step that follows."""
    if vector.width > MAX_TEXT_FLOATS:
        raise NotProven(
            f"{type(following).__name__} takes each of the {vector.width:,} terms of "
            f"{vector.name} as a column; put a TruncatedSVD or a SelectKBest before it, with "
            f"{MAX_TEXT_FLOATS:,} columns at most, or take a linear model"
        )


def _blocks(part: Any, parts: dict[int, TextPart]) -> list[_Block]:
    """Return the blocks of a transformer's output, and add the texts in it to ``parts``."""
    children = list(_children(part))
    before = len(parts)
    blocks: list[_Block] = []
    for child, width in children:
        blocks += _of_child(child, width, parts)
    # Only the width of what lies beside texts matters.
    return blocks if len(parts) > before else [_Block(0)]


def _of_child(child: Any, width: int | None, parts: dict[int, TextPart]) -> list[_Block]:
    steps = list(_flat(child)) or [child]
    if isinstance(steps[0], VECTORIZERS):
        vector, rest = text_vector(steps)
        parts[id(child)] = part = TextPart(vector, rest)
        return [_Block(_width(child, width), None)] if rest else [_Block(vector.width, part)]
    inner = _blocks(steps[0], parts)
    if len(steps) == 1 and any(block.text for block in inner):
        return inner
    return [_Block(_width(child, width))]


def _children(part: Any) -> Iterator[tuple[Any, int | None]]:
    """Yield the transformers side by side in a part, and how many columns each gives, if known."""
    if isinstance(part, ColumnTransformer):
        for name, inner, _ in part.transformers_:
            place = part.output_indices_.get(name, slice(0, 0))
            if place.stop > place.start:
                yield inner, place.stop - place.start
    elif isinstance(part, FeatureUnion):
        yield from ((inner, None) for _, inner in part.transformer_list if inner != "drop")


def _width(part: Any, known: int | None) -> int:
    """Return how many columns a transformer gives; 0 if it does not say."""
    if known is not None:
        return known
    try:
        return len(part.get_feature_names_out())
    except Exception:  # then the columns don't add up to the model's, and nothing is folded
        return 0


def _flat(part: Any) -> Iterator[Any]:
    """Yield the steps of a pipeline, those of pipelines in it too."""
    if isinstance(part, Pipeline):
        for _, step in part.steps:
            if not (step is None or step == "passthrough"):
                yield from _flat(step)
    else:
        yield part
