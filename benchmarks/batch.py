"""`mlops batch` beside pandas and the model in one process, on the same files, in turns.

Both read CSV files of ten numbers a row and predict; ours also checks each row and writes the
predictions. The ratio of their times is what counts: a machine's speed is in both.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

FEATURES = 10
BLOCK_ROWS = 100_000
BASELINE = """
import sys
import joblib, pandas
model = joblib.load(sys.argv[1])
for file in sys.argv[2:]:
    for rows in pandas.read_csv(file, chunksize=10_000):
        model.predict(rows)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of all files together")
    parser.add_argument("--files", type=int, default=2, help="of equal size; one process takes one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", choices=["logistic", "lightgbm"], default="logistic")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        artifact = package(folder, arguments.model)
        files = write(folder / "data", arguments.rows, arguments.files)
        run = [sys.executable, "-m", "mlops", "batch", str(artifact), str(folder / "data")]
        plain = [sys.executable, "-c", BASELINE, str(artifact / "model.joblib"), *map(str, files)]
        times: dict[str, list[float]] = {"pandas": [], "mlops batch": []}
        for turn in range(arguments.rounds):
            times["pandas"].append(seconds(plain))
            ours = [*run, "--out", str(folder / f"out{turn}"), "--processes", str(arguments.files)]
            times["mlops batch"].append(seconds(ours))
        for name, of in times.items():
            rate = arguments.rows / statistics.median(of)
            print(f"{name:12} {statistics.median(of):8.1f} s  {rate:12,.0f} rows/s")
        ratios = [a / b for a, b in zip(*times.values(), strict=True)]
        print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"largest process, pandas' included: {peak_mib:.0f} MiB")


def package(folder: Path, kind: str) -> Path:
    """Return an artifact of a model of ten numbers."""
    import joblib
    import numpy as np
    import pandas as pd

    X = pd.DataFrame(np.random.default_rng(0).normal(size=(2_000, FEATURES)), columns=names())
    y = X["x0"] + X["x1"] > 0
    if kind == "lightgbm":
        from lightgbm import LGBMClassifier

        model = LGBMClassifier(verbose=-1).fit(X, y)
    else:
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression().fit(X, y)
    joblib.dump(model, folder / "model.joblib")
    X.to_csv(folder / "sample.csv", index=False)
    artifact = folder / "artifact"
    words = ["package", folder / "model.joblib", "--sample", folder / "sample.csv"]
    command = [sys.executable, "-m", "mlops", *map(str, words), "--out", str(artifact)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 our own commands
    return artifact


def write(folder: Path, rows: int, files: int) -> list[Path]:
    """Write the rows as so many CSV files."""
    import numpy as np
    import pandas as pd

    folder.mkdir()
    paths = [folder / f"{place}.csv" for place in range(files)]
    random = np.random.default_rng(1)
    for path in paths:
        left = rows // files
        while left > 0:
            X = random.normal(size=(min(left, BLOCK_ROWS), FEATURES)).round(6)
            is_first = not path.exists()
            pd.DataFrame(X, columns=names()).to_csv(path, index=False, header=is_first, mode="a")
            left -= BLOCK_ROWS
    return paths


def names() -> list[str]:
    return [f"x{place}" for place in range(FEATURES)]


def seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 our own commands
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
