"""What `mlops check` reports about the files that a deployment refers to, and when it stays
silent."""

from typing import Any

import pytest
import yaml

from deploy.checkout import BLUE, NAMES, Checkout, check

SERVER = "azureml-inference-server-http"


@pytest.mark.parametrize(
    ("dependencies", "missing"),
    [
        (["python=3.12", {"pip": ["scikit-learn==1.7", "numpy"]}], True),
        (["python=3.12", "scikit-learn"], True),
        ([], True),
        (
            [
                "python=3.12",
                {"pip": [f"{SERVER}-extensions", f"my-{SERVER}", "x[azureml-defaults]"]},
            ],
            True,
        ),
        (["python=3.12", {"pip": [f"{SERVER} ~= 1.5.1"]}], False),
        (
            [
                "python=3.12",
                {"pip": ["AzureML_Inference.Server-HTTP[x]>=1.5; python_version > '3'"]},
            ],
            False,
        ),
        (["python=3.12", {"pip": ["azureml-defaults"]}], False),
        (["python=3.12", f"conda-forge::{SERVER}=1.5"], False),
        (["python=3.12", {"pip": ["-r requirements.txt"]}], False),
        (
            [
                "python=3.12",
                {"pip": ["--extra-index-url https://example.org", "./wheels/server.whl"]},
            ],
            False,
        ),
    ],
)
def test_a_conda_file_without_the_server_is_told(
    checkout: Checkout, dependencies: list[object], missing: bool
):
    """It is reported at each deployment whose script it would run, and not if the file can't be
    judged here."""
    (checkout.root / "environment" / "conda.yml").write_text(
        yaml.safe_dump({"dependencies": dependencies})
    )
    told = [
        (problem.path.name, problem.key, problem.instead) for problem in check(checkout.endpoints)
    ]
    instead = "add it below pip in the conda file of environment.yml"
    assert told == [
        (name, ("environment",), instead) for name in (BLUE, "green-deployment.yml") if missing
    ]


@pytest.mark.parametrize("text", ["- 1\n", "a: [\n", "[" * 1000])
def test_a_file_that_can_not_be_read_is_told_where_it_is_named(checkout: Checkout, text: str):
    """A file outside the checked folder is reported too."""
    (checkout.endpoints / "environment.yml").write_text(text)
    keys = [problem.key for problem in check(checkout.endpoints / BLUE)]
    assert ("environment",) in keys


CODE = ("code_configuration",)


@pytest.mark.parametrize(
    ("model", "environment", "told"),
    [
        (
            f"azureml:{NAMES.model}@latest",
            "azureml:azureml-scoring@latest",
            [CODE],
        ),  # its files are beside it
        (f"azureml:{NAMES.model}:3", "azureml:unknown:1", [CODE]),
        (
            {"path": "../artifact"},
            "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
            [CODE],
        ),
        (f"azureml:{NAMES.model}:3", "azureml:azureml-scoring-image:1", []),
        (f"azureml:{NAMES.model}:3", "file:image-environment.yml", []),
        ("azureml:of-mlflow-perhaps:1", "azureml:unknown:1", []),
    ],
)
def test_a_custom_model_needs_a_script_or_an_image_with_a_server(
    checkout: Checkout, model: object, environment: str, told: list[object]
):
    """This holds for registered assets too; files beside the deployment describe them, and what
    they do not say is not reported."""

    def registered(data: dict[str, Any]) -> None:
        del data["code_configuration"], data["environment_variables"]["GUNICORN_CMD_ARGS"]
        data |= {"model": model, "environment": environment}

    keys = {problem.key for problem in check(checkout.rewrite(BLUE, registered))}
    assert keys & {CODE} == set(told)
    assert bool(keys) == bool(told)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "redis://host:6379/0",
            "rediss://host.region.redis.azure.net:10000",
            "redis://host",
            "redis://user@host:6379",
        ),
        *(
            "https://example.org:8443/a@b",
            "https://example.org/x:y@z",
            "http://collector:4318/v1/traces",
            "a:b@c",
        ),
        *("unix:///tmp/redis.sock", "https://example.org/?at=12:30@noon"),
    ],
)
def test_an_address_without_a_password_is_no_secret(checkout: Checkout, value: str):
    """An address may have any path."""
    assert check(checkout.change(BLUE, "environment_variables", "PLAIN", value=value)) == []
