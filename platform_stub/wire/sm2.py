"""SM2 signatures with SM3 (GB/T 32918.2, GB/T 32905) in pure Python: what the stub signs and reads its own codes with.

For tests and laboratories only: nothing here runs in constant time, so how long signing takes tells about the key. It
shares no code with the agent, which checks with libcrypto, nor with hashlib, whose SM3 is libcrypto's: neither hides a
mistake of the other. Names are those of the standard.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

USER_ID = b"1234567812345678"
SIGNATURE_BYTES = 64

# GB/T 32918.5 §2: the field, the curve, the base point and its order.
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

Point = tuple[int, int]
_Jacobian = tuple[int, int, int]  # (X, Y, Z) for the point (X/Z^2, Y/Z^3); Z = 0 at infinity

# DER by hand, as everything has one length. Algorithm: id-ecPublicKey (1.2.840.10045.2.1) on 1.2.156.10197.1.301.
_ALGORITHM = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")
_SPKI_HEAD = b"\x30\x59" + _ALGORITHM + b"\x03\x42\x00\x04"  # RFC 5480 §2
_PKCS8_HEAD = b"\x30\x81\x87\x02\x01\x00" + _ALGORITHM + bytes.fromhex("046d306b0201010420")  # RFC 5958, RFC 5915
_PKCS8_MIDDLE = bytes.fromhex("a14403420004")
_PEM_HEAD, _PEM_FOOT = b"-----BEGIN PRIVATE KEY-----", b"-----END PRIVATE KEY-----"


class NoSm2Key(ValueError):
    """The bytes are not an SM2 key."""


@dataclass(frozen=True, slots=True)
class Sm2PublicKey:
    """A point of the curve."""

    point: Point

    def __post_init__(self) -> None:
        x, y = self.point
        if not (0 <= x < P and 0 <= y < P and (y * y - (x * x * x + A * x + B)) % P == 0):
            raise NoSm2Key("not a point of the curve")

    def spki(self) -> bytes:
        """Return the DER SubjectPublicKeyInfo."""
        return _SPKI_HEAD + _octets(self.point[0]) + _octets(self.point[1])

    def verify(self, signature: bytes, message: bytes, user_id: bytes = USER_ID) -> bool:
        """Check r || s as GB/T 32918.2 §7.1 has it."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        r, s = _number(signature[:32]), _number(signature[32:])
        if not (1 <= r < N and 1 <= s < N):
            return False
        t = (r + s) % N
        if t == 0:
            return False
        found = _affine(_add(_multiply(s, G), _multiply(t, self.point)))
        return found is not None and (digest_of(self, message, user_id) + found[0]) % N == r


