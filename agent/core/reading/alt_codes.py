"""Characters as numbers typed on the keypad while Alt is held. What a number means is set, never guessed."""

from typing import Literal

AltCodes = Literal["western", "unicode", "gbk", "none"]
"""western: 0nnn is Windows-1252, nnn code page 437; unicode: a code point; gbk: the two bytes of a GBK character."""

ALT_DIGITS_MAX = 10


def char_of(digits: str, codes: AltCodes, *, is_hex: bool = False) -> str | None:
    """Return the character that these digits stand for, or None where they stand for none.

    western takes a number above 255 for no character: Windows makes different ones of it in each program. Of code page
    437 it takes what code page 850, which half of Europe has in its place, has too. Below 32 are control characters.
    """
    if codes == "none" or not digits or len(digits) > ALT_DIGITS_MAX:
        return None
    number = int(digits, 16 if is_hex else 10)
    if number < 0x80:
        return chr(number)
    if is_hex or codes == "unicode":
        return chr(number) if 0xA0 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else None
    if codes == "gbk":
        return _decoded(number.to_bytes(2, "big"), "gbk") if number <= 0xFFFF else None
    if number > 0xFF:
        return None
    byte = bytes([number])
    if digits.startswith("0"):
        return _decoded(byte, "cp1252")
    char = _decoded(byte, "cp437")
    return char if char == _decoded(byte, "cp850") else None


def digits_of(char: str, codes: AltCodes) -> str:
    """Return the digits that stand for the character. Raises ValueError where there are none."""
    if ord(char) < 0x80:
        digits = f"0{ord(char)}" if codes == "western" else str(ord(char))
    elif codes == "western":
        digits = "0" + "".join(str(b) for b in char.encode("cp1252", errors="ignore"))
    else:
        number = ord(char) if codes == "unicode" else int.from_bytes(char.encode("gbk", errors="ignore"), "big")
        digits = str(number)
    if char_of(digits, codes) != char:
        raise ValueError(f"no ALT code ({codes}) for U+{ord(char):04X}")
    return digits


def _decoded(data: bytes, code_page: str) -> str | None:
    try:
        char = data.decode(code_page)
    except UnicodeDecodeError:
        return None
    return char if len(char) == 1 else None
