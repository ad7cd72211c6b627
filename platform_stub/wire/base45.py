"""Base45 (RFC 9285), strictly: every text has one meaning, or Base45Invalid is raised. Nothing is trimmed."""

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUE = {character: value for value, character in enumerate(ALPHABET)}


class Base45Invalid(Exception):
    """Not base45."""


def encode(data: bytes) -> str:
    """Return the text."""
    out: list[str] = []
    for i in range(0, len(data) - 1, 2):
        rest, low = divmod(data[i] << 8 | data[i + 1], 45)
        high, middle = divmod(rest, 45)
        out += ALPHABET[low], ALPHABET[middle], ALPHABET[high]
    if len(data) % 2:
        high, low = divmod(data[-1], 45)
        out += ALPHABET[low], ALPHABET[high]
    return "".join(out)


def decode(text: str) -> bytes:
    """Return the bytes. Raises Base45Invalid."""
    if len(text) % 3 == 1:
        raise Base45Invalid("the length is impossible")
    try:
        values = [_VALUE[character] for character in text]
    except KeyError:
        raise Base45Invalid("a character that base45 lacks") from None
    out = bytearray()
    for i in range(0, len(values), 3):
        chunk = values[i : i + 3]
        number = sum(value * 45**power for power, value in enumerate(chunk))
        size = len(chunk) - 1
        if number >= 1 << (8 * size):
            raise Base45Invalid("a chunk is too large")
        out += number.to_bytes(size, "big")
    return bytes(out)
