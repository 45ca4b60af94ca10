"""Fits a model with the scikit-learn of the Python that runs this, which may be an old one.

    python old_models.py KIND FOLDER

FOLDER gets model.joblib, sample.json (rows by column), and answers.json (method -> answers to those
rows). It needs scikit-learn and pandas alone.
"""

import json
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

COUNT = 300
METHODS = ("predict", "predict_proba")


def numbers():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(COUNT, 5)), columns=list("abcde"))
    return frame, np.where(frame["a"] + frame["b"] ** 2 > 0.8, "yes", "no")


def with_gaps():
    frame, target = numbers()
    return frame.mask(np.random.default_rng(1).random(frame.shape) < 0.1), target


def mixed():
    frame, target = with_gaps()
    rng = np.random.default_rng(2)
    frame["city"] = rng.choice(["Paris", "Rome", "Oslo"], COUNT)
    plan = pd.Series(rng.choice(["basic", "gold", ""], COUNT), dtype=object)
    frame["plan"] = plan.where(plan != "", np.nan)
    frame["member"] = rng.choice([True, False], COUNT)
    frame["visits"] = rng.integers(0, 9, COUNT)
    return frame, target


def columns(*encoders):
    numeric = make_pipeline(SimpleImputer(), StandardScaler())
    encode = make_pipeline(SimpleImputer(strategy="most_frequent"), *encoders)
    return ColumnTransformer(
        [("numbers", numeric, list("abcde")), ("texts", encode, ["city", "plan"])],
        remainder="passthrough",
    )


def texts():
    _, target = numbers()
    words = np.where(target == "yes", "good day", "bad night")
    return pd.DataFrame({"text": [f"{word} {n % 7}" for n, word in enumerate(words)]}), target


ONE_HOT = OneHotEncoder(handle_unknown="ignore")
ORDINAL = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
KINDS = {
    "logistic": (numbers, make_pipeline(StandardScaler(), LogisticRegression())),
    "ridge": (numbers, Ridge()),
    "tree": (numbers, DecisionTreeClassifier(max_depth=5, random_state=0)),
    "forest": (numbers, RandomForestClassifier(20, max_depth=6, random_state=0)),
    "extra": (numbers, ExtraTreesRegressor(n_estimators=20, max_depth=6, random_state=0)),
    "boosting": (numbers, GradientBoostingClassifier(n_estimators=20, random_state=0)),
    "histogram": (with_gaps, HistGradientBoostingClassifier(max_iter=20, random_state=0)),
    "isolation": (numbers, IsolationForest(n_estimators=20, random_state=0)),
    "svc": (numbers, make_pipeline(StandardScaler(), SVC(probability=True, random_state=0))),
    "neighbours": (numbers, KNeighborsClassifier()),
    "bayes": (numbers, GaussianNB()),
    "network": (numbers, MLPClassifier((8,), max_iter=50, random_state=0)),
    "calibrated": (numbers, CalibratedClassifierCV(GaussianNB(), cv=3)),
    "voting": (
        numbers,
        VotingClassifier(
            [("l", LogisticRegression()), ("t", DecisionTreeClassifier(max_depth=4))],
            voting="soft",
        ),
    ),
    "search": (numbers, GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)),
    "mixed-logistic": (mixed, make_pipeline(columns(ONE_HOT), LogisticRegression())),
    "mixed-forest": (
        mixed,
        make_pipeline(columns(ORDINAL), RandomForestClassifier(20, max_depth=6, random_state=0)),
    ),
    "mixed-histogram": (
        mixed,
        make_pipeline(columns(ORDINAL), HistGradientBoostingClassifier(max_iter=20)),
    ),
    "texts": (texts, make_pipeline(TfidfVectorizer(), LogisticRegression())),
}


def main(kind, folder):
    warnings.simplefilter("ignore")
    make, model = KINDS[kind]
    frame, target = make()
    if kind in ("ridge", "extra"):
        target = np.cumsum(frame["a"])
    model.fit(frame["text"] if kind == "texts" else frame, target)
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    frame.to_json(folder / "sample.json", orient="records", double_precision=15)
    # The rows as JSON holds them.
    rows = pd.read_json(folder / "sample.json", orient="records", precise_float=True)
    rows = rows.where(rows.notna(), np.nan).astype({name: frame[name].dtype for name in frame})
    rows = rows["text"] if kind == "texts" else rows
    answers = {
        name: np.asarray(getattr(model, name)(rows)).tolist()
        for name in METHODS
        if hasattr(model, name)
    }
    (folder / "answers.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
