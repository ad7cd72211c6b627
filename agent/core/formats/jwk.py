"""The name that a P-256 key has as a JWK: its thumbprint (RFC 7638 §3), which SMART Health Cards use as the key id."""

import hashlib

from agent.core.formats import base64url

P256_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
"""A P-256 key as DER SubjectPublicKeyInfo up to x and y: the curve by name, an uncompressed point (RFC 5480 §2)."""

COORDINATE_BYTES = 32


def thumbprint(spki: bytes) -> bytes:
    """Return the 32 bytes for a DER SubjectPublicKeyInfo. Raises ValueError where it is no P-256 key, uncompressed."""
    if not spki.startswith(P256_HEAD) or len(spki) != len(P256_HEAD) + 2 * COORDINATE_BYTES:
        raise ValueError("not a P-256 key with an uncompressed point")
    x = base64url.encode(spki[-2 * COORDINATE_BYTES : -COORDINATE_BYTES])
    y = base64url.encode(spki[-COORDINATE_BYTES:])
    # The required members in the order of their names, without white space (RFC 7638 §3.2, §3.3).
    return hashlib.sha256(b'{"crv":"P-256","kty":"EC","x":"%b","y":"%b"}' % (x, y)).digest()
