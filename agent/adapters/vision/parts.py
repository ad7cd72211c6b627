"""Whether a code that zxing-cpp read is one of several symbols that make up a code; a part is never the whole.

Its binding tells this for Aztec (AIM id) and PDF417 (`extra`) only. For QR and Data Matrix it is read from the modules
that the decoder sampled, which are not error-corrected here: damage to exactly these can hide a part.
"""

from typing import Any, cast

import zxingcpp

from agent.core.reading.symbologies import Symbology

_QR_STRUCTURED_APPEND = 0b0011  # ISO/IEC 18004, 7.4.1, mode indicators
_DATA_MATRIX_STRUCTURED_APPEND = 233  # ISO/IEC 16022, table 2; only as the first codeword
_AZTEC_PARTS = frozenset("6789AB")  # ISO/IEC 24778, annex on symbology identifiers: 6 added to what it else would be
_MACRO_FIELDS = frozenset({"FileId", "FileName", "FileSize", "Sender", "Addressee", "Timestamp"})  # ISO/IEC 15438, 5.13
_AT_LEFT = ((2, -2), (2, -1), (3, -2), (3, -1), (3, 0), (4, -2), (4, -1), (4, 0))  # a codeword's shape
_IN_CORNERS = ((3, 0), (4, 0), (5, 0), (0, -2), (0, -1), (1, -1), (2, -1), (3, -1))  # the shape in two corners
_LOW_ROWS = 6
_QR_SIDE_MIN, _DATA_MATRIX_SIDE_MIN = 21, 8


def is_part(code: zxingcpp.Barcode, symbology: Symbology) -> bool:
    """Say whether a code is one of several. MaxiCode's parts are not known; a code of bars has none."""
    match symbology:
        case Symbology.QR:
            return _is_part_of_qr(code)
        case Symbology.DATA_MATRIX:
            return _first_codeword(_modules(code)) == _DATA_MATRIX_STRUCTURED_APPEND
        case Symbology.AZTEC:
            return code.symbology_identifier[2:] in _AZTEC_PARTS
        case Symbology.PDF417:
            return not _MACRO_FIELDS.isdisjoint(_told(code))
        case _:
            return False


def _told(code: zxingcpp.Barcode) -> dict[str, Any]:
    return cast("dict[str, Any]", code.extra or {})


def _modules(code: zxingcpp.Barcode) -> memoryview:
    drawn: Any = code.to_image(add_quiet_zones=False)  # a buffer, which its type does not say
    return memoryview(drawn)


def _is_part_of_qr(code: zxingcpp.Barcode) -> bool:
    """Read the mode indicator (ISO/IEC 18004, 8).

    It is the first four bits: the two by two modules in the corner bottom right, from right to left, upwards, under the
    mask. Where damage hides it, the code's own check refuses the part, since no part of a signed code verifies.
    """
    modules, mask = _modules(code), _told(code).get("DataMask")
    side = modules.shape[0] if modules.shape is not None and modules.ndim == 2 else 0
    if not isinstance(mask, int) or mask not in range(8) or side < _QR_SIDE_MIN:
        return False
    last, bits = side - 1, 0
    for row, column in ((last, last), (last, last - 1), (last - 1, last), (last - 1, last - 1)):
        bits = bits << 1 | ((modules[row, column] == 0) ^ _is_masked(mask, row, column))
    return bits == _QR_STRUCTURED_APPEND


def _is_masked(mask: int, row: int, column: int) -> bool:
    """Say whether a mask turns a module over (ISO/IEC 18004, 7.8.2, table 10)."""
    product = row * column
    conditions = (
        (row + column) % 2,
        row % 2,
        column % 3,
        (row + column) % 3,
        (row // 2 + column // 3) % 2,
        product % 2 + product % 3,
        (product % 2 + product % 3) % 2,
        ((row + column) % 2 + product % 3) % 2,
    )
    return conditions[mask] == 0


def _first_codeword(modules: memoryview) -> int | None:
    """Return a Data Matrix symbol's first codeword (ISO/IEC 16022, annex F: its lowest module at row 4, column 0)."""
    height, width = modules.shape if modules.shape is not None and modules.ndim == 2 else (0, 0)
    if min(height, width) < _DATA_MATRIX_SIDE_MIN:
        return None
    across, down = _regions(width), _regions(height) if height == width else 1
    region_height, region_width = height // down - 2, width // across - 2  # less the finder on two sides, clock on two
    rows, columns = down * region_height, across * region_width
    is_in_corners = rows == _LOW_ROWS and columns % 8 == 4  # there the corner is filled before anything else
    codeword = 0
    for row, column in _IN_CORNERS if is_in_corners else _AT_LEFT:
        if column < 0:  # what hangs over on the left continues on the right
            row, column = row if is_in_corners else row + 4 - (columns + 4) % 8, column + columns  # noqa: PLW2901
        y = row + 1 + 2 * (row // region_height)
        x = column + 1 + 2 * (column // region_width)
        codeword = codeword << 1 | (modules[y, x] == 0)
    return codeword


def _regions(side: int) -> int:
    """Return how many data regions lie along a side (ISO/IEC 16022, table 7; ISO/IEC 21471, table 1)."""
    return 1 if side <= 26 else 2 if side <= 52 else 4 if side <= 104 else 6
