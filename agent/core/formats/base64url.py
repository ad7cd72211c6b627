"""Base64url as JOSE has it (RFC 4648 §5, RFC 7515 §2), strict: no padding, nothing but its 64 characters.

The law: bytes have one text. A last character whose unused bits are not zero is refused, so is a length of 1 modulo 4.
"""

import binascii

_TO_PLAIN = bytes.maketrans(b"-_+/=", b"+/!!!")
_TO_URL = bytes.maketrans(b"+/", b"-_")
_PADDING = (b"", None, b"==", b"=")
_LAST = (None, None, b"AQgw", b"AEIMQUYcgkosw048")  # what may stand last: the bits that mean nothing are zero


class Base64UrlInvalid(ValueError):
    """The characters are not base64url; the message says why, without them."""


def decode(characters: bytes) -> bytes:
    """Return the bytes. Raises Base64UrlInvalid."""
    rest = len(characters) % 4
    padding, last = _PADDING[rest], _LAST[rest]
    if padding is None:
        raise Base64UrlInvalid("a length of 1 modulo 4")
    if last is not None and characters[-1] not in last:
        raise Base64UrlInvalid("a last character that base64url lacks, or one with unused bits that are not zero")
    try:
        return binascii.a2b_base64(characters.translate(_TO_PLAIN) + padding, strict_mode=True)
    except binascii.Error as error:
        raise Base64UrlInvalid("a character that base64url lacks") from error


def encode(data: bytes) -> bytes:
    """Return the characters."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")
