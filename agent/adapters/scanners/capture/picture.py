"""A picture as its source gave it, and what every source of pictures promises.

The law: sources live in one thread, the camera's own; only `wake` is called from elsewhere. Pictures stay in memory:
none is stored, logged or sent.
"""

from dataclasses import dataclass
from typing import Protocol

WHOLE_BYTES_MAX = 8 * 1024 * 1024  # of one compressed picture; a JPEG of 12 megapixels has about half
PIXELS_MAX = 4_096 * 3_072
SIDE_PIXELS_MAX = 8_192

JPEG = "MJPG"  # as V4L2 names it
FILE = "FILE"  # any picture file


class PictureBroken(Exception):
    """The bytes are no picture that can be shown; the text says why, without what it showed."""


class SourceEnded(Exception):
    """There is no more picture and never will be; the text says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """data: holds only until the next picture is asked for. fourcc: its pixel format by V4L2's name, or JPEG or FILE.

    width, height in pixels and stride in bytes are 0 for compressed ones, which tell it themselves.
    """

    data: memoryview
    fourcc: str
    width: int = 0
    height: int = 0
    stride: int = 0


@dataclass(slots=True)
class Counts:
    """What became of a camera's pictures since the agent started, for the status and for technicians."""

    pictures: int = 0  # taken
    dropped: int = 0  # passed over for a newer one, or by the driver for want of room
    broken: int = 0  # said to be damaged, or could not be unpacked


class Source(Protocol):
    """One way of getting pictures, made anew for each opening."""

    is_live: bool  # False: what stands still here is a file's picture, and an end is to be expected

    def open(self) -> str:
        """Begin; return what it is, for a technician. Raises DeviceAbsent."""
        ...

    def next(self, timeout_s: float) -> Picture | None:
        """Return the newest picture not given yet; None where none came. Raises DeviceAbsent, SourceEnded."""
        ...

    def close(self) -> None:
        """End; also where `open` failed or was never called."""
        ...

    def wake(self) -> None:
        """Have `next` return, now and from now on. From any thread."""
        ...
