"""COSE_Sign1 (RFC 9052 §4.2) as other people's issuers write it, signed with ES256 or PS256.

The law: the algorithm counts from the protected header alone; what is unprotected names the key at most, and only where
the protected header does not. An empty or detached payload, `crit` and bytes behind are refused. Tags 18 (COSE_Sign1)
and 61 (CWT, RFC 8392 §6) may be there: they are outside the signature and mean nothing. cose.py is for formats of ours.
"""

from typing import NamedTuple

from agent.core.codes import cbor, tolerant_cbor
from agent.core.codes.cose import CoseInvalid, HeaderInvalid, sig_structure
from agent.core.codes.tolerant_cbor import ForeignCborInvalid

ALGORITHMS = {-7: "ES256", -37: "PS256"}
"""COSE algorithm number -> the name a trust list gives it (RFC 9053 §2.1, RFC 8230 §2)."""

KEY_ID_BYTES_MAX = 64  # as long as a trust list may write one
_ALG, _CRIT, _KID = 1, 2, 4  # RFC 9052 §3.1
_TAG_CWT, _TAG_SIGN1, _ARRAY_OF_FOUR, _EMPTY_MAP = b"\xd8\x3d", b"\xd2", b"\x84", b"\xa0"
_ES256_FIRST, _KID_FIRST, _ES256_LAST = b"\xa2\x01\x26\x04\x48", b"\xa2\x04\x48", b"\x01\x26"
_PLAIN_BYTES = 13  # {1: -7, 4: a kid of 8 bytes}


class ForeignSign1(NamedTuple):
    """The parts, all untrusted. alg is a value of ALGORITHMS; key_id has 1 to KEY_ID_BYTES_MAX bytes."""

    alg: str
    key_id: bytes
    protected: bytes
    payload: bytes
    signature: bytes

    def to_be_signed(self) -> bytes:
        """Return the Sig_structure (RFC 9052 §4.4) with no external_aad: header and payload as they were received."""
        return sig_structure(self.protected, b"", self.payload)


def decode_sign1(data: bytes) -> ForeignSign1:
    """Return the parts of at most 65,535 bytes. Raises CoseInvalid, HeaderInvalid."""
    data = data.removeprefix(_TAG_CWT).removeprefix(_TAG_SIGN1)
    protected, unprotected, payload, signature = _read_plain(data) or _read_any(data)
    if not payload:
        raise CoseInvalid("the payload is empty")
    alg, key_id = _header(protected, unprotected)
    return ForeignSign1(alg, key_id, protected, payload, signature)


_Parts = tuple[bytes, dict[int | str, object], bytes, bytes]


def _read_plain(data: bytes) -> _Parts | None:
    """Read [bstr, {}, bstr, bstr] as nearly every code has it, byte by byte; None for all else."""
    if not data.startswith(_ARRAY_OF_FOUR):
        return None
    try:
        protected, at = cbor.read_byte_string(data, 1)
        if data[at : at + 1] != _EMPTY_MAP:
            return None
        payload, at = cbor.read_byte_string(data, at + 1)
        signature, at = cbor.read_byte_string(data, at)
    except cbor.CborInvalid:
        return None
    return (protected, {}, payload, signature) if at == len(data) else None


def _read_any(data: bytes) -> _Parts:
    """Read the array in any encoding there is."""
    try:
        parts = tolerant_cbor.decode(data)
    except ForeignCborInvalid as error:
        raise CoseInvalid(str(error)) from error
    match parts:
        case [bytes() as protected, dict() as unprotected, bytes() as payload, bytes() as signature]:
            pass
        case _:
            raise CoseInvalid("not an array of header, header, attached payload and signature")
    if not tolerant_cbor.is_map(unprotected):
        raise HeaderInvalid("a header with keys other than numbers and texts")
    return protected, unprotected, payload, signature


def _header(protected: bytes, unprotected: dict[int | str, object]) -> tuple[str, bytes]:
    """Return the algorithm and the key id."""
    if len(protected) == _PLAIN_BYTES and not unprotected:
        if protected.startswith(_ES256_FIRST):
            return "ES256", protected[len(_ES256_FIRST) :]
        if protected.startswith(_KID_FIRST) and protected.endswith(_ES256_LAST):
            return "ES256", protected[len(_KID_FIRST) : -len(_ES256_LAST)]
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
