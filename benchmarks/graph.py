"""Times a graph of few dense operations in ONNX Runtime and in numpy: ``make bench-graph``.

It is timed alone and within a request, in this process. The cases take turns, so that a change of
the machine's speed affects all alike.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import timeit
from pathlib import Path

import numpy as np
import orjson
from in_process import ROW, application, demo

from azureml_scoring.application import Application
from azureml_scoring.models.engines import onnx_model, onnx_session
from azureml_scoring.models.engines.numpy_graph import NumpyGraph

TURNS, IN_A_ROW = 30, 300
BODY = orjson.dumps({"data": [ROW]})
X = np.array([ROW], dtype=np.float64)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = demo(Path(scratch))
        graph = (folder / "model.onnx").read_bytes()
        dense = NumpyGraph.of(graph)
        assert dense
        by_numpy = application(folder)
        manifest = folder / "manifest.json"
        document = orjson.loads(manifest.read_bytes())
        document["onnx"] |= {"numpy": False, "race": None}
        manifest.write_bytes(orjson.dumps(document))
        by_runtime = application(folder)
    for served, engine in ((by_numpy, "numpy"), (by_runtime, "onnxruntime")):
        assert served.lifecycle.loaded
        assert served.lifecycle.loaded.runtime["graph"].startswith(engine)
    session = onnx_session.open_session(graph)
    (output,) = {it.name for it in session.get_outputs()} & {"label"}

    def request(served: Application) -> None:
        served.service.score(served.reader.plain(BODY))

    cases = {
        ("alone", "ONNX Runtime"): lambda: session.run([output], {onnx_model.INPUT_NAME: X}),
        ("alone", "numpy"): lambda: dense.run([output], {onnx_model.INPUT_NAME: X}),
        ("a request", "ONNX Runtime"): lambda: request(by_runtime),
        ("a request", "numpy"): lambda: request(by_numpy),
    }
    times = {case: list[float]() for case in cases}
    for _, (case, once) in itertools.product(range(TURNS), cases.items()):
        once()
        times[case].append(timeit.timeit(once, number=IN_A_ROW) / IN_A_ROW * 1e6)
    print("| µs | ONNX Runtime | numpy |\n| --- | --- | --- |")
    for what in ("alone", "a request"):
        runtime, ours = (statistics.median(times[what, by]) for by in ("ONNX Runtime", "numpy"))
        print(f"| {what} | {runtime:.1f} | {ours:.1f} |")


if __name__ == "__main__":
    main()
