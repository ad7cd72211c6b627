"""Decimal digits to bytes: a whole number of thousands of digits, as Aadhaar's Secure QR code writes its bytes.

The law: the interpreter's own limit (4,300 digits at once) stays as it is for everybody; no more digits are read than a
caller's text has, and a caller bounds that.
"""

PIECE_DIGITS = 1_600  # int() is quadratic; shorter pieces are slower put together
_FIVES = 5**PIECE_DIGITS  # a power of ten is this, shifted: a third fewer digits to multiply by


def bytes_of(digits: str) -> bytes:
    """Return a number's bytes, most significant first, without leading zeros. digits: ASCII."""
    at = len(digits) % PIECE_DIGITS
    number = int(digits[:at] or "0")
    while at < len(digits):
        number = (number * _FIVES << PIECE_DIGITS) + int(digits[at : at + PIECE_DIGITS])
        at += PIECE_DIGITS
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
