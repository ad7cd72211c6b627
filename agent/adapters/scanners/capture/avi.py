"""Pictures out of an AVI file (RIFF): motion JPEG alone, in the order they stand in, without the index.

The law: every length is held against what may come before anything of it is read; a file cut short ends early.
"""

from collections.abc import Iterator
from typing import BinaryIO

from agent.adapters.scanners.capture.picture import WHOLE_BYTES_MAX

_LISTS = {b"RIFF", b"LIST"}
_VIDEO = {b"dc", b"db"}  # of "00dc": stream number, then what it holds
_US_PER_S = 1_000_000


class AviForeign(Exception):
    """The file is no AVI, or its pictures are not JPEG."""


def is_avi(head: bytes) -> bool:
    """Say whether a file's first 12 bytes are those of an AVI."""
    return head[:4] == b"RIFF" and head[8:12] == b"AVI "


def frames_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield each picture's JPEG. Raises AviForeign at a picture that is none, OSError."""
    while len(head := file.read(8)) == 8:
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        if kind in _LISTS:
            file.read(4)  # its type; what is in it is walked as if it stood here
            continue
        if kind[2:] in _VIDEO and kind[:2].isdigit() and size:  # of no length: the picture before stands on
            if size > WHOLE_BYTES_MAX:
                raise AviForeign(f"a picture of {size} bytes, at most {WHOLE_BYTES_MAX} are read")
            data = file.read(size)
            if not data.startswith(b"\xff\xd8"):
                raise AviForeign("its pictures are not JPEG")
            if len(data) < size:
                return
            yield data
            file.seek(size % 2, 1)
        else:
            file.seek(size + size % 2, 1)


def rate_of(head: bytes) -> float | None:
    """Return the pictures a second that the main header ("avih", in the first bytes of the file) says, if it does."""
    at = head.find(b"avih")
    if at < 0 or len(head) < at + 12:
        return None
    interval_us = int.from_bytes(head[at + 8 : at + 12], "little")
    return _US_PER_S / interval_us if interval_us else None
