"""Makes an MLflow folder out of a folder with a model."""

import json
from pathlib import Path


def mlflow(folder: Path, inputs: list[dict[str, object]], example: object = None) -> Path:
    document = {
        "flavors": {"sklearn": {"pickled_model": "model.joblib"}},
        "signature": {"inputs": json.dumps(inputs)},
        "saved_input_example_info": {"artifact_path": "input_example.json"},
    }
    (folder / "MLmodel").write_text(json.dumps(document))
    if example is not None:
        (folder / "input_example.json").write_text(json.dumps(example))
    return folder
