"""What a worker imports."""

import json
import os
import subprocess
import sys
from pathlib import Path

import support
from mlops import SERVING

SERVE = """
import json, sys
import score
import azureml_scoring.http.worker
score.init()
row, large = json.loads(sys.argv[1])
heavy = {"azure", "jsonschema", "onnx", "onnxruntime", "pandas", "pyarrow", "redis", "scipy",
         "sklearn"}
def loaded():
    return sorted(heavy & sys.modules.keys())
answers = [score.run({"data": [row], "method": "predict_proba"})]
lean = loaded()
answers.append(score.run({"data": [large]}))
print(json.dumps([lean, loaded(), score.health()[0]["estimator"], answers]))
"""


def test_a_worker_imports_nothing_that_its_model_does_not_need(demo_model: Path):
    """Until a request needs the estimator it has no scikit-learn, SciPy, pandas or onnx, which take
    more memory and time than all the rest; then it is loaded, and answers."""
    done = subprocess.run(
        [sys.executable, "-c", SERVE, json.dumps([support.ROW, [x * 1e200 for x in support.ROW]])],
        env=os.environ
        | {
            "PYTHONPATH": str(SERVING),
            "AZUREML_MODEL_DIR": str(demo_model),
            "SCORING_BACKEND": "onnx",  # whichever engine was quicker at packaging
            "SCORING_CACHE": "off",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    lean, later, estimator, answers = json.loads(done.stdout.splitlines()[-1])
    assert lean == []
    assert {"sklearn", "scipy"} <= set(later)
    assert estimator == "loaded"
    assert answers[0]["metadata"]["num_predictions"] == 1
    assert answers[1].get("code") != "model_failed"
