"""Writes an MLflow folder of a model: ``mlflow_save.py MODEL_FILE ROWS_CSV FOLDER``."""

import sys

import joblib
import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature

file, csv, folder = sys.argv[1:]
rows = pd.read_csv(csv)
mlflow.sklearn.save_model(
    joblib.load(file),
    folder,
    signature=infer_signature(rows, [1]),
    serialization_format="cloudpickle",
    pip_requirements=[],
)
