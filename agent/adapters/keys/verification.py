"""Verification keys with the `cryptography` library: ES256 (RFC 9053 §2.1), EdDSA with Ed25519 (§2.2), RSA (rsa.py).

The law: a key verifies with its own algorithm alone, and a bad signature is False, never an exception. Checking
SM2 is left to sm2.py.
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm

from agent.adapters.keys.public_keys import read_public_key
from agent.core.trust_list import AlgorithmUnavailable, Certificate, CertificateRefused, VerificationKey

SIGNATURE_BYTES = 64
_P256_ORDER = bytes.fromhex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551")  # SEC 2, §2.4.2
_ZERO = bytes(32)
_SHA256 = SHA256()

# The points of order 1, 2, 4 and 8, and their other encodings, without the sign, the last bit (RFC 8032 §5.1.3): under
# such a key a signature made by nobody fits one message in eight, or every one.
_ED25519_SIGN = 0x80
_ED25519_SMALL = frozenset(
    bytes.fromhex(point)
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)


class _EcdsaWithSha256(ECDSA):
    """The same as ECDSA(SHA256()), which on being made loads 0.5 MB to ask about a way of signing."""

    def __init__(self) -> None:
        pass

    algorithm: HashAlgorithm = _SHA256


_ES256 = _EcdsaWithSha256()

_DER_HEADS = {
    (r_high, s_high): (
        b"\x30%c\x02%c" % (68 + r_high + s_high, 32 + r_high) + bytes(r_high),
        b"\x02%c" % (32 + s_high) + bytes(s_high),
    )
    for r_high in (0, 1)
    for s_high in (0, 1)
}
"""What stands before r and before s in DER where neither begins with a zero: by whether its first bit is set."""


@dataclass(frozen=True, slots=True)
class Es256Key:
    """ECDSA over P-256 with SHA-256; the signature is r || s, 32 bytes each."""

    public_key: EllipticCurvePublicKey

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Check a signature; DER is not one."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        r, s = signature[:32], signature[32:]
        if not (_ZERO < r < _P256_ORDER and _ZERO < s < _P256_ORDER):  # of one length: in the order of the numbers
            return False
        r_first, s_first = signature[0], signature[32]
        if r_first and s_first:  # nearly always; a test holds the two ways together
            head, between = _DER_HEADS[r_first >> 7, s_first >> 7]
            der = head + r + between + s
        else:
            der = _der(r, s)
        try:
            self.public_key.verify(der, message, _ES256)
        except InvalidSignature:
            return False
        return True


def _der(r: bytes, s: bytes) -> bytes:
    """Return the signature as DER (RFC 3279 §2.2.3) from two numbers above 0."""
    r, s = r.lstrip(b"\0"), s.lstrip(b"\0")
    if r[0] & 0x80:
        r = b"\0" + r  # DER's whole numbers have a sign
    if s[0] & 0x80:
        s = b"\0" + s
    return b"\x30%c\x02%c%b\x02%c%b" % (len(r) + len(s) + 4, len(r), r, len(s), s)


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    """Pure Ed25519 (RFC 8032 §5.1)."""

    public_key: Ed25519PublicKey

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Check a signature."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            self.public_key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def build_key(alg: str, spki: bytes) -> VerificationKey:
    """Return the key for an algorithm of the trust list from its DER SubjectPublicKeyInfo.

    Raises ValueError where the two do not fit, AlgorithmUnavailable for any other algorithm, and for SM2 where this
    machine cannot do it.
    """
    if alg == "SM2":
        from agent.adapters.keys import sm2  # noqa: PLC0415  # an agent without such keys loads nothing for them

        return sm2.load_key(spki)
    if alg in ("PS256", "RS256"):
        from agent.adapters.keys import rsa  # noqa: PLC0415  # likewise

        return rsa.load_key(alg, spki)
    if alg not in ("ES256", "EdDSA"):
        raise AlgorithmUnavailable(alg)
    try:
        key = read_public_key(spki)
    except UnsupportedAlgorithm as error:
        raise ValueError("a key of a kind that is not supported") from error
    if alg == "ES256" and isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return Es256Key(key)
    if alg == "EdDSA" and isinstance(key, Ed25519PublicKey):
        raw = key.public_bytes_raw()
        if raw[:-1] + bytes((raw[-1] & ~_ED25519_SIGN,)) in _ED25519_SMALL:
            raise ValueError("an Ed25519 key of small order: anybody can sign for it")
        return Ed25519Key(key)
    raise ValueError(f"not a key for {alg}")


def read_certificate(der: bytes) -> Certificate:
    """Read an X.509 certificate of a trust list: strictly, or where that fails leniently (lenient_certificates.py).

    Raises CertificateRefused.
    """
    from agent.adapters.keys import certificates  # noqa: PLC0415  # an agent whose list has none loads nothing for them

    try:
        return certificates.read_certificate(der)
    except CertificateRefused:
        from agent.adapters.keys import lenient_certificates  # noqa: PLC0415  # few lists need it: 2 MB

        return lenient_certificates.read_certificate(der)