@dataclass(frozen=True, slots=True)
class Sm2PrivateKey:
    """The number d, 1 to n-2."""

    d: int = field(repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.d <= N - 2:
            raise NoSm2Key("a private key lies between 1 and n-2")

    @classmethod
    def generate(cls) -> "Sm2PrivateKey":
        """Make a new key."""
        return cls(secrets.randbelow(N - 2) + 1)

    @classmethod
    def from_pem(cls, pem: bytes) -> "Sm2PrivateKey":
        """Read what `pem` writes; other ways to write the same key are not read. Raises NoSm2Key."""
        body = pem.strip()
        if not body.startswith(_PEM_HEAD) or not body.endswith(_PEM_FOOT):
            raise NoSm2Key("not a PEM private key")
        try:
            der = base64.b64decode(b"".join(body[len(_PEM_HEAD) : -len(_PEM_FOOT)].split()), validate=True)
        except binascii.Error as error:
            raise NoSm2Key("not a PEM private key") from error
        start = len(_PKCS8_HEAD)
        if not der.startswith(_PKCS8_HEAD) or len(der) != start + 32 + len(_PKCS8_MIDDLE) + 64:
            raise NoSm2Key("not an SM2 key")
        key = cls(_number(der[start : start + 32]))
        if der != key.pkcs8():
            raise NoSm2Key("its public key is another one's")
        return key

    def pem(self) -> bytes:
        """Return the key as PKCS #8 PEM, without a passphrase."""
        text = base64.b64encode(self.pkcs8())
        lines = [text[at : at + 64] for at in range(0, len(text), 64)]
        return b"\n".join([_PEM_HEAD, *lines, _PEM_FOOT]) + b"\n"

    def pkcs8(self) -> bytes:
        """Return the key as PKCS #8 DER with its public key."""
        public = self.public_key().spki()[len(_SPKI_HEAD) :]
        return _PKCS8_HEAD + _octets(self.d) + _PKCS8_MIDDLE + public

    def public_key(self) -> Sm2PublicKey:
        """Return the point P = [d]G."""
        point = _affine(_multiply(self.d, G))
        assert point is not None  # noqa: S101  # d is below the order
        return Sm2PublicKey(point)

    def sign(self, message: bytes, user_id: bytes = USER_ID) -> bytes:
        """Return r || s as GB/T 32918.2 §6.1 has it. The same message gets the same signature: see _nonces."""
        e = digest_of(self.public_key(), message, user_id)
        for k in _nonces(self.d, e):
            point = _affine(_multiply(k, G))
            if point is None:
                continue
            r = (e + point[0]) % N
            s = pow(1 + self.d, -1, N) * (k - r * self.d) % N
            if r != 0 and r + k != N and s != 0:
                return _octets(r) + _octets(s)
        raise AssertionError("unreachable: there is always another nonce")


def digest_of(key: Sm2PublicKey, message: bytes, user_id: bytes = USER_ID) -> int:
    """Return e = SM3(ZA || M), where ZA names the user, the curve and the key (GB/T 32918.2 §5.5)."""
    if len(user_id) > 8_191:
        raise ValueError("a user id has at most 8,191 bytes")
    named = b"".join(_octets(number) for number in (A, B, *G, *key.point))
    za = sm3((8 * len(user_id)).to_bytes(2, "big") + user_id + named)
    return _number(sm3(za + message))


def _nonces(d: int, e: int) -> Iterator[int]:
    """Draw k as RFC 6979 §3.2 does, with HMAC-SHA-256 over d and e: never the same for two messages, never random."""
    about = _octets(d) + _octets(e % N)
    key, value = bytes(32), b"\x01" * 32
    for separator in (b"\x00", b"\x01"):
        key = hmac.digest(key, value + separator + about, hashlib.sha256)
        value = hmac.digest(key, value, hashlib.sha256)
    while True:
        value = hmac.digest(key, value, hashlib.sha256)
        if 1 <= _number(value) < N:
            yield _number(value)
        key = hmac.digest(key, value + b"\x00", hashlib.sha256)
        value = hmac.digest(key, value, hashlib.sha256)


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if y == 0 or z == 0:
        return 0, 1, 0
    yy, zz = y * y % P, z * z % P
    four_x_yy = 4 * x * yy % P
    slope = 3 * (x - zz) * (x + zz) % P  # a = p - 3
    new_x = (slope * slope - 2 * four_x_yy) % P
    return new_x, (slope * (four_x_yy - new_x) - 8 * yy * yy) % P, 2 * y * z % P


def _add(one: _Jacobian, other: _Jacobian) -> _Jacobian:
    x1, y1, z1 = one
    x2, y2, z2 = other
    if z1 == 0:
        return other
    if z2 == 0:
        return one
    zz1, zz2 = z1 * z1 % P, z2 * z2 % P
    u1, u2 = x1 * zz2 % P, x2 * zz1 % P
    s1, s2 = y1 * zz2 * z2 % P, y2 * zz1 * z1 % P
    if u1 == u2:
        return _double(one) if s1 == s2 else (0, 1, 0)
    h, slope = u2 - u1, s2 - s1
    hh = h * h % P
    hhh, v = h * hh % P, u1 * hh % P
    new_x = (slope * slope - hhh - 2 * v) % P
    return new_x, (slope * (v - new_x) - s1 * hhh) % P, z1 * z2 * h % P


def _multiply(times: int, point: Point) -> _Jacobian:
    total: _Jacobian = (0, 1, 0)
    for bit in f"{times:b}":
        total = _double(total)
        if bit == "1":
            total = _add(total, (*point, 1))
    return total


def _affine(point: _Jacobian) -> Point | None:
    x, y, z = point
    if z == 0:
        return None
    inverse = pow(z, -1, P)
    return x * inverse**2 % P, y * inverse**3 % P


def _octets(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "big")


_IV = bytes.fromhex("7380166f4914b2b9172442d7da8a0600a96f30bc163138aae38dee4db0fb0e4e")


def sm3(data: bytes) -> bytes:
    """Return the SM3 digest (GB/T 32905-2016), 32 bytes."""
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + (8 * len(data)).to_bytes(8, "big")
    state = [_number(_IV[at : at + 4]) for at in range(0, 32, 4)]
    for at in range(0, len(padded), 64):
        state = [old ^ new for old, new in zip(state, _compress(state, padded[at : at + 64]), strict=True)]
    return b"".join(word.to_bytes(4, "big") for word in state)


def _rotate(word: int, by: int) -> int:
    by %= 32
    return (word << by | word >> (32 - by)) & 0xFFFFFFFF


def _expand(block: bytes) -> list[int]:
    """Return the words W_0 to W_67 (§5.3.2)."""
    w = [_number(block[at : at + 4]) for at in range(0, 64, 4)]
    for j in range(16, 68):
        mixed = w[j - 16] ^ w[j - 9] ^ _rotate(w[j - 3], 15)
        mixed ^= _rotate(mixed, 15) ^ _rotate(mixed, 23)
        w.append(mixed ^ _rotate(w[j - 13], 7) ^ w[j - 6])
    return w


def _compress(state: list[int], block: bytes) -> list[int]:
    """Return the eight words after the 64 rounds over one block (§5.3.3), before they are mixed into the state."""
    a, b, c, d, e, f, g, h = state
    w = _expand(block)
    for j in range(64):
        is_early = j < 16
        constant = 0x79CC4519 if is_early else 0x7A879D8A
        ss1 = _rotate((_rotate(a, 12) + e + _rotate(constant, j)) & 0xFFFFFFFF, 7)
        ff = a ^ b ^ c if is_early else (a & b) | (a & c) | (b & c)
        gg = e ^ f ^ g if is_early else (e & f) | (~e & g)
        tt1 = (ff + d + (ss1 ^ _rotate(a, 12)) + (w[j] ^ w[j + 4])) & 0xFFFFFFFF
        tt2 = (gg + h + ss1 + w[j]) & 0xFFFFFFFF
        a, b, c, d = tt1, a, _rotate(b, 9), c
        e, f, g, h = tt2 ^ _rotate(tt2, 9) ^ _rotate(tt2, 17), e, _rotate(f, 19), g
    return [a, b, c, d, e, f, g, h]
