"""What several tests need: models of many kinds, packaged or not, and rows for them."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlops  # noqa: F401  puts src/ on the path
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.models.model import Model

# scikit-learn, pandas and mlops.package load for seconds: only the functions that use them pay.
if TYPE_CHECKING:
    import pandas as pd

MODELS = Path(__file__).parent / "models"
sys.path.insert(0, str(MODELS))

ROW = [59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0]
"""One patient of the demo's data."""

NUMBERS = Contract((Feature("a"), Feature("b")), ("predict", "predict_proba"))
"""Of a model with two features."""

NAMES = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def diabetes() -> tuple[pd.DataFrame, pd.Series]:
    from sklearn.datasets import load_diabetes

    data = load_diabetes(as_frame=True, scaled=False)
    return data.data, (data.target > 140.5).astype(int)


def demo_estimator() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = diabetes()
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, y)


def mixed() -> tuple[Any, pd.DataFrame]:
    """A pipeline on numbers with gaps, texts, booleans and whole numbers."""
    import numpy as np
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rng = np.random.default_rng(0)
    count = 60
    frame = pd.DataFrame(
        {
            "income": rng.normal(50, 9, count),
            "city": rng.choice(["Paris", "Rome", "Oslo"], count),
            "member": rng.choice([True, False], count),
            "visits": rng.integers(0, 9, count),
        }
    )
    frame.loc[::7, "income"] = np.nan
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["income"]),
        (OneHotEncoder(), ["city"]),
        ("passthrough", ["member", "visits"]),
    )
    return make_pipeline(columns, LogisticRegression()).fit(frame, frame["visits"] > 4), frame


def codes() -> tuple[Any, pd.DataFrame]:
    """A pipeline on texts that look like something else, as postcodes and a region NA do, and a
    boolean with gaps."""
    import numpy as np
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(0)
    count = 40
    frame = pd.DataFrame(
        {
            "postcode": rng.choice(["01067", "10115", "20095"], count),
            "region": rng.choice(["EU", "NA", "None"], count),
            "grade": rng.choice(["1", "2", "10"], count),
            "agreed": rng.choice(["yes", "True"], count),
            "income": rng.normal(50, 9, count),
            "insured": np.array([True, False, np.nan, True] * 10, dtype=object),
        }
    )
    encode = OneHotEncoder(handle_unknown="ignore")  # one that reads a text wrongly answers wrongly
    columns = make_column_transformer(
        (encode, ["postcode", "region", "grade", "agreed", "insured"]), remainder="passthrough"
    )
    target = (
        (frame["region"] == "NA")
        | (frame["postcode"] == "01067") & (frame["grade"] != "10")
        | frame["insured"].isna()
    )
    return make_pipeline(columns, LogisticRegression()).fit(frame, target), frame


def texts() -> tuple[Any, pd.DataFrame]:
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    frame = pd.DataFrame({"text": ["good day", "bad day", "good night", "bad night"] * 5})
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
        frame["text"], [1, 0, 1, 0] * 5
    ), frame


def categories() -> tuple[Any, pd.DataFrame]:
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame = pd.DataFrame(
        {"size": [1.0, 2.0, 3.0, 4.0] * 10, "colour": pd.Categorical(["red", "blue"] * 20)}
    )
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=5)
    return model.fit(frame, [0, 1] * 20), frame


def plain_regression() -> tuple[Any, pd.DataFrame]:
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    X = np.arange(12.0).reshape(6, 2)
    return LinearRegression().fit(X, X.sum(axis=1)), pd.DataFrame(X)


def dump(estimator: Any, folder: Path, name: str = "model.joblib") -> Path:
    import joblib

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    joblib.dump(estimator, file)
    return file


def model(contract: Contract = NUMBERS, **changes: Any) -> Model:
    """A loaded model, as the cache sees one."""
    known: dict[str, Any] = {
        "name": "m",
        "version": "1",
        "digest": "ab" * 32,
        "contract": contract,
        "version_skew": (),
        "golden_rows": 0,
        "warmup_ms": 0.0,
        "runtime": {"numpy": "2"},
        "cacheable": True,
        "backend": "sklearn",
        "quick": False,
        "predict": lambda batch: batch.X[:, 0].tolist(),
    }
    return Model(**known | changes)


def packaged(estimator: Any, sample: pd.DataFrame, folder: Path, **options: Any) -> Path:
    """Make an artifact folder below ``folder``."""
    from mlops.package import package

    file = dump(estimator, folder / "raw")
    package(file, sample, folder / "artifact", **options)
    return folder / "artifact"


def scripted(folder: Path, kind: str = "Scripted") -> Path:
    """A folder with a model of tests/models/scripted.py, without a manifest."""
    import scripted as module

    return dump(getattr(module, kind)(), folder).parent
