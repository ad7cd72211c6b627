"""Compressed pictures to brightness, with Pillow; and JPEG pictures out of a stream of bytes.

The law: a picture is judged by its size before it is unpacked; what is broken is dropped and counted, never repaired.
Motion JPEG leaves the usual Huffman tables out; libjpeg puts them in (ITU-T T.81, K.3).
"""

import io
import re
import struct
import warnings

from agent.adapters.scanners.capture.picture import PIXELS_MAX, SIDE_PIXELS_MAX, WHOLE_BYTES_MAX, PictureBroken
from agent.core.reading.frame import Frame

_FILE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM")  # not TIFF: its library writes to standard error
_JPEG_FORMATS = ("JPEG",)
_TROUBLES = (OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, OverflowError, struct.error)

# Markers, ITU-T T.81, table B.1.
_START = b"\xff\xd8"
_START_OF_SCAN = 0xDA
_END = 0xD9
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # 00 is a stuffed FF, D0 to D7 restart


def luma_of(data: bytes | memoryview, *, is_file: bool = False) -> Frame:
    """Unpack brightness alone. is_file: any picture file, not only JPEG. Raises PictureBroken."""
    from PIL import Image  # noqa: PLC0415 — a terminal without such a camera never loads it

    if len(data) > WHOLE_BYTES_MAX:
        raise PictureBroken(f"{len(data)} bytes, at most {WHOLE_BYTES_MAX} are unpacked")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata; the size is judged here
            picture = Image.open(io.BytesIO(data), formats=_FILE_FORMATS if is_file else _JPEG_FORMATS)
            width, height = picture.size
            if width * height > PIXELS_MAX or max(width, height) > SIDE_PIXELS_MAX:
                raise PictureBroken(f"{width} by {height} pixels, at most {PIXELS_MAX} are unpacked")
            picture.draft("L", picture.size)  # a JPEG's colours are then not unpacked at all
            picture.load()
            if "A" in picture.getbands() or "transparency" in picture.info:  # what is transparent is paper
                rgba = picture.convert("RGBA")
                luma = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("L")
            else:
                luma = picture if picture.mode == "L" else picture.convert("L")
            return Frame(luma.width, luma.height, luma.width, memoryview(luma.tobytes()))
    except (*_TROUBLES, Image.DecompressionBombError) as error:
        raise PictureBroken(f"not a picture that can be unpacked ({type(error).__name__})") from error


class JpegSplitter:
    """Takes JPEG pictures out of a stream, whatever stands between them: multipart heads, RIFF chunks, nothing.

    Segments are walked by their lengths, so that a thumbnail's end is not taken for the picture's. How the stream is
    cut into `feed`s never changes the result. broken: how many beginnings came to nothing. Not thread-safe.
    """

    def __init__(self, bytes_max: int = WHOLE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._pending = bytearray()
        self._at = 0  # walked to here; 0: looking for a start
        self._is_in_scan = False
        self.broken = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pictures that these bytes complete."""
        self._pending += data
        whole = list[bytes]()
        while (picture := self._next()) is not None:
            whole.append(picture)
        return whole

    def _next(self) -> bytes | None:
        while True:
            if not self._at and not self._find_start():
                return None
            end = self._walk()
            if 0 < end <= self._bytes_max:
                picture = bytes(self._pending[:end])
                self._forget(end)
                return picture
            if end or len(self._pending) > self._bytes_max:
                self.broken += 1
                self._forget(len(_START))
                continue
            return None

    def _find_start(self) -> bool:
        start = self._pending.find(_START)
        if start < 0:
            del self._pending[: len(self._pending) - self._pending.endswith(_START[:1])]
            return False
        del self._pending[:start]
        self._at = len(_START)
        return True

    def _walk(self) -> int:
        """Go on over whole segments; return where the picture ends, 0 where more is needed, -1 where it is none."""
        pending = self._pending
        while True:
            if self._is_in_scan:
                found = _MARKER_IN_SCAN.search(pending, self._at)
                if found is None:
                    self._at = max(self._at, len(pending) - 1)  # a last FF may be half a marker
                    return 0
                self._at = found.start()
                self._is_in_scan = False
            if len(pending) < self._at + 2:
                return 0
            if pending[self._at] != 0xFF:
                return -1
            kind = pending[self._at + 1]
            if kind == 0xFF:  # fill byte
                self._at += 1
            elif kind == _END:
                return self._at + 2
            elif kind in _WITHOUT_LENGTH:
                self._at += 2
            elif kind in {0x00, 0xD8}:
                return -1
            else:
                if len(pending) < self._at + 4:
                    return 0
                length = int.from_bytes(pending[self._at + 2 : self._at + 4])
                if length < 2:
                    return -1
                if len(pending) < self._at + 2 + length:
                    return 0
                self._at += 2 + length
                self._is_in_scan = kind == _START_OF_SCAN

    def _forget(self, size: int) -> None:
        del self._pending[:size]
        self._at = 0
        self._is_in_scan = False
