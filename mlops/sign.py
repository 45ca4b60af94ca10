"""Signs an artifact folder in the format of OpenSSF model signing, version 1.

OpenSSF's tool ``model_signing`` verifies these signatures, and the service verifies that tool's.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey

from azureml_scoring.errors import StartupError
from azureml_scoring.models.files import signature
from azureml_scoring.models.files.manifest import Manifest
from azureml_scoring.models.files.trusted_signer import HASH_OF_CURVE, is_signing_key
from mlops import output

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NOT_SIGNED = ["model.sig", ".git", ".gitattributes", ".github", ".gitignore"]
"""What OpenSSF's tool always passes over; the service does so with the signature alone."""


def sign(
    folder: Path, key: EllipticCurvePrivateKey, chain: Sequence[x509.Certificate] = ()
) -> dict[str, str]:
    """Write ``model.sig`` into an artifact folder, and return name -> sha256 of what it signs.

    ``chain``: the certificate of the key, then those that lead to its root. Raises StartupError if
    the folder is not as it was packaged, or its model.sig is a link or no signature.
    """
    sums = signature.checksums(folder)
    Manifest.read(folder, sums)
    payload = orjson.dumps(_statement(folder.resolve().name, sums))
    sig = key.sign(signature.signed_bytes(payload), ECDSA(HASH_OF_CURVE[key.curve.name]))
    envelope = {
        "payload": _text(payload),
        "payloadType": signature.PAYLOAD_TYPE,
        "signatures": [{"sig": _text(sig), "keyid": ""}],
    }
    bundle = {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": _verification_material(key, chain) | {"tlogEntries": []},
        "dsseEnvelope": envelope,
    }
    output.write(folder / signature.FILE_NAME, orjson.dumps(bundle), _is_signature)
    return sums


def _is_signature(head: bytes) -> bool:
    return b"application/vnd.dev.sigstore.bundle" in head


def private_key(file: Path, password: str | None = None) -> EllipticCurvePrivateKey:
    """Read the private key in a PEM file. Raises StartupError."""
    try:
        key = serialization.load_pem_private_key(
            file.read_bytes(), password.encode() if password else None
        )
    except TypeError:
        raise StartupError(
            f"{file} is encrypted and there is no password, or the reverse; name the variable that "
            f"holds it by --password-env."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise StartupError(
            f"{file} holds no private key in PEM that this password opens; make one by `openssl "
            f"ecparam -name prime256v1 -genkey -noout -out key.pem`."
        ) from None
    if not isinstance(key, EllipticCurvePrivateKey) or not is_signing_key(key.public_key()):
        raise StartupError(
            f"{file} holds a key of another kind; models are signed with elliptic curves: P-256, "
            f"P-384 or P-521."
        )
    return key


def certificates(file: Path, key: EllipticCurvePrivateKey) -> list[x509.Certificate]:
    """Read a chain of certificates in a PEM file, whose first is the key's. Raises StartupError."""
    try:
        chain = x509.load_pem_x509_certificates(file.read_bytes())
    except ValueError:
        raise StartupError(
            f"{file} holds no certificates in PEM; name the signer's own, with its issuers' below."
        ) from None
    if chain[0].public_key() != key.public_key():
        raise StartupError(
            f"The first certificate in {file} is not of this private key; put the signer's own "
            f"first."
        )
    return chain


def _statement(name: str, sums: Mapping[str, str]) -> dict[str, Any]:
    root = hashlib.sha256(b"".join(map(bytes.fromhex, sums.values()))).hexdigest()
    return {
        "_type": signature.STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": root}}],
        "predicateType": signature.PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": NOT_SIGNED,
            },
            "resources": [
                {"name": file, "algorithm": "sha256", "digest": digest}
                for file, digest in sums.items()
            ],
        },
    }


def _verification_material(
    key: EllipticCurvePrivateKey, chain: Sequence[x509.Certificate]
) -> dict[str, Any]:
    if chain:
        encoded = [each.public_bytes(serialization.Encoding.DER) for each in chain]
        return {
            "x509CertificateChain": {
                "certificates": [{"rawBytes": _text(certificate)} for certificate in encoded]
            }
        }
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {"publicKey": {"hint": hashlib.sha256(pem).hexdigest()}}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
