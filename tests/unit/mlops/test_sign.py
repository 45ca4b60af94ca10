"""``mlops sign`` and ``mlops verify``."""

import base64
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from azureml_scoring.models.files import signature, trusted_signer
from mlops import artifact_folder
from mlops.exit_status import ExitStatus
from mlops.sign import sign
from package_command import run
from places import DATA, REPOSITORY
from signed_models import KEY, certificate, pem, private_pem, public_pem

THEIRS = DATA / "model-signing" / "by-key"


@pytest.fixture
def copy(demo_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_model, tmp_path / "artifact"))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key.pem"
    file.write_bytes(private_pem())
    return file


@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1, ec.SECP521R1])
def test_what_is_signed_is_verified(copy: Path, tmp_path: Path, curve: type[ec.EllipticCurve]):
    """By the command, with the public key as a file or as text; a changed file is named."""
    key = ec.generate_private_key(curve())
    (tmp_path / "key.pem").write_bytes(private_pem(key))
    (tmp_path / "public.pem").write_text(public_pem(key))
    count = len([*copy.iterdir()])
    result = run("sign", copy, "--key", tmp_path / "key.pem")
    assert result.output == f"Signed {copy}, {count} files.\n"
    for trusted in (tmp_path / "public.pem", public_pem(key)):
        result = run("verify", copy, "--key", trusted)
        assert result.output == f"{copy} is as it was signed, {count} files.\n"
    (copy / "model.joblib").write_bytes(b"x")
    result = run("verify", copy, "--key", tmp_path / "public.pem")
    assert result.exit_code == ExitStatus.NO
    assert "'model.joblib' is not the file that was signed" in result.output


def test_a_link_in_place_of_the_signature_is_not_written_through(copy: Path, key: Path):
    """Nor is a file replaced that is no signature; an older signature is."""
    place, mine = copy / "model.sig", copy.parent / "mine"
    mine.write_text("mine")
    place.symlink_to(mine)
    assert run("sign", copy, "--key", key).exit_code == ExitStatus.UNUSABLE
    place.unlink()
    place.write_text("mine")
    assert run("sign", copy, "--key", key).exit_code == ExitStatus.UNUSABLE
    assert (mine.read_text(), place.read_text()) == ("mine", "mine")
    place.unlink()
    assert [run("sign", copy, "--key", key).exit_code for _ in range(2)] == [0, 0]


def test_an_artifact_that_was_changed_is_not_signed(copy: Path, key: Path):
    """A signature vouches for what was packaged, not for what lies there now."""
    (copy / "model.joblib").write_bytes(b"x")
    result = run("sign", copy, "--key", key)
    assert result.exit_code == ExitStatus.UNUSABLE
    assert "package the model again" in result.output
    assert not (copy / "model.sig").exists()


def test_certificates_go_into_the_signature(copy: Path, key: Path, tmp_path: Path):
    """Then who trusts the root trusts the signature."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = certificate(root_key, "root", authority=True)
    chain = tmp_path / "chain.pem"
    chain.write_text(pem(certificate(KEY, "signer", ("root", root_key))))
    assert run("sign", copy, "--key", key, "--certificates", chain).exit_code == 0
    assert run("verify", copy, "--key", pem(root)).exit_code == 0
    chain.write_text(pem(root))
    result = run("sign", copy, "--key", key, "--certificates", chain)
    assert "is not of this private key" in result.output


def test_a_password_opens_the_key(copy: Path, key: Path, monkeypatch: pytest.MonkeyPatch):
    """It comes from an environment variable; without it, or for a key without one, that is said."""
    assert "is not set" in run("sign", copy, "--key", key, "--password-env", "OPENS").output
    monkeypatch.setenv("OPENS", "sesame")
    needless = run("sign", copy, "--key", key, "--password-env", "OPENS")
    key.write_bytes(private_pem(password=b"sesame"))
    missing = run("sign", copy, "--key", key)
    for result in (needless, missing):
        assert "is encrypted and there is no password, or the reverse" in result.output
    assert run("sign", copy, "--key", key, "--password-env", "OPENS").exit_code == 0
    monkeypatch.setenv("OPENS", "another")
    wrong = run("sign", copy, "--key", key, "--password-env", "OPENS")
    assert "no private key in PEM that this password opens" in wrong.output


def test_a_key_of_another_kind_is_refused(copy: Path, key: Path):
    """OpenSSF's format knows three elliptic curves."""
    plain = serialization.NoEncryption()
    forms = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(rsa.generate_private_key(65537, 2048).private_bytes(*forms, plain))
    assert "a key of another kind" in run("sign", copy, "--key", key).output


def test_a_signed_artifact_is_still_an_artifact(copy: Path):
    """Packaging may replace it."""
    sign(copy, KEY)
    artifact_folder.check_out(copy, force=True)


def test_the_form_is_that_of_openssf(copy: Path, monkeypatch: pytest.MonkeyPatch):
    """Ours and the tool's own signature of one folder differ in the key alone."""
    monkeypatch.setattr("mlops.sign.Manifest.read", lambda *_: None)  # theirs was not packaged
    folder = Path(shutil.copytree(THEIRS, copy / "by-key"))
    sign(folder, KEY)
    ours, theirs = _parts(folder), _parts(THEIRS)
    assert ours == theirs
    assert signature.verify(folder, trusted_signer.read(public_pem()))


def _parts(folder: Path) -> dict[str, Any]:
    bundle = json.loads((folder / "model.sig").read_text())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"].pop("payload")))
    serialization = statement["predicate"]["serialization"]
    serialization["ignore_paths"] = sorted(serialization["ignore_paths"])
    bundle["dsseEnvelope"]["signatures"][0].pop("sig")
    hint = bundle["verificationMaterial"]["publicKey"].pop("hint")
    assert len(hint) == 64
    return {"bundle": bundle, "statement": statement}


def test_the_commands_of_the_page_do_what_it_says(copy: Path, monkeypatch: pytest.MonkeyPatch):
    """Making a key, signing and verifying, as docs/security.md has them."""
    page = (REPOSITORY / "docs" / "security.md").read_text().split("## Signatures")[1]
    made, signed = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)[:2]
    monkeypatch.chdir(copy.parent)
    subprocess.run(made, shell=True, check=True, capture_output=True)
    commands = [shlex.split(line, comments=True) for line in signed.splitlines()]
    assert [words[1] for words in commands] == ["sign", "verify"]
    for words in commands:
        result = run(*words[1:])
        assert result.exit_code == 0, result.output
