"""SM2 signatures with SM3 (GB/T 32918.2), checked by the system's libcrypto: the `cryptography` library has no SM2.

The law: a library is used only after it has proved itself on the standard's example; only a key in its one DER form, on
the curve, and only r || s in [1, n-1] are given to it; whatever it does not call valid is not. Nothing is loaded before
the first SM2 key. Signing is left to issuers: a terminal does not sign with SM2.
"""

import ctypes
import functools
import logging
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from agent.core.trust_list import AlgorithmUnavailable

log = logging.getLogger(__name__)

SIGNATURE_BYTES = 64
USER_ID = b"1234567812345678"  # GM/T 0009 §10: the id to take where none was agreed
USER_ID_BYTES_MAX = 8_191  # its length in bits is written in two bytes

# The recommended curve (GB/T 32918.5 §2).
_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_A = _P - 3
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_G_X = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
_G_Y = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
_CURVE = b"".join(number.to_bytes(32, "big") for number in (_A, _B, _G_X, _G_Y))

# RFC 5480 §2: id-ecPublicKey, the curve by name, a point that is not compressed; its coordinates follow.
_SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
_SPKI_BYTES = len(_SPKI_HEAD) + 64
_DIGEST_BYTES = 32

# The soname first: where Python's own ssl runs on OpenSSL 3, that very library is loaded already and costs no memory.
LIBRARIES = ("libcrypto.so.3",)
_VERSION_MIN = 0x3000_0000

_POINTER, _BYTES, _INT, _SIZE = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {  # name: (result, arguments), as in the manual pages of OpenSSL 3
    "OpenSSL_version_num": (ctypes.c_ulong, ()),
    "ERR_clear_error": (None, ()),
    "EVP_MD_fetch": (_POINTER, (_POINTER, _BYTES, _BYTES)),
    "EVP_MD_free": (None, (_POINTER,)),
    "EVP_Digest": (_INT, (_BYTES, _SIZE, _BYTES, ctypes.POINTER(ctypes.c_uint), _POINTER, _POINTER)),
    "d2i_PUBKEY": (_POINTER, (_POINTER, ctypes.POINTER(_BYTES), ctypes.c_long)),
    "EVP_PKEY_free": (None, (_POINTER,)),
    "EVP_PKEY_is_a": (_INT, (_POINTER, _BYTES)),
    "EVP_PKEY_CTX_new": (_POINTER, (_POINTER, _POINTER)),
    "EVP_PKEY_CTX_free": (None, (_POINTER,)),
    "EVP_PKEY_public_check": (_INT, (_POINTER,)),
    "EVP_PKEY_verify_init": (_INT, (_POINTER,)),
    "EVP_PKEY_verify": (_INT, (_POINTER, _BYTES, _SIZE, _BYTES, _SIZE)),
}


class Example(NamedTuple):
    """A public key, a message and a signature that must be found valid."""

    spki: bytes
    message: bytes
    signature: bytes


EXAMPLE = Example(  # GB/T 32918.5-2017, annex A.2
    _SPKI_HEAD
    + bytes.fromhex(
        "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
    ),
    b"message digest",
    bytes.fromhex(
        "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
        "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
    ),
)


class Libcrypto:
    """A libcrypto that can do SM2: proven on an example. Any thread may use it; the calls let other threads run."""

    def __init__(self, name: str, example: Example = EXAMPLE) -> None:
        """Load it by file or soname. Raises AlgorithmUnavailable, which says why it cannot be used."""
        self._functions = _load(name)
        # Kept for good: there is one such library in a process.
        self._sm3: int | None = self._functions.EVP_MD_fetch(None, b"SM3", None)
        self._functions.ERR_clear_error()
        if self._sm3 is None:
            raise AlgorithmUnavailable(f"{name} has no SM3: its build or its openssl.cnf leaves it out")
        try:
            key = load_key(example.spki, library=self)
        except ValueError as error:
            raise AlgorithmUnavailable(f"{name} has no SM2: its build or its openssl.cnf leaves it out") from error
        if not key.verify(example.signature, example.message) or key.verify(example.signature, example.message + b"!"):
            raise AlgorithmUnavailable(f"{name} fails the example of GB/T 32918.5: it is not to be trusted with SM2")

    def __reduce__(self) -> str:
        raise TypeError("a loaded library cannot be copied or sent")

    def sm3(self, data: bytes) -> bytes:
        """Return the SM3 digest (GB/T 32905), 32 bytes."""
        digest = ctypes.create_string_buffer(_DIGEST_BYTES)
        if self._functions.EVP_Digest(data, len(data), digest, None, self._sm3, None) != 1:
            raise MemoryError("libcrypto could not digest")
        return digest.raw

    def read_key(self, spki: bytes) -> "_PublicKey":
        """Return a key it has checked: of the curve's group, and not the neutral element. Raises ValueError."""
        lib = self._functions
        at = ctypes.c_char_p(spki)  # moved by the call, so not to be used again
        pointer = lib.d2i_PUBKEY(None, ctypes.byref(at), len(spki))
        if pointer is None:
            lib.ERR_clear_error()
            raise ValueError("not a public key")
        key = _PublicKey(pointer, lib.EVP_PKEY_free)
        context = lib.EVP_PKEY_CTX_new(pointer, None)
        is_good = (
            context is not None and lib.EVP_PKEY_is_a(pointer, b"SM2") == 1 and lib.EVP_PKEY_public_check(context) == 1
        )
        lib.EVP_PKEY_CTX_free(context)  # None is allowed
        lib.ERR_clear_error()
        if not is_good:
            raise ValueError("not a point of SM2's curve")
        return key

    def is_signature(self, key: "_PublicKey", signature_der: bytes, digest: bytes) -> bool:
        """Say whether this is the key's signature over the digest e (GB/T 32918.2 §7.1)."""
        lib = self._functions
        context = lib.EVP_PKEY_CTX_new(key.pointer, None)  # one for each check: a context is not for two threads
        if context is None:
            raise MemoryError("libcrypto gave no context")
        try:
            if lib.EVP_PKEY_verify_init(context) != 1:
                raise MemoryError("libcrypto could not begin to verify")
            is_valid: bool = lib.EVP_PKEY_verify(context, signature_der, len(signature_der), digest, _DIGEST_BYTES) == 1
        finally:
            lib.EVP_PKEY_CTX_free(context)
            lib.ERR_clear_error()  # the queue belongs to the thread: Python's ssl would take our refusal for its own
        return is_valid


