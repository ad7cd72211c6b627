"""Base64url as JOSE has it (RFC 4648 §5, RFC 7515 §2), strict: no padding, nothing but its 64 characters.

The law: bytes have one text. A last character whose unused bits are not zero is refused, so is a length of 1 modulo 4.
"""

import binascii

_TO_PLAIN = bytes.maketrans(b"-_+/=", b"+/!!!")
_TO_URL = bytes.maketrans(b"+/", b"-_")
_PADDING = (b"", None, b"==", b"=")


class Base64UrlInvalid(ValueError):
    """The characters are not base64url; the message says why, without them."""


def decode(characters: bytes) -> bytes:
    """Return the bytes. Raises Base64UrlInvalid."""
    padding = _PADDING[len(characters) % 4]
    if padding is None:
        raise Base64UrlInvalid("a length of 1 modulo 4")
    plain = characters.translate(_TO_PLAIN) + padding
    try:
        data = binascii.a2b_base64(plain)
    except binascii.Error as error:
        raise Base64UrlInvalid("not base64url") from error
    # The library passes over what is no base64 and over unused bits: what it read, written again, must be the same.
    if binascii.b2a_base64(data, newline=False) != plain:
        raise Base64UrlInvalid("a character that base64url lacks, or unused bits that are not zero")
    return data


def encode(data: bytes) -> bytes:
    """Return the characters."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")
