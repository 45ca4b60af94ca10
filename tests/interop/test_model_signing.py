"""OpenSSF's own tool and ours, on each other's signatures."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from azureml_scoring.models.files import signature, trusted_signer
from interop.conftest import python
from mlops.sign import sign
from signed_models import KEY, certificate, pem, private_pem, public_pem

pytestmark = pytest.mark.any_worker


def tool(*words: object) -> str:
    """Run ``model_signing``, and return what it prints."""
    command = [python("model-signing").with_name("model_signing"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture
def artifact(demo_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_model, tmp_path / "artifact"))


@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1, ec.SECP521R1])
def test_each_verifies_the_others_key(
    artifact: Path, tmp_path: Path, curve: type[ec.EllipticCurve]
):
    """On each of the three curves; a changed file is refused by both."""
    key = ec.generate_private_key(curve())
    private, public, sig = tmp_path / "key.pem", tmp_path / "public.pem", artifact / "model.sig"
    private.write_bytes(private_pem(key))
    public.write_text(public_pem(key))
    verify = ("verify", "key", artifact, "--signature", sig, "--public_key", public)
    sign(artifact, key)
    assert "Verification succeeded" in tool(*verify)
    tool("sign", "key", artifact, "--private_key", private, "--signature", sig)
    signature.verify(artifact, trusted_signer.read(str(public)))
    sign(artifact, key)
    (artifact / "more.py").write_text("")
    assert "Verification failed" in tool(*verify)


def test_it_verifies_our_certificates(artifact: Path, tmp_path: Path):
    """With the root alone."""
    root_key, between_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = certificate(root_key, "root", authority=True)
    between = certificate(between_key, "between", ("root", root_key), authority=True)
    sign(artifact, KEY, [certificate(KEY, "signer", ("between", between_key)), between])
    (tmp_path / "root.pem").write_text(pem(root))
    answer = tool(
        *("verify", "certificate", artifact, "--signature", artifact / "model.sig"),
        *("--certificate_chain", tmp_path / "root.pem"),
    )
    assert "Verification succeeded" in answer
