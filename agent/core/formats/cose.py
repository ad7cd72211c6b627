"""COSE_Sign1 (RFC 9052 §4.2) in the profile of docs/protocol/cose.cddl.

The law: tagged 18; the protected header is exactly alg and kid, the unprotected one is empty, the payload is attached,
the signature has 64 bytes. Everything else is refused, so no header can say more than the key does. Checking the
signature is left to whoever knows the key and the external_aad.
"""

from typing import NamedTuple

from agent.core.formats import cbor

ALGORITHMS = {-7: "ES256", -8: "EdDSA", -65601: "SM2"}
"""COSE algorithm number -> the name a trust list gives it (RFC 9053 §2.1, §2.2; SM2 has a private-use number)."""

SIGNATURE_BYTES = 64
_KEY_ID_BYTES = 8
_HEAD = b"\xd2\x84"  # tag 18, an array of four
_EMPTY_MAP = b"\xa0"
_SIGNATURE_HEAD = b"\x58\x40"  # a byte string of 64

# A deterministic {1: alg, 4: kid} has one encoding for each algorithm: the head below, then the 8 bytes of the key id.
# So an unknown algorithm, `crit`, a further or a missing or a doubled entry cannot be written at all.
_PROTECTED_HEADS = {
    bytes.fromhex("a2 01 26 04 48"): -7,
    bytes.fromhex("a2 01 27 04 48"): -8,
    bytes.fromhex("a2 01 3a 00010040 04 48"): -65601,
}


class CoseInvalid(ValueError):
    """The bytes are not a COSE_Sign1 of this profile; the message says why, without the content."""


class HeaderInvalid(CoseInvalid):
    """It is a COSE_Sign1, but its headers are not those of this profile."""


class Sign1(NamedTuple):
    """The parts, all untrusted. alg is a key of ALGORITHMS; key_id has 8 bytes, signature 64."""

    alg: int
    key_id: bytes
    protected: bytes
    payload: bytes
    signature: bytes

    def to_be_signed(self, external_aad: bytes) -> bytes:
        """Return the Sig_structure (RFC 9052 §4.4)."""
        return sig_structure(self.protected, external_aad, self.payload)


def sig_structure(protected: bytes, external_aad: bytes, payload: bytes) -> bytes:
    """Return the encoded Sig_structure of a COSE_Sign1 (RFC 9052 §4.4): what is signed."""
    return (
        b"\x84\x6aSignature1" + cbor.byte_string(protected) + cbor.byte_string(external_aad) + cbor.byte_string(payload)
    )


def encode_sign1(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """Return a COSE_Sign1 of this profile; the byte strings have at most 65,535 bytes each."""
    return _HEAD + cbor.byte_string(protected) + _EMPTY_MAP + cbor.byte_string(payload) + cbor.byte_string(signature)


def decode_sign1(data: bytes) -> Sign1:
    """Return the parts. Raises CoseInvalid, HeaderInvalid.

    Reads the one shape there is, [bstr, {}, bstr, bstr], byte by byte: nothing else is built from what was scanned.
    """
    if data[:2] != _HEAD:
        raise CoseInvalid("not an array of four tagged 18, COSE_Sign1")
    try:
        protected, at = cbor.read_byte_string(data, 2)
        if data[at : at + 1] != _EMPTY_MAP:
            raise HeaderInvalid("the unprotected header is not empty")
        payload, at = cbor.read_byte_string(data, at + 1)
    except cbor.CborInvalid as error:
        raise CoseInvalid(f"header or payload: {error}") from error
    start = at + len(_SIGNATURE_HEAD)
    if data[at:start] != _SIGNATURE_HEAD or len(data) != start + SIGNATURE_BYTES:
        raise CoseInvalid("it does not end with a signature of 64 bytes")
    alg = _PROTECTED_HEADS.get(protected[:-_KEY_ID_BYTES])
    if alg is None:
        raise HeaderInvalid("the protected header is not exactly a known alg and a kid of 8 bytes")
    return Sign1(alg, protected[-_KEY_ID_BYTES:], protected, payload, data[start:])
