"""zxing-cpp: a picture to the codes in it.

The law: bytes as the symbol holds them, nothing re-encoded. A part of a code in several symbols is never the whole.
"""

from collections.abc import Sequence

import zxingcpp
from PIL import Image

from agent.adapters.vision.parts import is_part
from agent.core.reading.piece import Piece
from agent.core.reading.sightings import Box, Sighting
from agent.core.reading.symbologies import Symbology
from agent.core.scan import SCAN_BYTES_MAX, ScanFault

CODES_MAX = 16
_AIM_BYTES = 3
_ECI_BYTES = 7  # a backslash and six digits (AIM ITS/04-023)

_FORMATS = zxingcpp.BarcodeFormat
_READS: dict[Symbology, tuple[zxingcpp.BarcodeFormat, ...]] = {
    Symbology.QR: (_FORMATS.QRCode,),
    Symbology.MICRO_QR: (_FORMATS.MicroQRCode,),
    Symbology.DATA_MATRIX: (_FORMATS.DataMatrix,),
    Symbology.AZTEC: (_FORMATS.Aztec,),
    Symbology.PDF417: (_FORMATS.PDF417,),
    Symbology.MAXICODE: (_FORMATS.MaxiCode,),
    Symbology.CODE128: (_FORMATS.Code128,),
    Symbology.CODE39: (_FORMATS.Code39,),
    Symbology.CODE93: (_FORMATS.Code93,),
    Symbology.CODABAR: (_FORMATS.Codabar,),
    Symbology.ITF: (_FORMATS.ITF,),
    Symbology.EAN13: (_FORMATS.EAN13,),
    Symbology.EAN8: (_FORMATS.EAN8,),
    Symbology.UPC: (_FORMATS.UPCA, _FORMATS.UPCE),
    Symbology.GS1_DATABAR: (_FORMATS.DataBar, _FORMATS.DataBarExp, _FORMATS.DataBarLtd),
}
# A format is a kind within a family; the family is what tells the symbology, but for these.
_OF_FORMAT = {
    _FORMATS.MicroQRCode: Symbology.MICRO_QR,
    _FORMATS.EAN8: Symbology.EAN8,
    _FORMATS.UPCA: Symbology.UPC,
    _FORMATS.UPCE: Symbology.UPC,
}
_OF_FAMILY = {
    _FORMATS.QRCode: Symbology.QR,
    _FORMATS.DataMatrix: Symbology.DATA_MATRIX,
    _FORMATS.Aztec: Symbology.AZTEC,
    _FORMATS.PDF417: Symbology.PDF417,
    _FORMATS.MaxiCode: Symbology.MAXICODE,
    _FORMATS.Code128: Symbology.CODE128,
    _FORMATS.Code39: Symbology.CODE39,
    _FORMATS.Code93: Symbology.CODE93,
    _FORMATS.Codabar: Symbology.CODABAR,
    _FORMATS.ITF: Symbology.ITF,
    _FORMATS.EANUPC: Symbology.EAN13,
    _FORMATS.DataBar: Symbology.GS1_DATABAR,
}


class Decoder:
    """Reads the kinds of code it was told. Raises ValueError for a kind that zxing-cpp cannot read."""

    def __init__(self, symbologies: Sequence[Symbology]) -> None:
        if unread := [kind.value for kind in symbologies if kind not in _READS]:
            raise ValueError(f"no camera reads {', '.join(unread)}: take it out of symbologies")
        self._symbologies = frozenset(symbologies)
        self._formats = zxingcpp.BarcodeFormats([code for kind in symbologies for code in _READS[kind]])

    def read(
        self, picture: Image.Image, look: str, *, is_thorough: bool = True, is_global: bool = False
    ) -> list[Sighting]:
        """Return the codes in a picture of brightness (mode L), at most CODES_MAX. Never raises.

        is_thorough: also made smaller and inverted; is_global: one threshold for the whole picture.
        """
        binarizer = zxingcpp.Binarizer.GlobalHistogram if is_global else zxingcpp.Binarizer.LocalAverage
        try:
            found = zxingcpp.read_barcodes(
                picture,
                formats=self._formats,
                try_rotate=True,  # a code of bars at a right angle is not seen without it
                try_downscale=is_thorough,
                try_invert=is_thorough,
                text_mode=zxingcpp.TextMode.HexECI,
                binarizer=binarizer,
            )
        except (ValueError, TypeError, RuntimeError, MemoryError):
            return []  # a picture it does not take shows no code
        sightings = [_sighting(code, look) for code in found[:CODES_MAX]]
        return [seen for seen in sightings if seen is not None and seen.symbology in self._symbologies]


def _sighting(code: zxingcpp.Barcode, look: str) -> Sighting | None:
    symbology = _OF_FORMAT.get(code.format) or _OF_FAMILY.get(code.symbology) or _OF_FAMILY.get(code.format)
    data = bytes(code.bytes)
    if symbology is None or not data:
        return None
    eci, is_mixed = _eci(code, data)
    fault = None
    if len(data) > SCAN_BYTES_MAX:
        fault = ScanFault.OVER_LONG
    elif is_part(code, symbology):
        fault = ScanFault.INCOMPLETE
    elif is_mixed:
        fault = ScanFault.DAMAGED  # several character sets in one code: no one reading of its bytes is right
    piece = Piece(data[:SCAN_BYTES_MAX], fault, code.symbology_identifier or None, eci)
    return Sighting(piece, symbology, _box(code), look)


def _eci(code: zxingcpp.Barcode, data: bytes) -> tuple[int | None, bool]:
    r"""Return the ECI that the code declares, and whether it declares several.

    HexECI is what a scanner in ECI mode sends: AIM id, "\nnnnnn" for each ECI, backslashes doubled where there is one.
    """
    sent = bytes.fromhex(code.text)
    if sent[:_AIM_BYTES] == code.symbology_identifier.encode():
        return None, False
    head, body = sent[_AIM_BYTES : _AIM_BYTES + _ECI_BYTES], sent[_AIM_BYTES + _ECI_BYTES :]
    if head[:1] != b"\\" or not head[1:].isdigit():
        return None, True
    if body != data.replace(b"\\", b"\\\\"):
        return None, not data.isascii()
    return int(head[1:]), False


def _box(code: zxingcpp.Barcode) -> Box:
    place = code.position
    corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
    across, down = [corner.x for corner in corners], [corner.y for corner in corners]
    return Box(min(across), min(down), max(across) + 1, max(down) + 1)