class _PublicKey:
    """Owns an EVP_PKEY and frees it once. It is an address in this process, so it is neither copied nor sent."""

    __slots__ = ("__weakref__", "pointer")

    def __init__(self, pointer: int, free: Any) -> None:
        self.pointer = pointer
        weakref.finalize(self, free, pointer).atexit = False  # the process's end frees all there is

    def __reduce__(self) -> str:
        raise TypeError("a key in libcrypto's memory cannot be copied or sent")


@dataclass(frozen=True, slots=True)
class Sm2Key:
    """SM2 over its recommended curve with SM3; the signature is r || s, 32 bytes each."""

    _library: Libcrypto = field(repr=False)
    _key: _PublicKey = field(repr=False)
    za: bytes

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Check a signature over e = SM3(ZA || message); DER is not one."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if not (0 < r < _ORDER and 0 < s < _ORDER):
            return False
        digest = self._library.sm3(self.za + message)
        return self._library.is_signature(self._key, encode_dss_signature(r, s), digest)


def availability() -> str | None:
    """Return None where SM2 can be verified on this machine, else why not, in words."""
    found = _system_library()
    return found if isinstance(found, str) else None


def load_key(spki: bytes, *, user_id: bytes = USER_ID, library: Libcrypto | None = None) -> Sm2Key:
    """Return the key of a DER SubjectPublicKeyInfo: id-ecPublicKey on sm2p256v1, the point uncompressed, 91 bytes.

    Raises ValueError for any other bytes, AlgorithmUnavailable where this machine has no library that can do it.
    """
    if len(spki) != _SPKI_BYTES or not spki.startswith(_SPKI_HEAD):
        raise ValueError("not an SM2 key: id-ecPublicKey, the curve sm2p256v1 by name, an uncompressed point")
    if len(user_id) > USER_ID_BYTES_MAX:
        raise ValueError(f"a user id has at most {USER_ID_BYTES_MAX} bytes")
    x, y = int.from_bytes(spki[-64:-32], "big"), int.from_bytes(spki[-32:], "big")
    if x >= _P or y >= _P:
        raise ValueError("not a point of SM2's curve: a coordinate is not below p")
    if library is None:
        found = _system_library()
        if isinstance(found, str):
            raise AlgorithmUnavailable(found)
        library = found
    # GB/T 32918.2 §5.5: whose signature it is, and on which curve
    za = library.sm3((8 * len(user_id)).to_bytes(2, "big") + user_id + _CURVE + spki[-64:])
    return Sm2Key(library, library.read_key(spki), za)


@functools.cache
def _system_library() -> Libcrypto | str:
    """Return the library, or why there is none. Asked once: libraries do not come while a process runs."""
    try:
        return _first_of(LIBRARIES)
    except AlgorithmUnavailable as error:
        log.warning("codes signed with SM2 are refused on this machine: %s", error)
        return str(error)


def _first_of(names: Sequence[str]) -> Libcrypto:
    """Return the first that works. Raises AlgorithmUnavailable with what is wrong with each."""
    troubles = list[str]()
    for name in (*names, None):
        try:
            return Libcrypto(name if name is not None else _find())
        except AlgorithmUnavailable as error:
            troubles.append(str(error))
    raise AlgorithmUnavailable("; ".join(dict.fromkeys(troubles)))


def _find() -> str:
    """Return what the system calls its libcrypto; only asked where no known name is there, as it runs programs."""
    from ctypes.util import find_library  # noqa: PLC0415

    name = find_library("crypto")
    if name is None:
        raise AlgorithmUnavailable("no libcrypto is installed: SM2 needs OpenSSL 3 (on Debian the package libssl3)")
    return name


def _load(name: str) -> ctypes.CDLL:
    """Load a library and say of each function what it takes and gives. Raises AlgorithmUnavailable."""
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise AlgorithmUnavailable(f"{name} cannot be loaded") from error
    for function, (result, arguments) in _FUNCTIONS.items():
        try:
            declared = getattr(library, function)
        except AttributeError as error:
            raise AlgorithmUnavailable(f"{name} is not OpenSSL 3: it has no {function}") from error
        declared.restype, declared.argtypes = result, arguments
    if library.OpenSSL_version_num() < _VERSION_MIN:
        raise AlgorithmUnavailable(f"{name} is older than OpenSSL 3")
    return library
