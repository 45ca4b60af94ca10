"""Selects the golden rows of a manifest: drawn like the sample's, the sample's own, or a file's."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal

import orjson
import pandas as pd

from azureml_scoring.errors import ScoringError, StartupError, reason
from azureml_scoring.inputs.batch import Batch, InputRow
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.models import golden_check
from azureml_scoring.models.estimators.fitted_columns import fitted_columns
from azureml_scoring.models.estimators.predictor import Predictor
from azureml_scoring.models.predictions import non_finite, to_json
from mlops import sample as samples
from mlops import sample_file
from mlops.csv_file import CsvFile
from mlops.read_as import listed
from mlops.say import Say
from mlops.synthetic_rows import SyntheticRows

GOLDEN_ROWS = 10
MIN_NEW_ROWS = 3
"""Rows that are not in the sample; columns of few values may give no more."""

MAX_SAMPLE_ROWS = 2_000
"""Rows of the sample from which others are drawn."""

MAX_FILE_ROWS = 100
"""Rows that a file may have: the model must answer all of them at each start."""

Choice = Literal["synthetic", "sample"]
CHOICES: dict[str, Choice] = {"synthetic": "synthetic", "sample": "sample"}
GoldenSource = Choice | pd.DataFrame
GoldenOption = GoldenSource | CsvFile
"""A source, or a CSV that is yet to be read with the types of the fit."""


def parse_option(text: str, drop: Collection[str] = ()) -> GoldenOption:
    """Parse ``--golden-rows``. ``drop``: columns of a file to leave out. Raises StartupError."""
    if text in CHOICES:
        return CHOICES[text]
    if not Path(text).is_file():
        raise StartupError(
            f"--golden-rows is {text}, which is not a file; give synthetic, sample or a file of "
            f"rows."
        )
    rows = sample_file.load(Path(text))
    return rows.drop(columns=[name for name in rows.columns if str(name) in drop])


class GoldenSelector:
    """Selects rows that the model answers.

    ``finite``: methods whose answers go into the manifest, and so must be finite.
    """

    def __init__(self, estimator: Any, contract: Contract, finite: Collection[str]) -> None:
        self._estimator = estimator
        self._contract = contract
        self._finite = finite
        self._methods = list(finite) or contract.methods[:1]

    def select(self, source: GoldenSource, sample: list[InputRow], say: Say) -> list[InputRow]:
        """Return the golden rows. Raises StartupError if the model does not answer them."""
        if isinstance(source, pd.DataFrame):
            return self._of_file(source)
        if source == "sample":
            kept = [sample[place] for place in spread(len(sample), GOLDEN_ROWS)]
            say(f"  note: {len(kept)} rows of the sample are kept as golden rows")
            return kept
        return self._synthetic(sample, say)

    def answers(self, rows: list[InputRow]) -> dict[str, list[Any]]:
        """Return the answers to keep, by method. Raises StartupError."""
        try:
            answers = self._predicted(rows)
        except ScoringError as error:
            raise StartupError(
                f"The model fails on its golden rows ({reason(error.__cause__ or error)}); correct "
                f"it and save it again."
            ) from error
        return {method: answers[method] for method in self._finite if comparable(answers[method])}

    def _of_file(self, frame: pd.DataFrame) -> list[InputRow]:
        rows = samples.rows_of(frame)
        if len(rows) > MAX_FILE_ROWS:
            raise StartupError(
                f"--golden-rows holds {len(rows):,} rows, and each start asks all of them; give "
                f"{MAX_FILE_ROWS} at most."
            )
        answered = len(self._answered(rows))
        if answered < len(rows):
            raise StartupError(
                f"The model does not answer {len(rows) - answered} of the {len(rows)} rows of "
                f"--golden-rows; give others."
            )
        return rows

    def _synthetic(self, sample: list[InputRow], say: Say) -> list[InputRow]:
        known = {tuple(row) for row in sample}
        kept = [
            feature.categories
            for feature in fitted_columns(self._estimator, len(self._contract.features))
        ]
        columns = list(
            zip(*(sample[place] for place in spread(len(sample), MAX_SAMPLE_ROWS)), strict=True)
        )
        synthetic = SyntheticRows(self._contract.features, columns, kept)
        rows, way = list[InputRow](), 0
        for attempt in range(synthetic.ways):
            drawn = self._like(synthetic.drawn(attempt, GOLDEN_ROWS), known, alone=len(sample) == 1)
            if len(drawn) > len(rows):
                rows, way = drawn, attempt
            if len(rows) >= MIN_NEW_ROWS:
                break
        if not rows:
            raise StartupError(
                "The model answers none of the golden rows that were drawn like the sample's; give "
                "rows of your own by --golden-rows FILE, or keep some of the sample by "
                "--golden-rows sample."
            )
        repeated = sum(tuple(row) in known for row in rows)
        say(
            f"  golden rows: {len(rows)} like the sample's, of which {repeated or 'none'} happen "
            f"to be in it"
        )
        if way == synthetic.ways - 1 and (names := [self._name(place) for place in synthetic.kept]):
            say(f"  note: golden rows hold values of {listed(names)} that the model file holds too")
        return rows

    def _name(self, place: int) -> str | int:
        name = self._contract.features[place].name
        return place if name is None else name

    def _like(
        self, drawn: Iterable[list[InputRow]], known: set[tuple[Any, ...]], *, alone: bool
    ) -> list[InputRow]:
        """Return rows that are answered and not ``known``.

        Fewer than MIN_NEW_ROWS are filled up with known ones, unless ``alone``.
        """
        fresh, repeated = list[InputRow](), list[InputRow]()
        for row in (row for rows in drawn for row in self._answered(rows)):
            alike = repeated if tuple(row) in known else fresh
            if row not in alike:
                alike.append(row)
            if len(fresh) == GOLDEN_ROWS:
                break
        return fresh if len(fresh) >= MIN_NEW_ROWS or alone else [*fresh, *repeated][:GOLDEN_ROWS]

    def _predicted(self, rows: list[InputRow]) -> dict[str, list[Any]]:
        """Return the model's answers by method. Raises ScoringError."""
        X = golden_check.batch_of(rows, self._contract).X
        answers = {
            method: Predictor(self._estimator, self._contract)(Batch(X, method))
            for method in self._methods
        }
        to_json(answers)
        return answers

    def _answered(self, rows: list[InputRow]) -> list[InputRow]:
        """Return the rows that the model answers."""
        try:
            answers = self._predicted(rows)
        except ScoringError:
            return [row for one in rows for row in self._answered([one])] if len(rows) > 1 else []
        finite = (
            zip(*(answers[method] for method in self._finite), strict=True)
            if self._finite
            else [[]] * len(rows)
        )
        return [
            row
            for row, answered in zip(rows, finite, strict=True)
            if not non_finite(list(answered))
        ]


def comparable(answers: list[Any]) -> bool:
    """Return whether answers stay the same in a manifest: no NaN, no infinity and no times."""
    return not non_finite(answers) and golden_check.same_answers(
        orjson.loads(to_json(answers)), answers
    )


def spread(count: int, wanted: int) -> list[int]:
    """Spread ``wanted`` positions evenly from the first to the last."""
    wanted = min(wanted, count)
    return [i * (count - 1) // max(wanted - 1, 1) for i in range(wanted)]
