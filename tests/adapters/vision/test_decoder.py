"""What zxing-cpp's answers become."""

import io

import pytest
import segno
import zxingcpp
from PIL import Image

from agent.adapters.vision.decoder import Decoder
from agent.core.reading.piece import Piece
from agent.core.reading.sightings import RAW
from agent.core.reading.symbologies import Symbology
from agent.core.scan import ScanFault


def drawn(code: segno.QRCode) -> Image.Image:
    out = io.BytesIO()
    code.save(out, kind="png", scale=4, border=4)
    return Image.open(out).convert("L")


def pieces(picture: Image.Image, *kinds: Symbology) -> list[Piece]:
    return [seen.piece for seen in Decoder(kinds or (Symbology.QR,)).read(picture, RAW)]


def test_bytes_come_as_the_symbol_holds_them() -> None:
    data = bytes(range(256))
    assert pieces(drawn(segno.make(data, micro=False))) == [Piece(data, None, "]Q1")]


@pytest.mark.parametrize(
    ("text", "charset", "eci"), [("Привет", "iso-8859-5", 7), ("中a\\b", "gb18030", 29), ("ü\\000026", "utf-8", 26)]
)
def test_the_eci_is_told_beside_the_bytes(text: str, charset: str, eci: int) -> None:
    (piece,) = pieces(drawn(segno.make(text, encoding=charset, eci=True, micro=False)))
    assert (piece.data, piece.eci, piece.fault) == (text.encode(charset), eci, None)


@pytest.mark.parametrize("text", ["\\000026 is text", "hello \\ world", "5D51"])
def test_a_code_that_only_looks_like_one_with_an_eci_has_none(text: str) -> None:
    assert pieces(drawn(segno.make(text, micro=False))) == [Piece(text.encode(), None, "]Q1")]


@pytest.mark.parametrize("version", [2, 4, 7])
@pytest.mark.parametrize("turn", [0, 90, 180])
@pytest.mark.parametrize("mask", range(8))
def test_a_part_of_a_code_in_several_symbols_is_refused_aloud(version: int, turn: int, mask: int) -> None:
    for part in segno.make_sequence("one person's data " * 20, version=version, mask=mask)[:2]:
        (piece,) = pieces(drawn(part).rotate(turn))
        assert piece.fault is ScanFault.INCOMPLETE


@pytest.mark.parametrize("mask", range(8))
@pytest.mark.parametrize("text", ["0123456789" * 4, "HC1:ABC" * 9, "mixed case, bytes", "日本"])
def test_a_whole_code_is_never_taken_for_a_part(mask: int, text: str) -> None:
    (piece,) = pieces(drawn(segno.make(text, micro=False, mask=mask)))
    assert piece.fault is None


def test_a_kind_that_was_not_asked_for_is_not_read() -> None:
    micro = drawn(segno.make("12345", micro=True))
    assert pieces(micro) == []
    assert [piece.data for piece in pieces(micro, Symbology.MICRO_QR)] == [b"12345"]


def test_the_gs1_separator_and_its_aim_id_come_through() -> None:
    code = zxingcpp.create_barcode("(01)09501101530003(10)AB1(21)C2", zxingcpp.BarcodeFormat.DataMatrix, gs1=True)
    picture = Image.frombuffer("L", _size(code), bytes(memoryview(code.to_image(scale=4))), "raw", "L", 0, 1)
    (piece,) = pieces(picture, Symbology.DATA_MATRIX)
    assert (piece.data, piece.aim) == (b"010950110153000310AB1\x1d21C2", "]d2")


def _size(code: zxingcpp.Barcode) -> tuple[int, int]:
    height, width = memoryview(code.to_image(scale=4)).shape
    return width, height


def test_a_kind_without_a_decoder_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="han-xin: take it out of symbologies"):
        Decoder([Symbology.QR, Symbology.HAN_XIN])
