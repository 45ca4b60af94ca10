"""Reads who may sign a model: a public key or certificates, which come from whom deploys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeGuard

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from azureml_scoring.errors import StartupError

HASH_OF_CURVE: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
"""The curves of OpenSSF's format, each with the hash that is signed."""

Signers = EllipticCurvePublicKey | tuple[x509.Certificate, ...]
"""A key; or certificates, of which one must be the signer's own, or have issued it."""


def read(setting: str) -> Signers:
    """Read PEM, or the file that holds it. Raises StartupError."""
    pem = setting.encode() if "-----BEGIN" in setting else _content(Path(setting))
    try:
        if b"BEGIN CERTIFICATE" in pem:
            return tuple(x509.load_pem_x509_certificates(pem))
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise StartupError(
            "The key that signatures are verified with (in a service, SCORING_MODEL_KEY) is "
            "neither a public key nor a certificate in PEM; make it of the private key by `openssl "
            "ec -in key.pem -pubout -out public.pem`."
        ) from None
    if not is_signing_key(key):
        raise StartupError(
            "The key that signatures are verified with (in a service, SCORING_MODEL_KEY) is of "
            "another kind; name one on the elliptic curve P-256, P-384 or P-521."
        )
    return key


def is_signing_key(key: object) -> TypeGuard[EllipticCurvePublicKey]:
    """Tell whether a public key is one that OpenSSF's format knows."""
    return isinstance(key, EllipticCurvePublicKey) and key.curve.name in HASH_OF_CURVE


def key_of(chain: Sequence[x509.Certificate], trusted: Sequence[x509.Certificate]) -> object:
    """Return the public key of a chain's first certificate, if the trusted ones vouch for it.

    Time is that of the certificate's start, as for OpenSSF's tool: without a trusted time stamp
    nobody knows when a model was signed, and a model that is served must start again next year.
    Raises ValueError.
    """
    if not chain:
        raise ValueError
    signer = chain[0]
    if signer not in trusted:
        try:
            (
                verification.PolicyBuilder()
                .store(verification.Store([*trusted]))
                .time(signer.not_valid_before_utc)
                .extension_policies(ca_policy=_issuer_policy(), ee_policy=_signer_policy())
                .build_client_verifier()
                .verify(signer, list(chain[1:]))
            )
        except Exception as error:  # of a made-up certificate also those of its parser
            raise ValueError from error
    return signer.public_key()


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no file name"
        raise StartupError(
            f"The key that signatures are verified with (in a service, SCORING_MODEL_KEY) is "
            f"neither PEM nor a file that can be read ({why}); name a public key or certificate, "
            f"or its path."
        ) from None


def _issuer_policy() -> verification.ExtensionPolicy:
    def is_authority(_: object, __: object, constraints: x509.BasicConstraints) -> None:
        if not constraints.ca:
            raise ValueError

    def may_issue(_: object, __: object, usage: x509.KeyUsage | None) -> None:
        if usage and not usage.key_cert_sign:
            raise ValueError

    return (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, is_authority)
        .may_be_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, may_issue)
    )


def _signer_policy() -> verification.ExtensionPolicy:
    """Certificates for something else, such as a server's, sign no models."""

    def signs(_: object, __: object, usage: x509.KeyUsage) -> None:
        if not usage.digital_signature:
            raise ValueError

    def signs_code(_: object, __: object, usage: x509.ExtendedKeyUsage | None) -> None:
        if usage and ExtendedKeyUsageOID.CODE_SIGNING not in usage:
            raise ValueError

    return (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, signs)
        .may_be_present(x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, signs_code)
    )
