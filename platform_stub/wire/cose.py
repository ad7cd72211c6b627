"""COSE_Sign1 as docs/protocol/cose.cddl has it: tag 18, `alg` and `kid` protected, nothing else anywhere.

Reading proves nothing: `is_signed_by` does, with the key and the type (external_aad) the caller expects.
"""

from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from platform_stub.keys import alg_of, key_id, spki_of
from platform_stub.wire import cbor
from platform_stub.wire.fields import KID, octets, one_of
from platform_stub.wire.sm2 import Sm2PrivateKey, Sm2PublicKey

ES256 = -7
EDDSA = -8
SM2 = -65601
_NUMBERS = {"ES256": ES256, "EdDSA": EDDSA, "SM2": SM2}
_TAG_18 = b"\xd2"
_ALG = one_of(ES256, EDDSA, SM2)
_SIGNATURE = octets(64)

SigningKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | Sm2PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | Sm2PublicKey


class CoseInvalid(Exception):
    """Not a COSE_Sign1 of this wire."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A COSE_Sign1 taken apart; nothing is verified yet."""

    alg: int
    kid: bytes
    protected: bytes
    payload: bytes
    signature: bytes


def read_signed(data: bytes) -> Signed:
    """Take a COSE_Sign1 apart. Raises CoseInvalid."""
    if data[:1] != _TAG_18:
        raise CoseInvalid("no tag 18")
    try:
        parts = cbor.decode(data[1:])
    except cbor.CborInvalid as error:
        raise CoseInvalid(str(error)) from error
    if type(parts) is not list or len(parts) != 4:
        raise CoseInvalid("not four parts")
    protected, unprotected, payload, signature = parts
    if type(protected) is not bytes or type(payload) is not bytes or not _SIGNATURE(signature):
        raise CoseInvalid("a part of the wrong type")
    if type(unprotected) is not dict or unprotected:
        raise CoseInvalid("something in the unprotected header")
    alg, kid = _read_protected(protected)
    return Signed(alg, kid, protected, payload, signature)


def is_signed_by(key: PublicKey, aad: str, signed: Signed) -> bool:
    """Say whether this key signed this as a thing of type `aad`. The key decides the algorithm; alg must agree."""
    message = _sig_structure(signed.protected, aad, signed.payload)
    try:
        match key:
            case ed25519.Ed25519PublicKey():
                if signed.alg != EDDSA:
                    return False
                key.verify(signed.signature, message)
            case ec.EllipticCurvePublicKey():
                if signed.alg != ES256:
                    return False
                r, s = int.from_bytes(signed.signature[:32]), int.from_bytes(signed.signature[32:])
                key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
            case Sm2PublicKey():
                return signed.alg == SM2 and key.verify(signed.signature, message)
    except InvalidSignature:
        return False
    return True


def sign(key: SigningKey, aad: str, payload: bytes) -> bytes:
    """Return a COSE_Sign1 over the payload, as a thing of type `aad`."""
    alg = _NUMBERS[alg_of(key)]
    protected = cbor.encode({1: alg, 4: key_id(spki_of(key.public_key()))})
    message = _sig_structure(protected, aad, payload)
    if isinstance(key, ed25519.Ed25519PrivateKey | Sm2PrivateKey):
        signature = key.sign(message)
    else:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        signature = r.to_bytes(32) + s.to_bytes(32)
    return _TAG_18 + cbor.encode([protected, {}, payload, signature])


def _sig_structure(protected: bytes, aad: str, payload: bytes) -> bytes:
    return cbor.encode(["Signature1", protected, aad.encode("ascii"), payload])


@lru_cache(maxsize=1024)  # a terminal's header is the same on every record
def _read_protected(protected: bytes) -> tuple[int, bytes]:
    try:
        header = cbor.decode(protected)
    except cbor.CborInvalid as error:
        raise CoseInvalid(f"protected header: {error}") from error
    if type(header) is not dict or header.keys() != {1, 4} or not _ALG(header[1]) or not KID(header[4]):
        raise CoseInvalid("protected header: not exactly alg and kid")
    return header[1], header[4]
