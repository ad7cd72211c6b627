"""A scan: what a scanner gave, byte for byte, before anyone believes it.

Text is resolved in one place, `Scan.text`. A read that went wrong is a scan with a fault, never a shorter scan. How
bytes, keystrokes, reports and pictures become whole scans is agent/core/reading/'s; opening devices is the adapters'.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from agent.core.reading.charsets import text_of
from agent.core.time_interval import Stamp

SCAN_BYTES_MAX = 8_192  # a QR code holds at most 7,089 digits; anything longer is noise

Charset = Literal["gb18030", "iso-8859-1", "shift_jis", "big5", "none"]
"""What a site's codes are written in where they are not UTF-8; none: such bytes stay without text."""


class ScanFault(StrEnum):
    """Why the bytes are not a whole scan. The value is the reason's tail: `scan.<fault>`."""

    OVER_LONG = "over-long"
    INCOMPLETE = "incomplete"  # no terminator within the framing's time
    CUT = "cut"  # the scanner went away in the middle
    LOST = "lost"  # the kernel dropped part of it before it was read
    KEYS = "keys"  # a key that the configured layout does not have
    DAMAGED = "damaged"  # its length, check sum, prefix, suffix or form is not what it must be
    SYMBOLOGY = "symbology"  # a kind of code that this scanner's profile does not take
    FLOOD = "flood"  # more scans than any hand makes; those behind it were dropped


@dataclass(frozen=True, slots=True)
class Scan:
    """Bytes, AIM symbology id and source travel together.

    data: the payload without its framing; with a fault, what had arrived (at most SCAN_BYTES_MAX).
    aim: e.g. "]Q3" where the scanner tells; scanner: the configured id; eci: the extended channel interpretation
    (AIM ITS/04-023) the symbol declares, where the scanner tells; charset: the site's, for bytes that are not UTF-8.
    """

    data: bytes = field(repr=False)
    scanner: str
    at: Stamp
    aim: str | None = None
    fault: ScanFault | None = None
    eci: int | None = None
    charset: Charset = "none"

    @property
    def text(self) -> str | None:
        """What the bytes say (reading/charsets.py), or None; nowhere else are bytes made text to be judged."""
        return text_of(self.data, self.eci, self.charset)
