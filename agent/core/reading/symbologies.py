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
