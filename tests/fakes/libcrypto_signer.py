"""Signs with SM2 by the system's libcrypto: neither the platform's signer nor that of the vectors."""

import ctypes
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

LIBRARY = "libcrypto.so.3"
SIGNATURE_DER_BYTES_MAX = 80


class LibcryptoSigner:
    """A private key given as PKCS #8 DER. Freed with the process: tests make few of them."""

    def __init__(self, pkcs8: bytes) -> None:
        self._lib: Any = ctypes.CDLL(LIBRARY)
        for name in ("d2i_AutoPrivateKey", "EVP_MD_CTX_new", "EVP_PKEY_CTX_new", "EVP_sm3"):
            getattr(self._lib, name).restype = ctypes.c_void_p
        at = ctypes.c_char_p(pkcs8)
        self._key = self._lib.d2i_AutoPrivateKey(None, ctypes.byref(at), ctypes.c_long(len(pkcs8)))
        assert self._key, "libcrypto does not read the key"

    def sign(self, message: bytes, user_id: bytes = b"1234567812345678") -> bytes:
        """Return r || s."""
        lib, pointer = self._lib, ctypes.c_void_p
        about, context = lib.EVP_PKEY_CTX_new(pointer(self._key), None), lib.EVP_MD_CTX_new()
        assert lib.EVP_PKEY_CTX_set1_id(pointer(about), user_id, len(user_id)) == 1
        lib.EVP_MD_CTX_set_pkey_ctx(pointer(context), pointer(about))
        assert lib.EVP_DigestSignInit(pointer(context), None, pointer(lib.EVP_sm3()), None, pointer(self._key)) == 1
        room = ctypes.create_string_buffer(SIGNATURE_DER_BYTES_MAX)
        size = ctypes.c_size_t(SIGNATURE_DER_BYTES_MAX)
        done = lib.EVP_DigestSign(pointer(context), room, ctypes.byref(size), message, ctypes.c_size_t(len(message)))
        assert done == 1
        lib.EVP_MD_CTX_free(pointer(context))
        lib.EVP_PKEY_CTX_free(pointer(about))
        r, s = decode_dss_signature(room.raw[: size.value])
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
