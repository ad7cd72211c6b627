"""Data keys are wrapped as RFC 9180 says: unwrapped here by hand from the RFC, not by the library call that wrapped."""

import hashlib
import hmac

import cbor2
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.adapters.keys.sealing import new_data_key
from agent.core.transaction import Recipient

LEDGER_ID = bytes(range(16))


class CountedRandomness:
    """Different bytes at every call, the same in every run."""

    def __init__(self) -> None:
        self.calls = 0

    def bytes(self, size: int) -> bytes:
        self.calls += 1
        return hashlib.shake_128(self.calls.to_bytes(4)).digest(size)

    def uniform(self) -> float:
        return 0.5


def hpke_open(private: x25519.X25519PrivateKey, wrapped: bytes, info: bytes) -> bytes:
    """RFC 9180 §5.1.1 and §4.1, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, sequence number 0."""

    def extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")

    def expand(suite: bytes, prk: bytes, label: bytes, info: bytes, size: int) -> bytes:
        return hmac.digest(prk, size.to_bytes(2) + b"HPKE-v1" + suite + label + info + b"\x01", "sha256")[:size]

    enc, ciphertext = wrapped[:32], wrapped[32:]
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    shared = private.exchange(x25519.X25519PublicKey.from_public_bytes(enc))
    secret = expand(kem, extract(kem, b"", b"eae_prk", shared), b"shared_secret", enc + public, 32)
    context = b"\x00" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    schedule = extract(suite, secret, b"secret", b"")
    key, nonce = expand(suite, schedule, b"key", context, 32), expand(suite, schedule, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


def recipient(private) -> Recipient:
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Recipient(hashlib.sha256(spki).digest()[:8], spki)


def test_every_recipient_unwraps_the_key_that_sealed():
    privates = [x25519.X25519PrivateKey.generate() for _ in range(3)]
    key = new_data_key([recipient(p) for p in privates], LEDGER_ID, CountedRandomness())
    ciphertext = key.seal(b"n" * 12, b"personal", b"additional")
    assert len(key.epoch) == 8
    for private, (key_id, wrapped) in zip(privates, key.wraps, strict=True):
        assert key_id == recipient(private).key_id
        assert len(wrapped) == 80
        raw = hpke_open(private, wrapped, b"scanward-data-key-1" + LEDGER_ID + key.epoch)
        assert AESGCM(raw).decrypt(b"n" * 12, ciphertext, b"additional") == b"personal"


def test_a_wrap_is_tied_to_its_ledger_and_epoch():
    private = x25519.X25519PrivateKey.generate()
    key = new_data_key([recipient(private)], LEDGER_ID, CountedRandomness())
    for info in (b"scanward-data-key-1" + bytes(16) + key.epoch, b"scanward-data-key-1" + LEDGER_ID + bytes(8)):
        with pytest.raises(InvalidTag):
            hpke_open(private, key.wraps[0][1], info)


def test_the_wrap_in_the_vectors_opens_the_same_way(vectors):
    expected = vectors("records")
    seed = hashlib.sha256(b"scanward test vector key: platform seal").digest()
    payload = cbor2.loads(bytes.fromhex(expected["records"][0]["payload"]))
    info = b"scanward-data-key-1" + bytes.fromhex(expected["ledger_id"]) + payload[7]
    opened = hpke_open(x25519.X25519PrivateKey.from_private_bytes(seed), payload[9][0][1], info)
    assert opened.hex() == expected["data_key"]


def test_two_keys_share_nothing():
    private, randomness = x25519.X25519PrivateKey.generate(), CountedRandomness()
    first, second = (new_data_key([recipient(private)], LEDGER_ID, randomness) for _ in range(2))
    assert first.epoch != second.epoch
    assert first.wraps != second.wraps
    assert first.seal(b"n" * 12, b"p", b"") != second.seal(b"n" * 12, b"p", b"")


def test_a_recipient_that_is_no_x25519_key_is_a_value_error():
    with pytest.raises(ValueError, match="not X25519"):
        new_data_key([recipient(ec.generate_private_key(ec.SECP256R1()))], LEDGER_ID, CountedRandomness())


@pytest.mark.parametrize("count", [0, 5])
def test_a_key_is_for_one_to_four_recipients(count):
    recipients = [recipient(x25519.X25519PrivateKey.generate())] * count
    with pytest.raises(ValueError, match="1 to 4"):
        new_data_key(recipients, LEDGER_ID, CountedRandomness())


def test_the_key_is_not_in_its_representation():
    key = new_data_key([recipient(x25519.X25519PrivateKey.generate())], LEDGER_ID, CountedRandomness())
    assert "AESGCM" not in repr(key)
