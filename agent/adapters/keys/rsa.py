"""RSA with SHA-256: PS256 (RSASSA-PSS, RFC 8230 §2, a salt of 32 bytes) and RS256 (PKCS #1 v1.5, RFC 8812 §2).

The law: a key checks with the one scheme it was built for. Keys of 2,048 to 4,096 bits; shorter ones are too weak,
longer ones cost what a terminal has not got. So do long exponents; with 1 anybody can sign.
"""

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

BITS_MIN, BITS_MAX = 2_048, 4_096
EXPONENT_MIN, EXPONENT_MAX = 3, 2**64 - 1
_SHA256 = SHA256()
_PADDINGS: dict[str, AsymmetricPadding] = {"PS256": PSS(MGF1(_SHA256), SHA256.digest_size), "RS256": PKCS1v15()}


@dataclass(frozen=True, slots=True)
class RsaKey:
    """An RSA key for one scheme; a signature is as long as the modulus."""

    public_key: RSAPublicKey
    _padding: AsymmetricPadding = field(repr=False)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Check a signature."""
        try:
            self.public_key.verify(signature, message, self._padding, _SHA256)
        except InvalidSignature:
            return False
        return True


def load_key(alg: str, spki: bytes) -> RsaKey:
    """Return the key of a DER SubjectPublicKeyInfo for "PS256" or "RS256". Raises ValueError."""
    try:
        key = load_der_public_key(spki)
    except UnsupportedAlgorithm as error:
        raise ValueError("a key of a kind that is not supported") from error
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not an RSA key")
    if (why := trouble(key, BITS_MAX)) is not None:
        raise ValueError(why)
    return RsaKey(key, _PADDINGS[alg])


def trouble(key: RSAPublicKey, bits_max: int) -> str | None:
    """Return why a key is not to be used, or None."""
    numbers = key.public_numbers()
    if not BITS_MIN <= key.key_size <= bits_max:
        return f"not an RSA key of {BITS_MIN} to {bits_max} bits"
    if numbers.n % 2 == 0:
        return "an RSA modulus that is even"
    if not EXPONENT_MIN <= numbers.e <= EXPONENT_MAX or numbers.e % 2 == 0:
        return "an RSA exponent that is even, below 3 or above 2^64"
    return None
