"""Decimal digits to bytes: a whole number of thousands of digits, as Aadhaar's Secure QR code writes its bytes.

The law: the interpreter's own limit (4,300 digits at once) stays as it is for everybody; no more digits are read than a
caller's text has, and a caller bounds that. Divide and conquer: pieces of PIECE_DIGITS, joined in pairs.
"""

from functools import cache

PIECE_DIGITS = 420  # int() is quadratic: below this it is faster than joining smaller pieces


def bytes_of(digits: str) -> bytes:
    """Return a number's bytes, most significant first, none of them leading zeros. digits: ASCII digits alone."""
    first = len(digits) % PIECE_DIGITS or PIECE_DIGITS
    parts = [
        int(digits[:first]),
        *(int(digits[at : at + PIECE_DIGITS]) for at in range(first, len(digits), PIECE_DIGITS)),
    ]
    width = PIECE_DIGITS
    while len(parts) > 1:
        # 10^n = 5^n * 2^n: a third less to multiply, and the rest is a shift
        fives, alone = _power_of_five(width), len(parts) % 2
        pairs = zip(parts[alone::2], parts[alone + 1 :: 2], strict=True)
        parts = [*parts[:alone], *((high * fives << width) + low for high, low in pairs)]
        width *= 2
    return parts[0].to_bytes((parts[0].bit_length() + 7) // 8, "big")


@cache  # of five widths, for the digits a QR code holds
def _power_of_five(exponent: int) -> int:
    return 5**exponent  # type: ignore[no-any-return]  # an int, as no exponent is below 0
