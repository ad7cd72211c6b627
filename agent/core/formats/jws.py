"""Compact JWS (RFC 7515 §3.1), read strictly: three segments of base64url, a header whose every name stands once.

The law: what must be understood and is not (`crit`, `b64`) is refused; a key is never taken from the header. Whether
its `alg` is the key's, and the signature, are for whoever has the key; a payload's compression too.
"""

from functools import lru_cache
from typing import NamedTuple

import msgspec

from agent.core.formats import base64url
from agent.core.formats.json_text import JsonInvalid, decode_object

HEADER_CHARACTERS_MAX = 1_024
HEADERS_KEPT_MAX = 64  # all codes of one issuer's key have the same header, character for character
_NOT_UNDERSTOOD = ("crit", "b64")  # RFC 7515 §4.1.11, RFC 7797 §3


class JwsInvalid(ValueError):
    """The characters are not a compact JWS; the message says why, without the content."""


class HeaderInvalid(JwsInvalid):
    """It is a compact JWS, but its header cannot be used."""


class Header(NamedTuple):
    """What a protected header says, as far as we ask. key_id: the bytes of a kid that is base64url, else None."""

    alg: str
    key_id: bytes | None
    zip: str | None


class Jws(msgspec.Struct, frozen=True, gc=False):
    """The parts, all untrusted. signed: the JWS signing input, header and payload as they are written."""

    header: Header
    payload: bytes
    signature: bytes
    signed: bytes


def decode(characters: bytes) -> Jws:
    """Return the parts. Raises JwsInvalid, HeaderInvalid. The caller bounds the length."""
    segments = characters.split(b".", 3)
    if len(segments) != 3:
        raise JwsInvalid("not three segments")
    if len(segments[0]) > HEADER_CHARACTERS_MAX:
        raise HeaderInvalid(f"a header of more than {HEADER_CHARACTERS_MAX} characters")
    try:
        header = _header(segments[0])
        payload, signature = base64url.decode(segments[1]), base64url.decode(segments[2])
    except base64url.Base64UrlInvalid as error:
        raise JwsInvalid(str(error)) from error
    return Jws(header, payload, signature, characters[: -len(segments[2]) - 1])


@lru_cache(maxsize=HEADERS_KEPT_MAX)
def _header(segment: bytes) -> Header:
    try:
        found = decode_object(base64url.decode(segment))
    except JsonInvalid as error:
        raise HeaderInvalid(f"the header: {error}") from error
    for name in _NOT_UNDERSTOOD:
        if name in found:
            raise HeaderInvalid(f"the header has {name}")
    alg, kid, zip_ = found.get("alg"), found.get("kid"), found.get("zip")
    if type(alg) is not str or type(kid) not in (str, type(None)) or type(zip_) not in (str, type(None)):
        raise HeaderInvalid("alg, kid or zip is not a text")
    try:
        key_id = None if kid is None else base64url.decode(kid.encode("ascii"))
    except ValueError:
        key_id = None  # a kid may be any text (RFC 7515 §4.1.4)
    return Header(alg, key_id, zip_)
