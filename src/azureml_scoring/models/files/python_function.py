"""Loads MLflow's flavour python_function in this process: its author's code, or MLflow's own.

Nothing is known of it but ``predict``, so it is as much trusted as a pickle (docs/adr/0003).
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from azureml_scoring.errors import StartupError, reason
from azureml_scoring.inputs.feature import DATETIME
from azureml_scoring.inputs.parameter import Parameter, defaults, values
from azureml_scoring.models.files import load_failure
from azureml_scoring.models.files.mlflow_folder import MlflowModel, PythonFunction
from azureml_scoring.models.files.safe_join import safe_join

NOT_READ = (
    "conda.yaml", "constraints.txt", "input_example.json", "model.sig", "python_env.yaml",
    "registered_model_meta", "requirements.txt", "serving_input_example.json",
)  # fmt: skip
"""Files beside a model that no loader reads. Examples are people's data."""

OWN_LOADER = (
    "save the model by mlflow.pyfunc.save_model(loader_module=..., data_path=..., "
    "code_paths=[...]), whose loader needs no MLflow"
)


class FunctionEstimator:
    """Gives a python_function the interface of an estimator.

    file_kind: what messages call it.
    modules: where its code comes from.
    parameters: those of the signature that its ``predict`` takes.
    """

    file_kind = "python_function"

    def __init__(self, function: Any, loader: str, parameters: tuple[Parameter, ...]) -> None:
        self._predict = function.predict
        takes = "params" in inspect.signature(self._predict).parameters
        self.parameters = parameters if takes else ()
        self.modules = (loader,)

    def predict(self, X: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return one answer for each row; of a DataFrame, objects by its columns."""
        if self.parameters:
            named = params or values(defaults(self.parameters))
            typed = {each.name: _typed(named[each.name], each) for each in self.parameters}
            answers = self._predict(X, params=typed)
        else:
            answers = self._predict(X)
        if hasattr(answers, "to_dict") and hasattr(answers, "columns"):
            return answers.to_dict("records")
        if isinstance(answers, Mapping):
            return [
                dict(zip(answers, row, strict=True)) for row in zip(*answers.values(), strict=True)
            ]
        return answers


def _typed(value: Any, parameter: Parameter) -> Any:
    """Return a time as a datetime, as MLflow does, and other values as they are."""
    if parameter.dtype != DATETIME or value is None:
        return value
    return np.array(value, "datetime64[us]").tolist()


def load(folder: Path, described: MlflowModel) -> FunctionEstimator:
    """Load the function. Its code must be importable. Raises StartupError."""
    function = described.function
    if function is None:
        raise ValueError("It has another flavour.")
    place = folder if function.data is None else safe_join(folder, function.data)
    if function.pickled and (
        why := load_failure.of_bytecode(folder / function.pickled, described.python)
    ):
        raise StartupError(f"{function.pickled} {why}.")
    arguments = [str(place), *([function.config] if function.config else [])]
    try:
        loaded = importlib.import_module(function.loader)._load_pyfunc(*arguments)
        return FunctionEstimator(loaded, function.loader, described.parameters)
    except (StartupError, KeyboardInterrupt):
        raise
    except BaseException as error:  # the author's code may raise anything
        raise StartupError(f"{folder} {_sentence(error, function)}.") from error


def files(folder: Path) -> dict[str, Path]:
    """Return name -> file of what the loader may read. Raises StartupError for a link out of the
    folder."""
    return {
        name: safe_join(folder, name) for name in sorted(_names(folder)) if name not in NOT_READ
    }


def checksums(folder: Path) -> dict[str, str]:
    """Return name -> sha256 of what the loader may read. Raises StartupError."""
    sums = dict[str, str]()
    for name, file in files(folder).items():
        try:
            with file.open("rb") as opened:
                sums[name] = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise StartupError(
                f"{file} can't be read ({error.strerror}); upload the model again, or correct its "
                f"rights."
            ) from None
    return sums


def digest(sums: Mapping[str, str]) -> str:
    """Return a sha256 over all names and contents."""
    lines = [f"{content}  {name}\n" for name, content in sums.items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix()


def _sentence(error: BaseException, function: PythonFunction) -> str:
    """Say what is missing, and what to do."""
    missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    if str(missing).partition(".")[0] == "mlflow":
        version = f"=={function.mlflow_version}" if function.mlflow_version else ""
        return (
            f"is a python_function that MLflow itself loads ({function.loader}), and MLflow is not "
            f"installed; run `pip install mlflow-skinny{version}` here and package the model with "
            f"--requirements, or {OWN_LOADER}"
        )
    with suppress(Exception):
        if why := load_failure.of_code(error):
            return f"is a python_function that {why}"
    return (
        f"is a python_function whose loader {function.loader} failed ({reason(error)}); install "
        f"what its requirements.txt lists, or correct it"
    )
