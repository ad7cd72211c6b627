"""Decimal digits to bytes: a whole number of thousands of digits, as Aadhaar's Secure QR code writes its bytes.

The law: the interpreter's own limit (4,300 digits at once) stays as it is for everybody; no more digits are read than a
caller's text has, and a caller bounds that.
"""

PIECE_DIGITS = 4_000  # int() is quadratic, yet no slower up to here than pieces that Python puts together


def bytes_of(digits: str) -> bytes:
    """Return a number's bytes, most significant first, without leading zeros. digits: ASCII, two pieces at most."""
    number = int(digits[-PIECE_DIGITS:])
    if len(digits) > PIECE_DIGITS:
        number += int(digits[:-PIECE_DIGITS]) * 10**PIECE_DIGITS
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
