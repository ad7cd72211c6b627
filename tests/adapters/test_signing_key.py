"""The terminal's key file: made once, readable by the service only, never overwritten."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from agent.adapters.keys.signing import SigningKeyUnusable, load_or_create


def test_a_new_key_is_written_once_for_the_service_only_and_then_loaded(tmp_path):
    path = tmp_path / "terminal.pem"
    made = load_or_create(path)
    before = path.read_bytes()
    loaded = load_or_create(path)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert (loaded.key_id, loaded.spki) == (made.key_id, made.spki)
    assert [p.name for p in tmp_path.iterdir()] == ["terminal.pem"], "nothing is left beside the key"


def test_signatures_verify_under_the_registered_key(tmp_path):
    key = load_or_create(tmp_path / "terminal.pem")
    registration = key.registration("kiosk-1", "demo")
    assert {k: registration[k] for k in ("terminal", "site", "alg")} == {
        "terminal": "kiosk-1",
        "site": "demo",
        "alg": "EdDSA",
    }
    spki = base64.b64decode(registration["spki"])
    assert registration["kid"] == hashlib.sha256(spki).digest()[:8].hex() == key.key_id.hex()
    load_der_public_key(spki).verify(key.sign(b"message"), b"message")


def test_the_key_id_is_that_of_the_vectors(vectors):
    terminal = vectors("records")["terminal"]
    assert hashlib.sha256(bytes.fromhex(terminal["spki"])).digest()[:8].hex() == terminal["kid"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused_with_the_remedy(tmp_path, mode):
    path = tmp_path / "terminal.pem"
    load_or_create(path)
    path.chmod(mode)
    with pytest.raises(SigningKeyUnusable, match="chmod 600"):
        load_or_create(path)


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_without_a_key_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "terminal.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SigningKeyUnusable, match="no PEM private key"):
        load_or_create(path)
    assert path.read_bytes() == content


def test_a_key_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "terminal.pem"
    other = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    with pytest.raises(SigningKeyUnusable, match="not Ed25519"):
        load_or_create(path)


def test_the_private_key_is_not_in_its_representation(tmp_path):
    assert "Private" not in repr(load_or_create(tmp_path / "terminal.pem"))


def test_a_new_key_is_the_very_file_that_the_library_would_write_and_read(tmp_path):
    made = load_or_create(tmp_path / "terminal.pem")
    pem = (tmp_path / "terminal.pem").read_bytes()
    key = load_pem_private_key(pem, password=None)
    assert key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) == pem
    assert key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == made.spki
    assert key.sign(b"message") == made.sign(b"message")


@pytest.mark.parametrize("form", ["\r\n", "text before", "no newline"])
def test_a_key_that_another_tool_wrote_otherwise_is_the_same_key(tmp_path, form):
    path = tmp_path / "terminal.pem"
    made = load_or_create(path)
    pem = path.read_bytes()
    changed = {"\r\n": pem.replace(b"\n", b"\r\n"), "text before": b"a note\n" + pem, "no newline": pem.rstrip()}
    path.write_bytes(changed[form])
    assert load_or_create(path).key_id == made.key_id
