"""A folder whose signature does not hold is not loaded, and one sentence says why."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

import support
from azureml_scoring.errors import StartupError
from azureml_scoring.models.files import signature, trusted_signer
from azureml_scoring.models.loading import load
from azureml_scoring.settings import Settings
from mlops.sign import sign
from places import DATA
from signed_models import KEY, certificate, pem, public_pem, signed

THEIRS = DATA / "model-signing"


def served(folder: Path, key: str) -> str:
    """Load a folder as a service does; return the model's name."""
    return load(Settings(scoring_model_path=folder, scoring_model_key=key)).name


@pytest.fixture(scope="module")
def folder(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return signed(demo_model, tmp_path_factory.mktemp("signed") / "artifact")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "artifact"))


def test_a_signed_model_is_served(folder: Path, tmp_path: Path):
    """The key is PEM text or the path of its file."""
    file = tmp_path / "public.pem"
    file.write_text(public_pem())
    assert served(folder, public_pem()) == served(folder, str(file)) == "diabetes-classifier"


def test_openssf_signatures_are_verified():
    """Those of the tool model_signing, by a key and by certificates."""
    for name, signer in (("by-key", "public.pem"), ("by-certificate", "root.pem")):
        signers = trusted_signer.read(str(THEIRS / signer))
        assert {*signature.verify(THEIRS / name, signers)} == {"code/steps.py", "model.bin"}


def test_another_key_is_refused(folder: Path):
    """Nobody else's signature counts, whatever hint of a key stands in it."""
    other = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(StartupError, match="not made with the trusted key"):
        served(folder, public_pem(other))


def test_nothing_is_read_before_it_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A pickle whose checksum a forged manifest has does not run."""
    note = tmp_path / "note"
    monkeypatch.setenv("NOTE", str(note))
    estimator, frame = support.plain_regression()
    artifact = signed(support.packaged(estimator, frame, tmp_path / "p"), tmp_path / "signed")
    bad = support.scripted(tmp_path / "m", "Noted") / "model.joblib"
    shutil.copyfile(bad, artifact / "model.joblib")
    path = artifact / "manifest.json"
    document = json.loads(path.read_text())
    document["files"]["model.joblib"] = signature.sha256_of(bad)
    path.write_text(json.dumps(document))
    with pytest.raises(StartupError, match=r"'manifest\.json' is not the file that was signed"):
        served(artifact, public_pem())
    assert not note.exists()


def test_a_model_without_a_signature_is_refused(demo_model: Path, tmp_path: Path):
    """The key is a demand: a packaged model and a bare pickle are refused alike."""
    file = support.dump(support.demo_estimator(), tmp_path)
    for place in (demo_model, file):
        with pytest.raises(StartupError, match="is not signed"):
            served(place, public_pem())


def test_a_signed_folder_without_a_manifest_is_refused():
    """The manifest carries the checksums to the bytes that are loaded."""
    with pytest.raises(StartupError, match=r"`mlops package`"):
        served(THEIRS / "by-key", str(THEIRS / "public.pem"))


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "added": (lambda f: (f / "more.py").write_text(""), "'more.py' is not in the signature"),
    "added below": (
        lambda f: ((f / "d").mkdir(), (f / "d" / "x").write_text("")),
        "'d/x' is not in the signature",
    ),
    "removed": (lambda f: (f / "manifest.json").unlink(), "'manifest.json', which was signed"),
    "renamed": (
        lambda f: (f / "model.joblib").rename(f / "other.joblib"),
        "'other.joblib' is not in the signature",
    ),
    "changed": (lambda f: (f / "model.joblib").write_bytes(b"x"), "is not the file that was"),
    "linked": (
        lambda f: (
            (f / "model.joblib").rename(f.parent / "elsewhere"),
            (f / "model.joblib").symlink_to(f.parent / "elsewhere"),
        ),
        "'model.joblib' is a link or no file",
    ),
    "a linked folder": (lambda f: (f / "d").symlink_to(f.parent), "'d' is a link or no file"),
    "a pipe": (lambda f: os.mkfifo(f / "pipe"), "'pipe' is a link or no file"),
    "a name of odd bytes": (
        lambda f: Path(os.fsdecode(os.fsencode(f) + b"/\xff\n")).write_text(""),
        r"'\\udcff\\n' is not in",
    ),
    "a linked signature": (
        lambda f: (
            (f / "model.sig").rename(f.parent / "sig"),
            (f / "model.sig").symlink_to(f.parent / "sig"),
        ),
        "is not signed",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_named(copy: Path, change: str):
    """The start fails with a sentence that names the file."""
    apply, sentence = CHANGES[change]
    apply(copy)
    with pytest.raises(StartupError, match=sentence):
        served(copy, public_pem())


@given(st.data())
def test_any_changed_byte_is_refused(folder: Path, data: st.DataObject):
    """In any file of a signed folder, the signature's own among them."""
    signers = trusted_signer.read(public_pem())
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(shutil.copytree(folder, Path(scratch) / "artifact"))
        file = data.draw(st.sampled_from(sorted(copy.iterdir())))
        content = bytearray(file.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        file.write_bytes(content)
        try:
            files = signature.verify(copy, signers)
        except StartupError:
            return
        # What surrounds the envelope is not signed: an unknown key there says nothing.
        assert file.name == "model.sig"
        assert _envelope(file) == _envelope(folder / "model.sig")
        assert files == signature.verify(folder, signers)


def _envelope(file: Path) -> tuple[object, object]:
    envelope = orjson.loads(file.read_bytes())["dsseEnvelope"]
    return envelope["payload"], envelope["signatures"][0]["sig"]


@given(st.data())
def test_any_other_set_of_files_is_refused(data: st.DataObject):
    """A file that is added, removed, renamed or linked, with any name and at any depth."""
    signers = trusted_signer.read(str(THEIRS / "public.pem"))
    name = data.draw(
        st.text(
            st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20
        ).filter(lambda text: text not in (".", "..", "__pycache__", "model.sig"))
    )
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(shutil.copytree(THEIRS / "by-key", Path(scratch) / "m"))
        file = copy / data.draw(st.sampled_from(["model.bin", "code/steps.py"]))
        new = data.draw(st.sampled_from([copy, copy / "code", copy / "n" / "d"])) / name
        new.parent.mkdir(parents=True, exist_ok=True)
        if new.exists():
            return
        match data.draw(st.sampled_from(["added", "removed", "renamed", "linked", "hidden"])):
            case "added":
                shutil.copyfile(file, new)
            case "removed":
                file.unlink()
            case "renamed":
                file.rename(new)
            case "linked":
                new.symlink_to(file)
            case "hidden":
                file.rename(Path(scratch) / "away")
                file.symlink_to(Path(scratch) / "away")
        with pytest.raises(StartupError):
            signature.verify(copy, signers)


def test_the_whole_of_pycache_is_passed_over(copy: Path):
    """Processes that the model starts write one beside its code, and it is never read."""
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert served(copy, public_pem()) == "diabetes-classifier"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"5",
        b"{}",
        b'{"dsseEnvelope": {"payload": "!", "signatures": [{"sig": ""}]}}',
        b'{"dsseEnvelope": {"payload": "", "signatures": []}, "verificationMaterial": {}}',
        b'{"dsseEnvelope": {"payload": "", "signatures": [{"sig": ""}]},'
        b' "verificationMaterial": {"x509CertificateChain": 5}}',
        b"[" * 100_000,
    ],
)
def test_a_signature_that_is_none_is_one_sentence(copy: Path, content: bytes):
    """Whatever lies in its place."""
    (copy / "model.sig").write_bytes(content)
    with pytest.raises(StartupError, match="is damaged, or no signature"):
        served(copy, public_pem())


