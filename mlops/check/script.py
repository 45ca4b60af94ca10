"""Rules for the scoring script of a deployment, and for the environment that runs it."""

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
SCRIPT_ADVICE = "name the folder as code and the file as scoring_script"


def scoring_script(document: Document) -> Iterator[Problem]:
    """Require a script, except for an image with its own server and for a model of MLflow."""
    key = ("code_configuration",)
    if document.value(*key) is None:
        if not serves_itself(document) and not is_mlflow(document):
            yield document.problem(key, "is missing", SCRIPT_ADVICE)
        elif asset(document, "environment") is None and is_custom(document):
            environment = document.value("environment")
            yield document.problem(
                key,
                f"is missing, and nothing here says that {environment} is "
                "an image with its own server",
                f"{SCRIPT_ADVICE}, or put the environment's file, with inference_config, beside "
                "this one",
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
            (*key, "code"), f"is {code}, which is not a folder", "write its path from this file"
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
        yield document.problem(key, f"is not valid Python ({error})", "correct it")
        return
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in tree.body if isinstance(node, functions)}
    names |= {
        name.asname or name.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    for missing in [name for name in ("init", "run") if name not in names]:
        yield document.problem(
            key, f"has no function {missing}()", f"define {missing}() in {script.name}"
        )


def inference_server(document: Document) -> Iterator[Problem]:
    """Require the server that Azure ML starts with the script, in the conda file's environment."""
    if serves_itself(document) or document.value("code_configuration") is None:
        return
    if (place := described(document, "environment")) is None:
        return
    source, at = place
    packages = conda.packages(source, (*at, "conda_file"))
    if packages is not None and packages.isdisjoint(conda.SERVERS):
        yield document.problem(
            ("environment",),
            f"has a conda file without {conda.SERVERS[0]}, which runs the script",
            f"add it below pip in the conda file of {source.path.name}",
        )


RULES = (scoring_script, inference_server)
