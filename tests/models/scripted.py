"""A model that does as it is told by the first value of a request, so that tests decide what
happens and when."""

import gc
import os
import signal
import sys
import time

import numpy as np

FAIL, DIE, EXIT, ODD, SHORT, SWITCH, FROZEN, TEXT = -1.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0, -9.0
COMPUTE = 10_000.0


class Scripted:
    """One feature: for how many seconds a prediction sleeps, or those above COMPUTE, holds the
    interpreter.

    The constants above misbehave.
    """

    n_features_in_ = 1
    cacheable = False

    def __init__(self):
        self.state = "so that unpickling has something to set"

    def predict(self, X):
        order = float(X[0, 0])
        if order == FAIL:
            raise RuntimeError("the model broke on 4711")
        if order == DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        if order == EXIT:
            raise SystemExit("leaving")
        if order == ODD:
            return np.array([object()] * len(X), dtype=object)
        if order == SHORT:
            return np.zeros(len(X) + 1)
        if order == TEXT:
            return "a" * len(X)
        if order == SWITCH:
            return np.array([sys.getswitchinterval()])
        if order == FROZEN:
            return np.array([gc.get_freeze_count()])
        if COMPUTE < order < 2 * COMPUTE:
            until = time.perf_counter() + order - COMPUTE
            while time.perf_counter() < until:
                pass
            return X[:, 0]
        time.sleep(order)
        return X[:, 0]


class SlowToLoad(Scripted):
    """Unpickling takes the seconds in the environment variable LOAD_SECONDS, or fails if that is
    negative."""

    def __setstate__(self, state):
        seconds = float(os.environ.get("LOAD_SECONDS", "0"))
        if seconds < 0:
            raise ValueError("these bytes are no model")
        time.sleep(seconds)


class Noted(Scripted):
    """Unpickling leaves a file behind, named by the environment variable NOTE."""

    def __setstate__(self, state):
        with open(os.environ["NOTE"], "w") as note:
            note.write("unpickled")


def leave_note(X):
    """Leave a note as ``Noted`` does; a type that skops does not trust."""
    with open(os.environ["NOTE"], "w") as note:
        note.write("ran")
    return X


class Steady(Scripted):
    """Doubles each first value, at once; one below zero after as many seconds."""

    cacheable = True

    def predict(self, X):
        time.sleep(max(0.0, -float(X[0, 0])))
        return X[:, 0] * 2


class Broken(Scripted):
    """Fails, each time but for zeros, which a start asks."""

    cacheable = True

    def predict(self, X):
        if X[0, 0] == 0:
            return np.zeros(len(X))
        raise RuntimeError("broken")


class Dice(Scripted):
    """A model that answers differently each time."""

    def predict(self, X):
        return np.random.default_rng().random(len(X))


class Remembered(Scripted):
    """A model whose answers may be cached."""

    cacheable = True
