"""Verifies the signature of a model's folder, in the format of OpenSSF model signing, version 1.

``model.sig`` is a Sigstore bundle: a DSSE envelope around an in-toto statement that has the sha256
of each file. Nothing else in the folder is read before it is verified (docs/adr/0026).
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

from azureml_scoring.errors import StartupError
from azureml_scoring.models.files import trusted_signer
from azureml_scoring.models.files.trusted_signer import HASH_OF_CURVE, Signers

FILE_NAME = "model.sig"
MAX_BYTES = 10_000_000
"""Of the signature's file; a thousand files take 200 kB."""

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
RESIGN = "sign it with `mlops sign ARTIFACT --key KEY`"


def verify(folder: Path, signers: Signers) -> dict[str, str]:
    """Return name -> sha256 of the files in a folder: all of them are there as they were signed,
    and nothing else is.

    Raises StartupError.
    """
    signed = _signed(folder, signers)
    for name, file in _files(folder):
        if name not in signed:
            raise StartupError(
                f"{name!r} is not in the signature of {folder}, so nothing is loaded; remove it, "
                f"or if it belongs to the model, sign the folder again."
            )
        if sha256_of(file) != signed[name]:
            raise StartupError(
                f"{name!r} is not the file that was signed; upload the signed folder again."
            )
    if missing := sorted(name for name in signed if not (folder / name).is_file()):
        raise StartupError(
            f"{missing[0]!r}, which was signed, is not in {folder}; upload the signed folder again."
        )
    return signed


def checksums(folder: Path) -> dict[str, str]:
    """Return name -> sha256 of the files to sign, sorted by name. Raises StartupError."""
    return dict(sorted((name, sha256_of(file)) for name, file in _files(folder)))


def signed_bytes(payload: bytes) -> bytes:
    """Return what is signed for a payload: DSSE's pre-authentication encoding."""
    return f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} ".encode() + payload


def sha256_of(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise StartupError(
            f"{file} can't be read ({error.strerror}); upload it again, or correct its rights."
        ) from None


def _signed(folder: Path, signers: Signers) -> dict[str, str]:
    """Return what the signature says of the files, once it is verified. Raises StartupError."""
    file = folder / FILE_NAME
    if file.is_symlink() or not file.is_file():
        raise StartupError(
            f"{folder} is not signed: it holds no {FILE_NAME}, which SCORING_MODEL_KEY demands; "
            f"{RESIGN}."
        )
    if file.stat().st_size > MAX_BYTES:
        raise StartupError(f"{file} is too large for a signature; {RESIGN}.")
    try:
        bundle = orjson.loads(file.read_bytes())
        envelope = bundle["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        (signature,) = envelope["signatures"]
        sig = base64.b64decode(signature["sig"], validate=True)
        chain = [
            x509.load_der_x509_certificate(base64.b64decode(each["rawBytes"]))
            for each in bundle["verificationMaterial"]
            .get("x509CertificateChain", {})
            .get("certificates", [])
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise StartupError(
            f"{file} is damaged, or no signature of OpenSSF's format; {RESIGN}."
        ) from None
    try:
        key: object = signers
        if isinstance(signers, tuple):
            key = trusted_signer.key_of(chain, signers)
        if not trusted_signer.is_signing_key(key):
            raise ValueError
        key.verify(sig, signed_bytes(payload), ECDSA(HASH_OF_CURVE[key.curve.name]))
    except (InvalidSignature, ValueError):
        raise StartupError(
            f"{file} was not made with the trusted key or certificate, or was changed since; "
            f"upload the signed folder again, or correct the key (in a service, SCORING_MODEL_KEY)."
        ) from None
    return _files_of(payload, envelope.get("payloadType"), file)


def _files_of(payload: bytes, kind: object, file: Path) -> dict[str, str]:
    """Return name -> sha256 of a verified payload. Raises StartupError if it is of another form.

    Paths that it says to ignore are not: the loader does not know them.
    """
    try:
        statement: Mapping[str, Any] = orjson.loads(payload)
        predicate = statement["predicate"]
        serialization = predicate["serialization"]
        form = (kind, statement["_type"], statement["predicateType"], serialization["method"])
        if form != (PAYLOAD_TYPE, STATEMENT_TYPE, PREDICATE_TYPE, "files"):
            raise ValueError
        files = dict[str, str]()
        for resource in predicate["resources"]:
            if resource["algorithm"] != "sha256" or resource["name"] in files:
                raise ValueError
            files[str(resource["name"])] = str(resource["digest"])
        return files
    except (ValueError, KeyError, TypeError):
        raise StartupError(
            f"{file} signs something else than one sha256 for each file; {RESIGN}."
        ) from None


def _files(folder: Path, below: str = "") -> Iterator[tuple[str, Path]]:
    """Yield name and path of each file but the signature.

    Without __pycache__: processes that the model starts write one, and it is never read here.
    Raises StartupError for links and whatever else is no file.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise StartupError(
            f"{folder} can't be read ({error.strerror}); correct its rights."
        ) from None
    for entry in entries:
        name, path = below + entry.name, Path(entry.path)
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            raise StartupError(
                f"{name!r} is a link or no file, which is not loaded from a signed folder; put the "
                f"file itself there, and sign the folder again."
            )
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(path, f"{name}/")
        elif name != FILE_NAME:
            yield name, path
