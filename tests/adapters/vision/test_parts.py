"""Codes in several symbols, and that no whole code is taken for a part of one."""

from typing import Any

import pytest
import zxingcpp
from PIL import Image

from agent.adapters.vision.decoder import Decoder
from agent.core.reading.piece import Piece
from agent.core.reading.sightings import RAW
from agent.core.reading.symbologies import Symbology
from agent.core.scan import ScanFault

KINDS = zxingcpp.BarcodeFormat
QUIET, SCALE = 4, 4
# A part of a Macro PDF417 code, a row of modules each: file 123, segment 1, drawn by pdf417gen's tables.
MACRO_PDF417 = """
11111111010101000111010100111000001010100000100000011101010111000000111111101000101001
11111111010101000111111010101110001110000110111010011111010100110000111111101000101001
11111111010101000110101011111000001111110101100010011101010111111000111111101000101001
11111111010101000101011111011111001100001010000110011010111101111100111111101000101001
11111111010101000111010111001100001001111110010011011010111000100000111111101000101001
11111111010101000111110101110000101101000010111110011110101111010000111111101000101001
11111111010101000101001110011100001110100001011100010100111011100000111111101000101001
11111111010101000101011111000011001111110100010111011010111111011110111111101000101001
11111111010101000101001101111100001100001111101010011010011011111100111111101000101001
11111111010101000101000110000011001111011100100011010100011000110000111111101000101001
11111111010101000111010011101100001111010111000111011010011100100000111111101000101001
"""


def modules(text: str, kind: zxingcpp.BarcodeFormat, **how: Any) -> list[list[bool]]:
    """Return a symbol's modules, True for dark."""
    drawn: Any = zxingcpp.create_barcode(text, kind, **how).to_image(add_quiet_zones=False)
    view = memoryview(drawn)
    return [[view[row, column] == 0 for column in range(view.shape[1])] for row in range(view.shape[0])]


def sum_of(texts: tuple[str, str, str], kind: zxingcpp.BarcodeFormat) -> list[list[bool]]:
    """Return the symbol whose codewords are the sum of three symbols' codewords.

    Reed-Solomon codes are linear: the sum of three symbols of one size is a symbol, right to its last check word. So
    codewords arise that no text gives: three texts that differ in their heads only keep their tails.
    """
    first, second, third = (modules(text, kind) for text in texts)
    assert len(first) == len(second) == len(third)
    return [[a ^ b ^ c for a, b, c in zip(*rows, strict=True)] for rows in zip(first, second, third, strict=True)]


def pieces(rows: list[list[bool]], kind: Symbology, tall: int = 1, turn: int = 0) -> list[Piece]:
    picture = Image.new("L", (len(rows[0]) + 2 * QUIET, (len(rows) + 2 * QUIET) * tall), "white")
    for y, row in enumerate(rows):
        for x, is_dark in enumerate(row):
            if is_dark:
                picture.paste(0, (x + QUIET, (y + QUIET) * tall, x + QUIET + 1, (y + QUIET + 1) * tall))
    picture = picture.resize((picture.width * SCALE, picture.height * SCALE), Image.Resampling.NEAREST)
    return [seen.piece for seen in Decoder([kind]).read(picture.rotate(turn, expand=True), RAW)]


@pytest.mark.parametrize("turn", [0, 90, 180])
@pytest.mark.parametrize("tail", ["part", "part two of it", "a longer part of a message " * 3, "Z9" * 150])
def test_a_part_of_a_data_matrix_code_is_refused_aloud(tail: str, turn: int) -> None:
    # 229 ("99") + 33 (blank) + 45 (comma) is 233, Structured Append; then the fourth of five, and the file
    texts = ("99;AB" + tail, " ;AB" + tail, ",;AB" + tail)
    (piece,) = pieces(sum_of(texts, KINDS.DataMatrix), Symbology.DATA_MATRIX, turn=turn)
    assert (piece.data, piece.fault) == (tail.encode(), ScanFault.INCOMPLETE)


@pytest.mark.parametrize("version", range(1, 49))
def test_a_whole_data_matrix_code_of_any_size_is_read(version: int) -> None:
    for text in ("Aa", "99", "\x1d0", "é"):
        (piece,) = pieces(modules(text, KINDS.DataMatrix, version=version), Symbology.DATA_MATRIX)
        assert piece.fault is None


@pytest.mark.parametrize("tail", ["HELLO", "WORLDS", "MNOPQRS"])
def test_a_part_of_an_aztec_code_is_refused_aloud(tail: str) -> None:
    # Z (27) + C (4) + A (2) is 29: to Mixed and back, which opens Structured Append; then the second of four
    texts = ("ZZBD" + tail, "CCBD" + tail, "AABD" + tail)
    (piece,) = pieces(sum_of(texts, KINDS.Aztec), Symbology.AZTEC)
    assert (piece.data, piece.aim, piece.fault) == (tail.encode(), "]z6", ScanFault.INCOMPLETE)


def test_whole_aztec_codes_are_read() -> None:
    for text in ("HELLO", "lower 123", "bytes é", "\x1d01095011015300031"):
        (piece,) = pieces(modules(text, KINDS.Aztec), Symbology.AZTEC)
        assert piece.fault is None


def test_a_part_of_a_pdf417_code_is_refused_aloud() -> None:
    rows = [[module == "1" for module in row] for row in MACRO_PDF417.split()]
    (piece,) = pieces(rows, Symbology.PDF417, tall=3)
    assert (piece.data, piece.fault) == (b"part", ScanFault.INCOMPLETE)


def test_a_whole_pdf417_code_is_read() -> None:
    (piece,) = pieces(modules("FileId 123", KINDS.PDF417), Symbology.PDF417)
    assert (piece.data, piece.fault) == (b"FileId 123", None)
