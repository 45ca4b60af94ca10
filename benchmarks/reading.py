"""Times the reading of 100 rows of ten columns, beside orjson alone: ``make bench-reading``.

From the bytes of a body to a checked batch, in this process. The cases take turns, so that a change
of the machine's speed affects all alike, and the best turn counts, in processor time.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import in_process  # noqa: F401  puts tests/ and src/ on the path
import numpy as np
import orjson

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from validation import validate

ROWS, TURNS, IN_A_ROW = 100, 60, 30

MIXED = tuple(
    Feature(name, dtype)
    for name, dtype in {
        **{f"number{place}": "float64" for place in range(4)},
        **{f"whole{place}": "int64" for place in range(2)},
        **{f"text{place}": "str" for place in range(3)},
        "flag": "bool",
    }.items()
)
NUMBERS = tuple(Feature(f"number{place}") for place in range(len(MIXED)))


def main() -> None:
    random = np.random.default_rng(0)
    mixed, numbers = _columns(MIXED, random), _columns(NUMBERS, random)
    missing = tuple(dataclasses.replace(feature, missing=True) for feature in MIXED)
    cases = {
        "records, mixed columns": (MIXED, _records(mixed)),
        "records, mixed columns that may be missing": (missing, _records(mixed)),
        "records, numbers": (NUMBERS, _records(numbers)),
        "columns, mixed": (MIXED, orjson.dumps({"data": mixed})),
        "split, mixed": (MIXED, _split(mixed)),
    }
    print("| 100 rows of ten columns | ours, µs | orjson alone, µs | ratio |\n|---|---:|---:|---:|")
    for name, (features, body) in cases.items():
        ours, alone = _best(_reading(features, body), lambda body=body: orjson.loads(body))  # type: ignore[misc]
        print(f"| {name} | {ours:.0f} | {alone:.0f} | {ours / alone:.2f} |")


def _columns(features: tuple[Feature, ...], random: np.random.Generator) -> dict[str, list[object]]:
    draw: dict[str, Callable[[], list[object]]] = {
        "float64": lambda: random.normal(size=ROWS).round(4).tolist(),
        "int64": lambda: random.integers(0, 1000, ROWS).tolist(),
        "str": lambda: random.choice(["red", "green", "blue"], ROWS).tolist(),
        "bool": lambda: random.choice([True, False], ROWS).tolist(),
    }
    return {str(feature.name): draw[feature.dtype]() for feature in features}


def _records(columns: dict[str, list[object]]) -> bytes:
    rows = zip(*columns.values(), strict=True)
    return orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows])


def _split(columns: dict[str, list[object]]) -> bytes:
    rows = list(zip(*columns.values(), strict=True))
    return orjson.dumps({"dataframe_split": {"columns": list(columns), "data": rows}})


def _reading(features: tuple[Feature, ...], body: bytes) -> Callable[[], object]:
    contract, limits = Contract(features, ("predict",)), Limits()
    return lambda: validate(body, contract, limits)


def _best(*calls: Callable[[], object]) -> list[float]:
    """Return the microseconds of each call in its best turn."""
    best = [float("inf")] * len(calls)
    for _ in range(TURNS):
        for place, call in enumerate(calls):
            began = time.process_time_ns()
            for _ in range(IN_A_ROW):
                call()
            best[place] = min(best[place], (time.process_time_ns() - began) / IN_A_ROW / 1000)
    return best


if __name__ == "__main__":
    main()
