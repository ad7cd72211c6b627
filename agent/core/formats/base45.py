"""Base45 (RFC 9285), strict: exactly the 45 characters, no padding, no trimming (the space is one of them).

Two bytes are three characters, a last single byte is two.
"""

CHARACTERS_MAX = 4_296  # an alphanumeric QR code holds no more
_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_BAD = 0xFF
_VALUES = bytes(_ALPHABET.index(c) if c in _ALPHABET else _BAD for c in range(256))
_LANES = int.from_bytes(b"\x00\x00\xff" * (CHARACTERS_MAX // 3), "big")
_OVERFLOW = _LANES << 16


class Base45Invalid(ValueError):
    """The text is not base45; the message says why, without the text."""


def decode(text: str) -> bytes:
    """Return the bytes (RFC 9285 §4.2) of at most CHARACTERS_MAX characters. Raises Base45Invalid."""
    if len(text) > CHARACTERS_MAX:
        raise Base45Invalid(f"more than {CHARACTERS_MAX} characters")
    try:
        values = text.encode().translate(_VALUES)
    except UnicodeEncodeError as error:
        raise Base45Invalid("a character that base45 lacks") from error
    if _BAD in values:
        raise Base45Invalid("a character that base45 lacks")
    rest = len(values) % 3
    size = len(values) - rest
    # All groups at once, four times as fast as one by one: each is a lane of three bytes in one large number, wide
    # enough for the most that three characters c, d, e can say, 91,124.
    number = int.from_bytes(values[:size], "big")
    number = (number >> 16 & _LANES) + 45 * ((number >> 8 & _LANES) + 45 * (number & _LANES))
    if number & _OVERFLOW:
        raise Base45Invalid("three characters above 65,535")
    data = bytearray(number.to_bytes(size, "big"))
    del data[::3]  # the byte of each lane that is zero
    if rest == 1:
        raise Base45Invalid("a length of 1 modulo 3")
    if rest == 2:
        last = values[-2] + values[-1] * 45
        if last > 0xFF:
            raise Base45Invalid("the last two characters above 255")
        data.append(last)
    return bytes(data)


def encode(data: bytes) -> str:
    """Return the text (RFC 9285 §4.1)."""
    out = bytearray()
    for high, low in zip(data[0::2], data[1::2], strict=False):
        number = high << 8 | low
        out += bytes((_ALPHABET[number % 45], _ALPHABET[number // 45 % 45], _ALPHABET[number // 2025]))
    if len(data) % 2:
        out += bytes((_ALPHABET[data[-1] % 45], _ALPHABET[data[-1] // 45]))
    return out.decode("ascii")