@pytest.mark.parametrize(
    "changes",
    [
        {"_type": "x"},
        {"predicateType": "https://model_signing/Digests/v0.1"},
        {"predicate": {"serialization": {"method": "shards"}, "resources": []}},
        {"predicate": {"serialization": {"method": "files"}, "resources": [{"name": "a"}]}},
        {
            "predicate": {
                "serialization": {"method": "files"},
                "resources": [{"name": "a", "algorithm": "sha256", "digest": d} for d in "ab"],
            }
        },
    ],
    ids=["no statement", "an old predicate", "shards", "no digest", "a name twice"],
)
def test_another_statement_is_refused(
    copy: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
):
    """A signature over something else than the folder's files does not count as one over them."""
    real = orjson.dumps
    monkeypatch.setattr(
        orjson, "dumps", lambda value: real(value | changes if "_type" in value else value)
    )
    sign(copy, KEY)
    with pytest.raises(StartupError, match="something else than one sha256 for each file"):
        served(copy, public_pem())


def test_a_certificate_vouches_for_the_signer(copy: Path):
    """The signer's own or that of its root, and longer than the certificate lasts."""
    root_key, between_key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    root = certificate(root_key, "root", authority=True, days=9000, age=900)
    between = certificate(
        between_key, "between", ("root", root_key), authority=True, days=9000, age=900
    )
    signer = certificate(KEY, "signer", ("between", between_key), age=800)
    sign(copy, KEY, [signer, between])
    for trusted in (pem(root), pem(between), pem(signer)):
        assert served(copy, trusted) == "diabetes-classifier"


def test_a_certificate_that_does_not_vouch_is_refused(copy: Path):
    """One of another root, of a server, of an issuer that is no authority, or none at all."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = certificate(root_key, "root", authority=True)
    other = certificate(ec.generate_private_key(ec.SECP256R1()), "root", authority=True)
    good = certificate(KEY, "signer", ("root", root_key))
    tls = certificate(KEY, "server", ("root", root_key), usage=ExtendedKeyUsageOID.SERVER_AUTH)
    leaf_key = ec.generate_private_key(ec.SECP256R1())
    leaf = certificate(leaf_key, "leaf", ("root", root_key))
    below = certificate(KEY, "below", ("leaf", leaf_key))
    cases = [([good], other), ([tls], root), ([below, leaf], root), ([], root)]
    for chain, trusted in cases:
        sign(copy, KEY, chain)
        with pytest.raises(StartupError, match="not made with the trusted"):
            served(copy, pem(trusted))


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("nowhere.pem", "nor a file that can be read"),
        ("x" * 5000, "nor a file that can be read"),
        ("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", "neither a public key nor"),
        ("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", "neither a public key nor"),
        (public_pem(ec.generate_private_key(ec.SECP256K1())), "is of another kind"),
    ],
    ids=["no file", "a long name", "no key", "no certificate", "another curve"],
)
def test_a_wrong_key_in_the_setting_is_one_sentence(folder: Path, key: str, sentence: str):
    """It says what to name."""
    with pytest.raises(StartupError, match=sentence):
        served(folder, key)
