"""Which characters bytes stand for: strict UTF-8, then what the symbol declares, then what the site writes. Else none.

The law: nothing is replaced, dropped or guessed at; bytes that no named set explains have no text.
"""

ECI_CODECS = {
    0: "cp437", 1: "iso-8859-1", 2: "cp437", 3: "iso-8859-1", 4: "iso-8859-2", 5: "iso-8859-3", 6: "iso-8859-4",
    7: "iso-8859-5", 8: "iso-8859-6", 9: "iso-8859-7", 10: "iso-8859-8", 11: "iso-8859-9", 12: "iso-8859-10",
    13: "iso-8859-11", 15: "iso-8859-13", 16: "iso-8859-14", 17: "iso-8859-15", 18: "iso-8859-16",
    20: "shift_jis", 21: "cp1250", 22: "cp1251", 23: "cp1252", 24: "cp1256", 25: "utf-16-be", 26: "utf-8",
    27: "ascii", 28: "big5", 29: "gb18030", 30: "euc_kr", 31: "gbk", 32: "gb18030", 33: "utf-16-le",
    34: "utf-32-be", 35: "utf-32-le", 170: "ascii",
}  # fmt: skip
"""AIM ITS/04-023, by Python's names; 29 is GB 2312, which GB 18030 contains. Binary (899) is no text."""

WIDE_ECIS = frozenset({25, 33, 34, 35})  # their plain letters are valid UTF-8 too, with NULs between


def text_of(data: bytes, eci: int | None, charset: str) -> str | None:
    """Return what the bytes say, or None. eci: as the symbol declares, or None; charset: a codec's name, or "none"."""
    declared = None if eci is None else ECI_CODECS.get(eci)
    if declared is not None and eci in WIDE_ECIS:
        return _strictly(data, declared)
    if (text := _strictly(data, "utf-8")) is not None:
        return text
    if declared is not None and (text := _strictly(data, declared)) is not None:
        return text
    return None if charset == "none" else _strictly(data, charset)


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None
