"""Becomes one of our servers, in the foreground: ``benchmarks/serve-one SERVER MODEL_DIR PORT``.

The server runs as shipped, except that it has one worker (or ``WORKERS``) and no response cache, so
that each request is computed. A packaged folder is served unchanged; for any other, its
``model.pkl`` is first packaged below build/.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
BIN = REPOSITORY / ".venv" / "bin"
SAMPLES = tuple(f"sample.{suffix}" for suffix in ("csv", "json", "parquet", "npy"))
SAMPLE_ROWS = 1000
"""Rows of a generated sample."""

COMMANDS = {
    "azmlinfsrv": "azmlinfsrv --entry_script {score} --port {port} --model_dir",
    "fast": "mlops serve --port {port} --workers {workers} --cache off --model-dir",
}


def main() -> NoReturn:
    if len(sys.argv) != 4:
        sys.exit("usage: serve-one SERVER MODEL_DIR PORT; SERVER is one of " + ", ".join(COMMANDS))
    _, server, model_dir, port = sys.argv
    if server not in COMMANDS:
        sys.exit(f"serve-one: there is no server {server}; name one of {', '.join(COMMANDS)}.")
    check_port(port)
    folder = ready_folder(Path(model_dir).absolute(), port)
    workers = os.environ.get("WORKERS", "1")
    os.environ |= {
        "SCORING_CACHE": "off",
        "AZUREML_MODEL_DIR": str(folder),
        "WORKER_COUNT": workers,
    }
    score = REPOSITORY / "src" / "score.py"
    words = [
        word.format(score=score, port=port, workers=workers) for word in COMMANDS[server].split()
    ]
    os.execv(BIN / words[0], [*words, str(folder)])  # noqa: S606


def check_port(port: str) -> None:
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            probe.bind(("0.0.0.0", int(port)))  # noqa: S104
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "not a port's number"
        sys.exit(f"serve-one: port {port} can't be used ({reason}); choose another one.")


def ready_folder(folder: Path, port: str) -> Path:
    """Return ``folder`` if it is packaged, else a folder packaged from its ``model.pkl``."""
    if (folder / "manifest.json").is_file():
        return folder
    file = folder / "model.pkl"
    if not file.is_file():
        sys.exit(
            f"serve-one: {folder} has neither a manifest.json nor a model.pkl; "
            "name a folder that has one."
        )
    sys.path.insert(0, str(REPOSITORY / "src"))
    from azureml_scoring.errors import StartupError
    from mlops.package import package
    from mlops.sample import read

    out = REPOSITORY / "build" / "bench" / "serve-one" / port
    sample = next((folder / name for name in SAMPLES if (folder / name).is_file()), None)
    try:
        package(file, read(sample) if sample else generated_sample(file), out, force=True)
    except StartupError as error:
        sys.exit(f"serve-one: {error}")
    return out


def generated_sample(file: Path) -> pd.DataFrame:
    """Generate rows like those that the model was fitted on, as far as its scaler shows them."""
    import joblib
    import numpy as np
    import pandas as pd

    try:
        estimator: Any = joblib.load(file)
        first = estimator.steps[0][1] if hasattr(estimator, "steps") else estimator
        X = np.random.default_rng(0).standard_normal((SAMPLE_ROWS, estimator.n_features_in_))
    except Exception as error:
        sys.exit(
            f"serve-one: no sample can be generated for {file} ({error}); "
            "put a sample.csv beside it."
        )
    X *= getattr(first, "scale_", None) if getattr(first, "scale_", None) is not None else 1
    X += getattr(first, "mean_", None) if getattr(first, "mean_", None) is not None else 0
    return pd.DataFrame(X, columns=getattr(estimator, "feature_names_in_", None))


if __name__ == "__main__":
    main()
