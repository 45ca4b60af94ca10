"""Models that fail at one step of what is done with a model, in a way of their own choosing."""

import numpy as np
import pandas as pd


class Unprintable(Exception):
    """Fails once more when it is told."""

    def __str__(self):
        raise RuntimeError("no words")


class Other(BaseException):
    """An exception of none of Python's usual kinds."""


class Loop:
    """An object whose attributes recurse without end."""

    def __getattr__(self, name):
        return self.__getattr__(name)


RAISED = {
    "a plain error": RuntimeError("it broke"),
    "several lines with escapes": ValueError("one\ntwo \x1b[31m\x07 three\n"),
    "an exit": SystemExit(0),
    "a recursion": RecursionError("maximum recursion depth exceeded"),
    "no memory": MemoryError(),
    "no words": Unprintable(),
    "another kind": Other("odd"),
    "no attribute": AttributeError("no such thing"),
    "the end of a file": EOFError(),
    "a stopped iteration": StopIteration(),
    "an error of the system": OSError(5, "Input/output error"),
    "an interrupt": KeyboardInterrupt(),
}

ANSWERS = {
    "None": lambda X: None,
    "a text": lambda X: "a" * len(X),
    "bytes": lambda X: b"a" * len(X),
    "a number": lambda X: 1.0,
    "too few": lambda X: np.zeros(len(X) - 1),
    "too many": lambda X: np.zeros(len(X) + 1),
    "none": lambda X: [],
    "objects": lambda X: [object()] * len(X),
    "a dict": lambda X: dict.fromkeys(range(len(X)), 1),
    "a generator": lambda X: (1 for _ in X),
    "complex numbers": lambda X: np.zeros(len(X), complex),
    "times": lambda X: np.zeros(len(X), "datetime64[ns]"),
    "huge numbers": lambda X: [10**5000] * len(X),
    "deep lists": lambda X: [_deep()] * len(X),
    "ragged lists": lambda X: [[1], [1, 2]] * len(X),
    "a table": lambda X: pd.DataFrame({"a": np.zeros(len(X))}),
    "texts that are no UTF-8": lambda X: ["\ud800"] * len(X),
    "endless looking": lambda X: Loop(),
    "no dimension": lambda X: np.array(1.0),
    "three dimensions": lambda X: np.zeros((len(X), 2, 2)),
    "NaN": lambda X: np.full(len(X), np.nan),
}


def _deep():
    found = []
    for _ in range(5000):
        found = [found]
    return found


class Hostile:
    """Two features. It raises ``how`` at ``step``, or at its ``call``-th prediction; or its answers
    are ``how``."""

    cacheable = False

    def __init__(self, step="", how="", call=0):
        self.__dict__.update(step=step, how=how, call=call, calls=0)

    def __setstate__(self, state):
        if state["step"] == "unpickling":
            raise RAISED[state["how"]]
        self.__dict__.update(state)

    def __getattribute__(self, name):
        own = object.__getattribute__(self, "__dict__")
        if own.get("step") == f"the attribute {name}":
            raise RAISED[own["how"]]
        return object.__getattribute__(self, name)

    @property
    def n_features_in_(self):
        return 2

    @property
    def feature_names_in_(self):
        return np.array(["a", "b"], dtype=object)

    def __repr__(self):
        if self.step == "its repr":
            raise RAISED[self.how]
        return "Hostile()"

    def __sklearn_tags__(self):
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=False))

    def get_params(self, deep=True):
        return {}

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        self.calls += 1
        if self.calls == self.call:
            raise RAISED[self.how]
        if self.step == "answer":
            return ANSWERS[self.how](X)
        return np.asarray(X, dtype=float).sum(axis=1)

    def predict_proba(self, X):
        if self.step == "predict_proba":
            raise RAISED[self.how]
        return np.full((len(X), 2), 0.5)

    def transform(self, X):
        if self.step == "transform":
            raise RAISED[self.how]
        return X
