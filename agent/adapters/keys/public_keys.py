"""Public keys from their DER SubjectPublicKeyInfo, as raw as the `cryptography` library takes them.

The law: what is read here is read as the library's own parser reads it; a test holds the two together. That parser
brings readers for OpenSSH and RSA, which stay in memory, so it is asked only about keys in an unusual form.
"""

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from agent.core.formats.jwk import P256_HEAD
from agent.core.trust_list import X25519_SPKI_HEAD

ED25519_HEAD = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 §4; the key's 32 bytes follow
_RAW_BYTES, _POINT_BYTES = 32, 65


def read_public_key(spki: bytes) -> object:
    """Return the key, of whatever kind. Raises ValueError, UnsupportedAlgorithm."""
    if len(spki) == len(ED25519_HEAD) + _RAW_BYTES:
        if spki.startswith(ED25519_HEAD):
            return Ed25519PublicKey.from_public_bytes(spki[-_RAW_BYTES:])
        if spki.startswith(X25519_SPKI_HEAD):
            return _x25519(spki[-_RAW_BYTES:])
    if len(spki) == len(P256_HEAD) - 1 + _POINT_BYTES and spki.startswith(P256_HEAD):  # a point's first byte is in it
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), spki[-_POINT_BYTES:])
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415 - see above

    return load_der_public_key(spki)


def _x25519(raw: bytes) -> object:
    """Return the key the way the library itself makes it, without the 0.5 MB it first loads to ask whether it can."""
    try:
        from cryptography.hazmat.bindings._rust import openssl  # noqa: PLC0415 - not a promised name

        make = openssl.x25519.from_public_bytes
    except (ImportError, AttributeError):
        make = X25519PublicKey.from_public_bytes
    return make(raw)
