"""A scan: what a scanner gave, byte for byte, before anyone believes it.

Text is resolved in one place, `Scan.text`. A read that went wrong is a scan with a fault, never a shorter scan.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from agent.core.time_interval import Stamp

SCAN_BYTES_MAX = 8_192  # a QR code holds at most 7,089 digits; anything longer is noise


class ScanFault(StrEnum):
    """Why the bytes are not a whole scan. The value is the reason's tail: `scan.<fault>`."""

    OVER_LONG = "over-long"
    INCOMPLETE = "incomplete"  # no terminator within the framing's time
    CUT = "cut"  # the scanner went away in the middle


@dataclass(frozen=True, slots=True)
class Scan:
    """Bytes, AIM symbology id and source travel together.

    data: the payload without its framing; with a fault, what had arrived (at most SCAN_BYTES_MAX).
    aim: e.g. "]Q3" where the scanner tells; scanner: the configured id.
    """

    data: bytes = field(repr=False)
    scanner: str
    at: Stamp
    aim: str | None = None
    fault: ScanFault | None = None

    @property
    def text(self) -> str | None:
        """The bytes as strict UTF-8, or None; ECI and the site's GB18030 join here, nowhere else."""
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError:
            return None
