"""Keys, certificates and signed folders."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mlops.sign import sign

KEY = ec.generate_private_key(ec.SECP256R1())


def public_pem(key: ec.EllipticCurvePrivateKey = KEY) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def private_pem(key: ec.EllipticCurvePrivateKey = KEY, password: bytes | None = None) -> bytes:
    locked = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)


def pem(*certificates: x509.Certificate) -> str:
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in certificates)


def certificate(
    key: ec.EllipticCurvePrivateKey,
    name: str,
    issuer: tuple[str, ec.EllipticCurvePrivateKey] | None = None,
    *,
    authority: bool = False,
    usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CODE_SIGNING,
    days: int = 30,
    age: int = 0,
) -> x509.Certificate:
    """A certificate of ``key`` that starts ``age`` days ago; without ``issuer``, its own."""
    by, signing_key = issuer or (name, key)
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age)
    signs = {"digital_signature": not authority, "key_cert_sign": authority}
    other = (
        "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign",
        "encipher_only", "decipher_only",
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.KeyUsage(**signs, **dict.fromkeys(other, False)), critical=True)
    )
    if usage and not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(signing_key, hashes.SHA256())


def signed(artifact: Path, copy: Path, key: ec.EllipticCurvePrivateKey = KEY) -> Path:
    """A copy of an artifact folder, signed."""
    shutil.copytree(artifact, copy)
    sign(copy, key)
    return copy
