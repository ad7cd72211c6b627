"""JSON Web Keys (RFC 7517) of trust lists: a P-256 point as its SubjectPublicKeyInfo.

The law: coordinates are 32 bytes each (RFC 7518 §6.2.1.2), and a private key in a public list is refused aloud.
"""

import base64
import binascii
from typing import Any

from agent.core.formats import base64url
from agent.core.formats.jwk import COORDINATE_BYTES, P256_HEAD
from agent.core.public_lists.intake import EntryRefused, base64_of


def base64url_of(text: object) -> bytes | None:
    """Decode base64url without padding (RFC 7515 §2), in its one form; None for anything else."""
    try:
        return base64url.decode(text.encode("ascii")) if isinstance(text, str) else None
    except ValueError:  # Base64UrlInvalid and UnicodeEncodeError are such
        return None


def require_public(jwk: dict[str, Any]) -> None:
    """Refuse a private or symmetric key. Raises EntryRefused."""
    if "d" in jwk or "k" in jwk:
        raise EntryRefused("private-key", "the list gives a secret away: tell whoever publishes it")


def first_certificate(jwk: dict[str, Any]) -> bytes:
    """Return the DER of a JWK's own certificate, the first of its x5c (RFC 7517 §4.7). Raises EntryRefused."""
    chain = jwk.get("x5c")
    if not isinstance(chain, list) or not chain:
        raise EntryRefused("not-a-certificate", "no x5c")
    return base64_of(chain[0], "x5c")


def p256_spki(jwk: dict[str, Any]) -> bytes:
    """Return a P-256 key as DER. Whether the point lies on the curve is for whoever builds the key.

    Raises EntryRefused.
    """
    if jwk.get("kty") != "EC":
        raise EntryRefused("key-unsupported", "not an elliptic curve key (kty EC)")
    if jwk.get("crv") != "P-256":
        raise EntryRefused("curve-unsupported", "only P-256 is supported")
    x, y = base64url_of(jwk.get("x")), base64url_of(jwk.get("y"))
    if x is None or y is None or len(x) != COORDINATE_BYTES or len(y) != COORDINATE_BYTES:
        raise EntryRefused("coordinates-malformed", f"x and y are {COORDINATE_BYTES} bytes each in base64url")
    return P256_HEAD + x + y


def is_of(jwk: dict[str, Any], spki: bytes) -> bool:
    """Say whether a JWK's coordinates, however badly written, name the point of a P-256 SubjectPublicKeyInfo.

    Real lists pad, sign-extend and cut them; as numbers they must agree all the same.
    """
    if len(spki) != len(P256_HEAD) + 2 * COORDINATE_BYTES or "x" not in jwk:
        return True  # nothing to compare
    point = spki[-2 * COORDINATE_BYTES :]
    for name, expected in (("x", point[:COORDINATE_BYTES]), ("y", point[COORDINATE_BYTES:])):
        text = jwk.get(name)
        try:
            written = base64.urlsafe_b64decode(f"{text}".rstrip("=") + "=" * (-len(f"{text}".rstrip("=")) % 4))
        except (ValueError, binascii.Error):
            return False
        if int.from_bytes(written, "big") != int.from_bytes(expected, "big"):
            return False
    return True
