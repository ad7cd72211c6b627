"""Kinds of code by the names a profile uses, and how AIM symbology ids tell them (ISO/IEC 15424)."""

from enum import StrEnum


class Symbology(StrEnum):
    """A kind of printed code. The value is what configurations say."""

    QR = "qr"
    MICRO_QR = "micro-qr"
    DATA_MATRIX = "data-matrix"
    AZTEC = "aztec"
    PDF417 = "pdf417"
    HAN_XIN = "han-xin"
    MAXICODE = "maxicode"
    CODE128 = "code128"
    CODE39 = "code39"
    CODE93 = "code93"
    CODABAR = "codabar"
    ITF = "itf"
    EAN13 = "ean13"
    EAN8 = "ean8"
    UPC = "upc"
    GS1_DATABAR = "gs1-databar"


_QR = frozenset({Symbology.QR, Symbology.MICRO_QR})
_RETAIL = frozenset({Symbology.EAN13, Symbology.UPC})

_KINDS: dict[str, frozenset[Symbology]] = {
    "A": frozenset({Symbology.CODE39}),
    "C": frozenset({Symbology.CODE128}),  # ]C1 is GS1-128
    "E": _RETAIL,  # told as 13 digits each; ]E3 with an add-on
    "F": frozenset({Symbology.CODABAR}),
    "G": frozenset({Symbology.CODE93}),
    "I": frozenset({Symbology.ITF}),
    "L": frozenset({Symbology.PDF417}),  # and MicroPDF417
    "Q": _QR,  # one letter for both; ]Q3 is GS1 QR
    "U": frozenset({Symbology.MAXICODE}),
    "d": frozenset({Symbology.DATA_MATRIX}),  # ]d2 is GS1 DataMatrix
    "e": frozenset({Symbology.GS1_DATABAR}),
    "h": frozenset({Symbology.HAN_XIN}),
    "z": frozenset({Symbology.AZTEC}),
}
"""By code character (ISO/IEC 15424, table 1); letter case tells kinds apart."""

_KINDS_MODIFIED: dict[str, frozenset[Symbology]] = {
    "E1": _RETAIL | {Symbology.EAN8},  # the add-on alone
    "E2": _RETAIL | {Symbology.EAN8},
    "E4": frozenset({Symbology.EAN8}),
}


def kinds_of(aim: str) -> frozenset[Symbology]:
    """Return the kinds of code an AIM id ("]Q1") may stand for; none for a kind that no profile can name."""
    return _KINDS_MODIFIED.get(aim[1:3], _KINDS.get(aim[1:2], frozenset()))
