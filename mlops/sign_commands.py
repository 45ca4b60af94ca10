"""``mlops sign`` and ``mlops verify``: who made an artifact, and that it is unchanged."""

from __future__ import annotations

import os
from pathlib import Path

import click

from azureml_scoring.errors import StartupError
from mlops.exit_status import ExitStatus
from mlops.failure import CommandError

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("artifact", type=FOLDER)
@click.option("--key", type=FILE, required=True, help="Sign with the private key in this PEM file.")
@click.option(
    "--certificates",
    type=FILE,
    help="Put these into the signature: the key's certificate, then its issuers', in one PEM file.",
)
@click.option(
    "--password-env",
    metavar="VAR",
    help="Read the private key's password from this environment variable.",
)
def sign(artifact: Path, key: Path, certificates: Path | None, password_env: str | None) -> None:
    """Sign the folder ARTIFACT: write model.sig into it.

    The form of model.sig is that of OpenSSF's tool model_signing. A service whose SCORING_MODEL_KEY
    is the public key, or a certificate that vouches for it, loads nothing but what was signed.

    Example: mlops sign artifact --key key.pem
    """
    from mlops import sign as signing

    if password_env and password_env not in os.environ:
        raise StartupError(f"{password_env} is not set; put the key's password there.")
    private = signing.private_key(key, os.environ[password_env] if password_env else None)
    chain = signing.certificates(certificates, private) if certificates else []
    sums = signing.sign(artifact, private, chain)
    click.echo(f"Signed {artifact}, {len(sums)} files.")


@click.command()
@click.argument("artifact", type=FOLDER)
@click.option(
    "--key",
    required=True,
    metavar="PEM|FILE",
    help="Trust this public key, or these certificates.",
)
def verify(artifact: Path, key: str) -> None:
    """Verify the signature of the folder ARTIFACT.

    It is verified as the service does with SCORING_MODEL_KEY. Each file must be as it was signed;
    none may be missing, and none may have been added.

    Example: mlops verify artifact --key public.pem
    """
    from azureml_scoring.models.files import signature, trusted_signer

    trusted = trusted_signer.read(key)
    try:
        signed = signature.verify(artifact, trusted)
    except StartupError as error:
        raise CommandError(str(error), ExitStatus.NO) from None
    click.echo(f"{artifact} is as it was signed, {len(signed)} files.")
