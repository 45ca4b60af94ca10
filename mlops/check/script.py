"""Rules for the script of a deployment, and for what is to run it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from mlops.check import conda
from mlops.check.document import Document, Problem
from mlops.check.references import asset, described, is_custom, is_mlflow, is_remote, serves_itself

PARTS = {
    "code": "write the folder's path from this file",
    "scoring_script": "write the name of the file in that folder",
}
SCRIPT = "name the folder as code and the file as scoring_script"


def scoring_script(document: Document) -> Iterator[Problem]:
    """An image with a server of its own, and a model of MLflow, need none."""
    key = ("code_configuration",)
    if document.value(*key) is None:
        if not serves_itself(document) and not is_mlflow(document):
            yield document.problem(key, "is missing", SCRIPT)
        elif asset(document, "environment") is None and is_custom(document):
            environment = document.value("environment")
            yield document.problem(
                key,
                f"is missing, and nothing here says that {environment} is "
                "an image with a server of its own",
                f"{SCRIPT}, or put the environment's file, with inference_config, beside this one",
            )
        return
    for part, instead in PARTS.items():
        if document.value(*key, part) is None:
            yield document.problem((*key, part), "is missing", instead)
    code, script = document.typed(str, *key, "code"), document.typed(str, *key, "scoring_script")
    if code is None or is_remote(code):
        return
    folder = document.beside(code)
    if not folder.is_dir():
        yield document.problem(
            (*key, "code"), f"is {code}, which is no folder", "write its path from this file"
        )
    elif script is not None:
        yield from _functions(document, folder / script)


def _functions(document: Document, script: Path) -> Iterator[Problem]:
    key = ("code_configuration", "scoring_script")
    try:
        tree = ast.parse(script.read_text(encoding="utf-8"))
    except OSError:
        yield document.problem(
            key, f"is {script.name}, which is not in that folder", "write the name of a file there"
        )
        return
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        yield document.problem(key, f"is no Python that can be parsed ({error})", "correct it")
        return
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = {node.name for node in tree.body if isinstance(node, functions)}
    found |= {
        name.asname or name.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    for missing in [name for name in ("init", "run") if name not in found]:
        yield document.problem(
            key, f"has no function {missing}()", f"define {missing}() in {script.name}"
        )


def inference_server(document: Document) -> Iterator[Problem]:
    """Azure ML starts it, with the script, in the environment of the conda file."""
    if serves_itself(document) or document.value("code_configuration") is None:
        return
    if (found := described(document, "environment")) is None:
        return
    place, at = found
    packages = conda.packages(place, (*at, "conda_file"))
    if packages is not None and packages.isdisjoint(conda.SERVERS):
        yield document.problem(
            ("environment",),
            f"has a conda file without {conda.SERVERS[0]}, which runs the script",
            f"add it below pip in the conda file of {place.path.name}",
        )


RULES = (scoring_script, inference_server)
