"""Frames of mixed columns as people have them, and pipelines fitted on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def passengers(count: int = 300) -> tuple[pd.DataFrame, np.ndarray]:
    """Seven columns: numbers with gaps, whole numbers, texts and a boolean; and a target."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 12, count).round(1),
            "fare": rng.lognormal(3, 1, count).round(2),
            "siblings": rng.integers(0, 6, count),
            "city": rng.choice(["Paris", "Rome", "Zürich", "Oslo"], count),
            "cabin": rng.choice(["first", "second", "third"], count),
            "deck": rng.choice(list("ABCDEFG"), count),
            "member": rng.choice([True, False], count),
        }
    )
    frame.loc[rng.random(count) < 0.1, "age"] = np.nan
    frame.loc[rng.random(count) < 0.05, "fare"] = np.nan
    target = (frame["age"].fillna(0) > 40) ^ (frame["city"] == "Oslo") | (frame["deck"] == "A")
    return frame, target.to_numpy(dtype=int)


def by_columns() -> Any:
    """The encoders that most guides have: imputed and scaled numbers, one-hot texts."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "fare"]),
        (StandardScaler(), ["siblings"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city", "cabin", "deck"]),
        ("passthrough", ["member"]),
    )


def logistic() -> tuple[Any, pd.DataFrame]:
    """One-hot texts and a logistic regression, on seven columns."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    frame, target = passengers()
    return make_pipeline(by_columns(), LogisticRegression(max_iter=1000)).fit(frame, target), frame


def boosting(trees: int = 10, count: int = 400) -> tuple[Any, pd.DataFrame]:
    """Ordinal texts and histogram boosting, on twenty columns, some with gaps."""
    import numpy as np
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    rng = np.random.default_rng(0)
    columns = (
        {f"number {k}": rng.normal(size=count) for k in range(8)}
        | {f"whole {k}": rng.integers(0, 50, count) for k in range(3)}
        | {
            f"text {k}": rng.choice([f"value {v}" for v in range(3 + 4 * k)], count)
            for k in range(6)
        }
        | {f"flag {k}": rng.choice([True, False], count) for k in range(3)}
    )
    frame = pd.DataFrame(columns)
    for k in range(4):
        frame.loc[rng.random(count) < 0.1, f"number {k}"] = np.nan
    target = frame["number 0"].fillna(0) + frame["number 5"] - frame["flag 1"] > 0
    texts = [name for name in frame if name.startswith("text")]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    pipeline = make_pipeline(
        make_column_transformer((encoder, texts), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=trees, early_stopping=False),
    )
    return pipeline.fit(frame, target.to_numpy(dtype=int)), frame
