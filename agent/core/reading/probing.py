"""Finding the speed of a line by what arrives: what is not plainly text was not sent so, and the next speed is tried.

The law: until a speed is proven, nothing passes but what proves it. Setting the line is the adapter's.
"""

from agent.core.reading.piece import Piece
from agent.core.scan import ScanFault

BAUDS_PROBED = (9_600, 115_200, 38_400, 19_200, 57_600)  # factory settings first
PROOF_BYTES_MIN = 4  # a byte or two of garbage may look like text
DOUBTS_MAX = 2  # garbled scans in a row, then the scanner has been set to another speed
_CONTROLS = b"\t\n\r\x1c\x1d\x1e\x1f\x04"  # that codes hold


class BaudProbe:
    """The speed to read at, and whether it is proven. One for the life of a scanner: what worked is kept."""

    def __init__(self) -> None:
        self._index = 0
        self._doubts = 0
        self.is_proven = False

    @property
    def baud(self) -> int:
        """The speed to read at now."""
        return BAUDS_PROBED[self._index]

    def judge(self, piece: Piece, *, is_checked: bool) -> Piece:
        """Return the piece, or its refusal; `baud` may be another one then. is_checked: the framing has a check sum."""
        is_plain = piece.fault is None and (is_checked or is_plain_text(piece.data))
        is_framed_wrongly = piece.fault in {ScanFault.INCOMPLETE, ScanFault.OVER_LONG} and is_plain_text(piece.data)
        if is_plain or is_framed_wrongly:
            self.is_proven, self._doubts = True, 0
            return piece
        if piece.fault is ScanFault.CUT:
            return piece
        if self.is_proven and piece.fault is None:
            return piece  # other character sets are the site's affair
        self._doubts += 1
        if not self.is_proven or self._doubts >= DOUBTS_MAX:
            self.is_proven, self._doubts = False, 0
            self._index = (self._index + 1) % len(BAUDS_PROBED)
        return piece if piece.fault is not None else piece._replace(fault=ScanFault.DAMAGED)


def is_plain_text(data: bytes) -> bool:
    """Say whether bytes are UTF-8 without control characters, and enough of them to be no accident."""
    if len(data) < PROOF_BYTES_MIN or any(byte < 0x20 and byte not in _CONTROLS for byte in data) or 0x7F in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
