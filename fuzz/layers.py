"""The outer layers of signed codes, written from the standards and not from the agent: what bytes are put in.

And the way back: which bytes a text says were signed, so that an acceptance can be judged.
"""

import base64
import gzip
import json
import struct
import zlib

import cbor2

_BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_THREE = [_BASE45[n % 45] + _BASE45[n // 45 % 45] + _BASE45[n // 2025] for n in range(65_536)]
_TWO = [_BASE45[n % 45] + _BASE45[n // 45] for n in range(256)]
_BYTES = {three: n.to_bytes(2, "big") for n, three in enumerate(_THREE)} | {
    two: n.to_bytes(1, "big") for n, two in enumerate(_TWO)
}
_DIGITS = [f"{(byte - 45) % 100:02}" for byte in range(256)]
_CHARACTERS = {f"{n:02}": n + 45 for n in range(100)}
AADHAAR_SIGNATURE_BYTES = 256
_PIECE_DIGITS = 1_000
_PIECE = 10**_PIECE_DIGITS

DATES = (0, 1, 100, 1004)  # RFC 8949 §3.4, RFC 8943


def base45(data: bytes) -> str:
    """Return the text (RFC 9285 §4.1)."""
    even = len(data) & ~1
    out = [_THREE[pair] for (pair,) in struct.iter_unpack(">H", data[:even])]
    if len(data) % 2:
        out.append(_TWO[data[-1]])
    return "".join(out)


def from_base45(text: str) -> bytes:
    """Return the bytes (RFC 9285 §4.2). Raises ValueError."""
    try:
        return b"".join([_BYTES[text[at : at + 3]] for at in range(0, len(text), 3)])
    except KeyError:
        raise ValueError("a group of characters that stands for no bytes") from None


def deterministic(claims: dict[object, object]) -> bytes:
    """Return the CBOR of a map with its keys in bytewise order (RFC 8949 §4.2.1)."""
    entries = sorted((cbor2.dumps(key), cbor2.dumps(item)) for key, item in claims.items())
    head = bytes((0xA0 + len(entries),)) if len(entries) < 24 else b"\xb8" + bytes((len(entries),))
    return head + b"".join(key + item for key, item in entries)


def sig_structure(protected: bytes, external_aad: bytes, payload: bytes) -> bytes:
    """Return what a COSE_Sign1 signs (RFC 9052 §4.4)."""
    return bytes(cbor2.dumps(["Signature1", protected, external_aad, payload]))


def sign1(protected: bytes, payload: bytes, signature: bytes, unprotected: object = None) -> bytes:
    """Return a tagged COSE_Sign1 (RFC 9052 §4.2)."""
    return bytes(cbor2.dumps(cbor2.CBORTag(18, [protected, unprotected or {}, payload, signature])))


def untagged(said: object, immutable: bool) -> object:
    """Return what stands in a tag as it is: dates are nobody's business here."""
    return said


def signed_of_sign1(data: bytes, external_aad: bytes) -> bytes:
    """Return what a COSE_Sign1 says was signed, with tags or without. Raises ValueError and what cbor2 raises."""
    found = cbor2.loads(data, semantic_decoders=dict.fromkeys(DATES, untagged))
    while isinstance(found, cbor2.CBORTag):
        found = found.value
    protected, _, payload, _ = found
    return sig_structure(bytes(protected), external_aad, bytes(payload))


def b64(data: bytes) -> bytes:
    """Return base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def from_b64(text: bytes) -> bytes:
    """Return the bytes of base64url without padding. Raises ValueError."""
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def raw_deflate(data: bytes) -> bytes:
    """Return a raw DEFLATE stream (RFC 1951)."""
    stream = zlib.compressobj(9, wbits=-15)
    return stream.compress(data) + stream.flush()


def shc_digits(jws: bytes) -> str:
    """Return a JWS as a SMART Health Card's text: each character two digits, its code less 45."""
    return "shc:/" + "".join([_DIGITS[byte] for byte in jws])


def signed_of_shc(text: str) -> bytes:
    """Return what a SMART Health Card of one part says was signed. Raises ValueError."""
    digits = text.removeprefix("shc:/")
    try:
        jws = bytes([_CHARACTERS[digits[at : at + 2]] for at in range(0, len(digits), 2)])
    except KeyError:
        raise ValueError("not digits two by two") from None
    return signed_of_jws(jws)


def signed_of_jws(jws: bytes) -> bytes:
    """Return what a JWS says was signed (RFC 7515 §5.1). Raises ValueError where bytes are written in a second way."""
    if any(b64(from_b64(segment)) != segment for segment in jws.split(b".")):
        raise ValueError("base64url that another text stands for, too")
    return jws.rpartition(b".")[0]


def aadhaar_text(data: bytes, level: int = 9) -> str:
    """Return fields with their signature as the digits of an Aadhaar secure QR code."""
    return decimal(gzip.compress(data, level, mtime=0))


def decimal(data: bytes) -> str:
    """Return bytes as one decimal number, in pieces: Python writes and reads no numbers of more than 4,300 digits."""
    number, pieces = int.from_bytes(data, "big"), list[str]()
    while number >= _PIECE:
        number, piece = divmod(number, _PIECE)
        pieces.append(f"{piece:0{_PIECE_DIGITS}}")
    return str(number) + "".join(reversed(pieces))


def from_decimal(text: str) -> bytes:
    """Return the bytes of a decimal number. Raises ValueError."""
    number, first = 0, len(text) % _PIECE_DIGITS
    for piece in [text[:first], *(text[at : at + _PIECE_DIGITS] for at in range(first, len(text), _PIECE_DIGITS))]:
        number = number * _PIECE + int(piece or "0")
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def canonical(value: object) -> bytes:
    """Return the canonical JSON of text, whole numbers, lists and maps with plain names (RFC 8785)."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
