"""Says why an ONNX graph by itself can't be opened, and what to do."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from azureml_scoring.errors import reason

EXTERNAL = b"location"
"""Stands in a file that keeps some of its numbers in others."""

OWN_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Domains of operators that ONNX Runtime brings."""

IN_ONE_FILE = (
    "save it as one file: `import onnx; onnx.save_model(onnx.load({name!r}), 'one.onnx', "
    "save_as_external_data=False)`"
)


def external_data(graph: bytes, name: str) -> str | None:
    """Return why a graph that lies in several files is refused; None if it lies in one.

    Only the one file's bytes are verified, and the others' names may lead anywhere.
    """
    if EXTERNAL not in graph or (model := _parsed(graph)) is None:
        return None
    of_functions = (_constants(function.node) for function in model.functions)
    for tensor in itertools.chain(_tensors(model.graph), *of_functions):
        if len(tensor.external_data):
            return (
                f"{name} keeps some of its numbers in other files, such as those of {tensor.name}, "
                f"and is served as one file alone; {IN_ONE_FILE.format(name=name)}."
            )
    return None


def sentence(graph: bytes, error: BaseException, name: str) -> str:
    """Return why ONNX Runtime raised ``error`` when it opened the graph."""
    model = _parsed(graph)
    if model is None or not model.graph.node:
        return f"{name} is damaged or incomplete, or no ONNX graph; export it and upload it again."
    foreign = sorted(
        {
            f"{node.op_type} of {node.domain}"
            for node in model.graph.node
            if node.domain not in OWN_DOMAINS
        }
        - {f"{function.name} of {function.domain}" for function in model.functions}
    )
    if foreign:
        return (
            f"{name} has operators that ONNX Runtime does not bring ({', '.join(foreign[:5])}); "
            f"export it again with ONNX's own, or package the estimator that it was made of."
        )
    import onnxruntime

    message = str(error)
    runtime = f"ONNX Runtime {onnxruntime.__version__}, which runs here,"
    remedy = "export it again for that version, or install a newer onnxruntime"
    if newest := re.search(r"max supported IR version: (\d+)", message):
        return (
            f"{name} is in version {model.ir_version} of ONNX's file format, and {runtime} reads "
            f"{newest[1]} at most; {remedy}."
        )
    if newest := re.search(r"support for domain (\S+) is till opset (\d+)", message):
        used = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
        return (
            f"{name} uses opset {used.get(newest[1], '?')} of {newest[1]}, and {runtime} has "
            f"{newest[2]} at most; {remedy} (target_opset={newest[2]})."
        )
    return (
        f"{name} can't be run by ONNX Runtime {onnxruntime.__version__} ({reason(error)}); export "
        f"it again, or package the estimator that it was made of."
    )


def _parsed(graph: bytes) -> Any:
    """Return the model; None if the bytes are none."""
    import onnx

    try:
        return onnx.load_model_from_string(graph)
    except Exception:  # protobuf's own
        return None


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield all constants of a graph and of those inside it."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _constants(graph.node)


def _constants(nodes: Iterable[Any]) -> Iterator[Any]:
    """Yield the constants of operators and of the graphs inside them."""
    for node in nodes:
        for attribute in node.attribute:
            sparse = (attribute.sparse_tensor, *attribute.sparse_tensors)
            yield from (attribute.t, *attribute.tensors)
            yield from (part for each in sparse for part in (each.values, each.indices))
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)
