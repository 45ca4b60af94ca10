"""Predictions in the form of the rows: a DataFrame for a DataFrame, a list for a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azureml_scoring.client.rows import is_frame

if TYPE_CHECKING:
    import pandas as pd


def like(rows: Any, predictions: list[Any], method: str | None) -> Any:
    """Return the predictions as they are, or for a DataFrame as a Series or a DataFrame with its
    index."""
    return _frame(rows, predictions, method) if is_frame(rows) else predictions


def _frame(
    frame: pd.DataFrame, predictions: list[Any], method: str | None
) -> pd.Series | pd.DataFrame:
    """Several values for each row, or objects, become columns."""
    import pandas as pd

    objects = bool(predictions) and all(isinstance(part, dict) for part in predictions)
    lists = bool(predictions) and all(isinstance(part, list) for part in predictions)
    if objects or (lists and len({len(part) for part in predictions}) == 1):
        return pd.DataFrame(predictions, index=frame.index)
    values = predictions if predictions else pd.array([], dtype="float64")
    return pd.Series(values, index=frame.index, name=method or "prediction")
