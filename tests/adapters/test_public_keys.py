"""Public keys read the short way are those that the library's own parser reads; and what that way saves."""

import subprocess
import sys

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from agent.adapters.keys.public_keys import read_public_key

KINDS = {
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "X25519": x25519.X25519PrivateKey.generate,
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA": lambda: rsa.generate_private_key(65_537, 2_048),
}


def der(key):
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_the_key_that_the_library_reads(kind):
    key = KINDS[kind]().public_key()
    found, theirs = read_public_key(der(key)), load_der_public_key(der(key))
    assert type(found) is type(theirs)
    assert der(found) == der(theirs) == der(key)


def test_a_compressed_point_is_read_by_the_library():
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    spki = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point
    assert der(read_public_key(spki)) == der(key)


@pytest.mark.parametrize("kind", ["Ed25519", "X25519", "P-256"])
def test_whatever_is_changed_in_a_key_both_say_the_same(kind):
    good = der(KINDS[kind]().public_key())
    flipped = [good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :] for i in range(len(good))]
    for changed in (good[:-1], good + b"\0", *flipped):
        assert judged(read_public_key, changed) == judged(load_der_public_key, changed), changed.hex()


def judged(read, spki):
    try:
        return der(read(spki))
    except (ValueError, UnsupportedAlgorithm) as error:
        return type(error)


def test_usual_keys_load_no_reader_of_unusual_ones(tmp_path):
    program = """
import sys
from pathlib import Path
from agent.adapters.clock import SystemRandomness
from agent.adapters.keys import sealing, signing, verification
from agent.core.transaction import Recipient
path = Path(sys.argv[1]) / "key.pem"
key = signing.load_or_create(path)
verification.build_key("EdDSA", key.spki).verify(key.sign(b"x"), b"x")
recipient = Recipient(bytes(8), bytes.fromhex(sys.argv[2]))
sealing.new_data_key([recipient], bytes(16), SystemRandomness()).seal(bytes(12), b"x", b"")
print([name for name in sys.modules if "serialization.ssh" in name or "backends" in name])
"""
    spki = der(KINDS["X25519"]().public_key()).hex()
    command = [sys.executable, "-c", program, str(tmp_path), spki]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
