from typing import Any

import numpy as np
import pytest

from azureml_scoring.models.engines.batch_size_switch import BatchSizeSwitch


class Named:
    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[Any]:
        return [f"{self.name} {outputs[0]} of {len(inputs['X'])}"]


@pytest.mark.parametrize(
    ("rows", "answer"), [(1, "small y of 1"), (9, "small y of 9"), (10, "large y of 10")]
)
def test_the_number_of_rows_decides_who_computes(rows: int, answer: str):
    """Both get the same outputs and inputs as one engine would."""
    switch = BatchSizeSwitch(Named("small"), Named("large"), 10)  # type: ignore[arg-type]
    assert switch.run(["y"], {"X": np.zeros((rows, 2))}) == [answer]
