"""Joins predictions with the truth by request and row, and says what found no partner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pandas as pd

from azureml_scoring.errors import StartupError

KEY = ["request", "row"]

UNEVEN_SHARE = 0.1
"""If truth is there for so much less of the newer predictions, it is still on its way."""


@dataclass(frozen=True)
class Joined:
    """Predictions and their truths, row by row. ``blocks``: the number of each row's block; rows
    of one block may be alike. ``notes``: sentences on what was left out."""

    predictions: list[Any]
    truths: list[Any]
    blocks: np.ndarray
    notes: tuple[str, ...]


def join(predictions: pd.DataFrame, truths: pd.DataFrame) -> Joined:
    """Join by request and row, or by line if neither has requests. Raises StartupError."""
    notes: list[str] = []
    if ("request" in predictions) != ("request" in truths):
        raise StartupError(
            "Only one side has request ids (request_id or correlationid); give both, or neither "
            "and the rows in one order."
        )
    if "request" in predictions:
        both = _by_request(predictions, truths, notes.append)
    elif len(predictions) == len(truths):
        both = predictions.merge(
            truths, left_index=True, right_index=True, suffixes=("", "_of_truth")
        )
    else:
        raise StartupError(
            f"{len(predictions):,} predictions and {len(truths):,} truths without request ids "
            f"can't be joined; give both ids, or one truth for each prediction in its order."
        )
    usable = both["value"].notna() & both["value_of_truth"].notna()
    if missing := len(both) - int(usable.sum()):
        notes.append(f"{missing:,} pairs lack a value, and are left out")
    both = both[usable]
    if both.empty:
        raise StartupError("No prediction has a truth; check that both have the same request ids.")
    named = [name for name in ("block", "block_of_truth", "request") if name in both]
    groups = both[named[0]] if named else pd.Series(range(len(both)))
    return Joined(
        both["value"].tolist(),
        both["value_of_truth"].tolist(),
        np.unique(groups.to_numpy(), return_inverse=True)[1],
        tuple(notes),
    )


def _by_request(
    predictions: pd.DataFrame, truths: pd.DataFrame, note: Callable[[str], None]
) -> pd.DataFrame:
    predictions = _once(predictions, "predictions", note)
    truths = _once(truths, "truths", note)
    both = predictions.merge(truths, on=KEY, suffixes=("", "_of_truth"))
    if without := len(predictions) - len(both):
        note(f"{without:,} of {len(predictions):,} predictions have no truth yet")
        _tell_late(predictions, truths, note)
    if without := len(truths) - len(both):
        note(f"{without:,} of {len(truths):,} truths have no prediction")
    return both


def _once(frame: pd.DataFrame, what: str, note: Callable[[str], None]) -> pd.DataFrame:
    """Keep one of equal rows, and none of those that contradict each other."""
    repeated = frame.duplicated(KEY, keep=False)
    if not repeated.any():
        return frame
    values = frame.loc[repeated, "value"].map(lambda value: orjson.dumps(value, default=str))
    distinct = values.groupby([frame.loc[repeated, key] for key in KEY]).transform("nunique")
    contrary = distinct.index[distinct > 1]
    kept: pd.DataFrame = frame.drop(contrary).drop_duplicates(KEY)
    if equal := len(frame) - len(contrary) - len(kept):
        note(f"{equal:,} {what} are there twice, and count once")
    if len(contrary):
        note(
            f"{len(contrary):,} {what} share request and row with another value, and are left out: "
            f"clients may have used an id again"
        )
    return kept


def _tell_late(
    predictions: pd.DataFrame, truths: pd.DataFrame, note: Callable[[str], None]
) -> None:
    """Say so if truth is still on its way: what comes early may be unlike what comes late."""
    if "time" not in predictions or predictions["time"].isna().any():
        return
    there = pd.MultiIndex.from_frame(predictions[KEY]).isin(pd.MultiIndex.from_frame(truths[KEY]))
    middle = predictions["time"].median()
    newer = (predictions["time"] > middle).to_numpy()
    if not newer.any():
        return
    before, after = there[~newer].mean(), there[newer].mean()
    if before - after > UNEVEN_SHARE:
        note(
            f"truth is there for {before:.0%} of the predictions until {middle:%Y-%m-%d %H:%M} and "
            f"{after:.0%} of those after: leave these out if some outcomes are known before others"
        )
