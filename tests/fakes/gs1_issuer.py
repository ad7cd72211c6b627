"""A maker of GS1 codes, written from the General Specifications: invented products under prefix 952 (for examples)."""

import re

GS = "\x1d"
IBAN = "DE89370400440532013000"  # the example of ISO 13616
GMN = "1987654Ad4X4bL5ttr2310c2K"  # the example of the General Specifications


def with_check_digit(digits: str) -> str:
    """Append the check digit (7.9): weights 3 and 1 from the right."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return digits + str(-total % 10)


GTIN = with_check_digit("0952123456789")
OTHER_GTIN = with_check_digit("0952123400001")
SSCC = with_check_digit("09521234567890123")
GLN = with_check_digit("952123400005")

_VALUES = {
    "00": SSCC, "01": GTIN, "02": GTIN, "03": GTIN, "253": GLN + "A-1", "255": GLN + "77",
    "423": "156392", "425": "156392", "8043": "123456789012345678",
    "402": with_check_digit("9521234000000001"), "401": "9521234ABC", "4309": "10000000002000000000",
    "4307": "CN", "4317": "CN", "4324": "2811302359", "4325": "2811302359", "4326": "281130", "4330": "002000-",
    "4331": "002000-", "4332": "002000-", "4333": "002000", "7003": "2811302359", "7006": "281130",
    "7007": "281130", "7011": "2811302359", "7023": "9521234ABC", "7040": "1ABC", "7250": "19991231",
    "7251": "199912312359", "7252": "1", "7258": "1/3", "8001": "12345678901231"[:12] + "10", "8003": "0" + GLN + "S1",
    "8004": "9521234ABC", "8006": GTIN + "0102", "8026": GTIN + "0202", "8007": IBAN, "8008": "281130235959",
    "8010": "9521234ABC/1", "8011": "12", "8013": GMN, "8014": GMN, "8017": with_check_digit("95212340000000001"),
    "8018": with_check_digit("95212340000000002"), "4321": "0", "4322": "1", "4323": "0",
}  # fmt: skip


def value_for(ai: str, form: str) -> str:
    """Return a value of an identifier, from its form as the standard writes it ("N2+N3+X..27")."""
    if ai in _VALUES:
        return _VALUES[ai]
    if ai[:2] == "41":
        return GLN
    if ai in ("11", "12", "13", "15", "16", "17"):
        return "281130"
    value = ""
    for kind, dots, size in re.findall(r"([NXYZ])(\.\.)?(\d+)", form)[1:]:
        length = int(size) - (1 if dots and int(size) > 1 else 0)
        value += ("1234567890" * 4)[:length] if kind == "N" else ("A-b7" * 30)[:length]
    return value


def strung(*elements: tuple[str, str], predefined: frozenset[str]) -> str:
    """Return the element string: a separator behind each value that is not the last nor of predefined length (7.8)."""
    text = ""
    for ai, value in elements:
        text += ai + value + ("" if ai in predefined else GS)
    return text.removesuffix(GS)
