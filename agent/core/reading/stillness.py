"""Whether a camera still sees: a frozen picture and an empty one look like an idle terminal, and are told apart here.

Time is an argument. A picture in which nothing moves is not frozen: a sensor's noise changes it all the same.
"""

import zlib
from enum import StrEnum

from agent.core.reading.frame import Frame

STILL_MS_MAX = 30_000
CONTRAST_MIN = 16  # between the darkest and the brightest of a picture that shows anything
ROWS_SAMPLED = 48


class Seen(StrEnum):
    """What a camera's pictures show."""

    PICTURE = "picture"
    EMPTY = "empty"  # one shade all over, for a while: a covered lens, no light
    FROZEN = "frozen"  # the very same bytes, for a while


class Stillness:
    """Judges now and then one of a camera's pictures; kept when the camera is opened anew. Not thread-safe."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._same_since_ms = 0
        self._empty_since_ms: int | None = None

    def judge(self, frame: Frame, at_ms: int) -> Seen:
        """Take a picture; return what the pictures show by now. at_ms: of any one clock that does not step."""
        rows = [
            bytes(frame.luma[y * frame.stride : y * frame.stride + frame.width])
            for y in range(0, frame.height, max(1, frame.height // ROWS_SAMPLED))
        ]
        if max(map(max, rows)) - min(map(min, rows)) < CONTRAST_MIN:
            if self._empty_since_ms is None:
                self._empty_since_ms = at_ms
            self._last = None
            return Seen.EMPTY if at_ms - self._empty_since_ms >= STILL_MS_MAX else Seen.PICTURE
        self._empty_since_ms = None
        sum_ = 0
        for row in rows:
            sum_ = zlib.crc32(row, sum_)
        if sum_ != self._last:
            self._last, self._same_since_ms = sum_, at_ms
        return Seen.FROZEN if at_ms - self._same_since_ms >= STILL_MS_MAX else Seen.PICTURE
