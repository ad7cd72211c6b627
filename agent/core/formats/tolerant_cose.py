"""COSE_Sign1 (RFC 9052 §4.2) as other people's issuers write it, signed with ES256 or PS256.

The law: the algorithm counts from the protected header alone; what is unprotected names the key at most, and only where
the protected header does not. An empty or detached payload, `crit` and bytes behind are refused. Tags 55799 (CBOR,
RFC 8949 §3.4.6), 61 (CWT, RFC 8392 §6) and 18 (COSE_Sign1) may be there, in this order: they are outside the signature
and mean nothing. cose.py is for formats of ours.
"""

import re

import msgspec

from agent.core.formats import tolerant_cbor
from agent.core.formats.cose import CoseInvalid, HeaderInvalid, sig_structure
from agent.core.formats.tolerant_cbor import ForeignCborInvalid

ALGORITHMS = {-7: "ES256", -37: "PS256"}
"""COSE algorithm number -> the name a trust list gives it (RFC 9053 §2.1, RFC 8230 §2)."""

KEY_ID_BYTES_MAX = 64  # as long as a trust list may write one
_ALG, _CRIT, _KID = 1, 2, 4  # RFC 9052 §3.1
_TAG_SIGN1 = b"\xd2"
_TAGS = re.compile(  # each in all the lengths that a head may have (RFC 8949 §3)
    rb"(?:(?:\xd9|\xda\0\0|\xdb\0{6})\xd9\xf7)?(?:(?:\xd8|\xd9\0|\xda\0{3}|\xdb\0{7})\x3d)?"
    rb"(?:\xd2|(?:\xd8|\xd9\0|\xda\0{3}|\xdb\0{7})\x12)?"
)

# What nearly every code is: of four parts, the first of them 14 bytes with alg ES256 and a kid of 8 bytes in either
# order; nothing unprotected; a payload of 256 to 65,535 bytes; a signature of 64 bytes.
_KID_FIRST, _THEN_ALG, _ALG_FIRST = b"\x84\x4d\xa2\x04\x48", b"\x01\x26", b"\x84\x4d\xa2\x01\x26\x04\x48"
_PAYLOAD_HEAD, _SIGNATURE_HEAD = b"\xa0\x59", b"\x58\x40"
_SIGNED_HEAD, _NO_AAD = b"\x84\x6aSignature1", b"\x40"  # RFC 9052 §4.4


class ForeignSign1(msgspec.Struct, frozen=True, gc=False):
    """The parts, all untrusted. alg is a value of ALGORITHMS; key_id has 1 to KEY_ID_BYTES_MAX bytes.

    signed: the Sig_structure (RFC 9052 §4.4) with no external_aad: header and payload as they were received.
    """

    alg: str
    key_id: bytes
    payload: bytes
    signature: bytes
    signed: bytes


def decode_sign1(data: bytes) -> ForeignSign1:
    """Return the parts of at most 65,535 bytes. Raises CoseInvalid, HeaderInvalid."""
    return _read_plain(data) or _read_any(data)


def _read_plain(data: bytes) -> ForeignSign1 | None:
    """Read what nearly every code is, a shorter way to what _read_any says of it (a test holds the two together)."""
    start = 1 if data.startswith(_TAG_SIGN1) else 0
    headers = data[start : start + 15]
    if headers.startswith(_KID_FIRST) and headers.endswith(_THEN_ALG):
        key_id = headers[5:13]
    elif headers.startswith(_ALG_FIRST):
        key_id = headers[7:]
    else:
        return None
    at = start + 19  # where the payload begins
    size = int.from_bytes(data[at - 2 : at], "big")
    end = at + size
    if data[at - 4 : at - 2] != _PAYLOAD_HEAD or data[end : end + 2] != _SIGNATURE_HEAD or len(data) != end + 66:
        return None
    if size < 256:  # written longer than it must be: then the Sig_structure is not just a piece of this
        return None
    signed = _SIGNED_HEAD + headers[1:] + _NO_AAD + data[at - 3 : end]
    return ForeignSign1("ES256", key_id, data[at:end], data[end + 2 :], signed)


def _read_any(data: bytes) -> ForeignSign1:
    """Read the array in any encoding there is."""
    try:
        parts = tolerant_cbor.decode(_TAGS.sub(b"", data, count=1))
    except ForeignCborInvalid as error:
        raise CoseInvalid(str(error)) from error
    match parts:
        case [bytes() as protected, dict() as unprotected, bytes() as payload, bytes() as signature]:
            pass
        case _:
            raise CoseInvalid("not an array of header, header, attached payload and signature")
    if not payload:
        raise CoseInvalid("the payload is empty")
    if not tolerant_cbor.is_map(unprotected):
        raise HeaderInvalid("a header with keys other than numbers and texts")
    alg, key_id = _header(protected, unprotected)
    return ForeignSign1(alg, key_id, payload, signature, sig_structure(protected, b"", payload))


def _header(protected: bytes, unprotected: dict[int | str, object]) -> tuple[str, bytes]:
    """Return the algorithm and the key id."""
    try:
        header = tolerant_cbor.decode_map(protected) if protected else {}
    except ForeignCborInvalid as error:
        raise HeaderInvalid(f"the protected header: {error}") from error
    if _CRIT in header or _CRIT in unprotected:
        raise HeaderInvalid("crit (2): no code of these families has any")
    number = header.get(_ALG)
    alg = ALGORITHMS.get(number) if type(number) is int else None
    if alg is None:
        raise HeaderInvalid("alg (1) is not ES256 or PS256 in the protected header")
    key_id = header[_KID] if _KID in header else unprotected.get(_KID)
    if not isinstance(key_id, bytes) or not 1 <= len(key_id) <= KEY_ID_BYTES_MAX:
        raise HeaderInvalid(f"kid (4) is not a byte string of 1 to {KEY_ID_BYTES_MAX} bytes")
    return alg, key_id
