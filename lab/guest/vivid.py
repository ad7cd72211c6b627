"""A camera made by the kernel's vivid: what is written to its output node is what its capture node sees.

Sources: the kernel's Documentation/admin-guide/media/vivid.rst, "Video and Sliced VBI looping"; linux/videodev2.h.
"""

import fcntl
import os
import struct
from pathlib import Path

CAPTURE, OUTPUT = 0x1, 0x2  # V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_OUTPUT
WIDTH, HEIGHT = 1280, 720
WRITES = 4  # as many buffers as the driver may still hold of the picture before
QUIET_MODULES = 6
WHITE, BLACK, GREY = 0xEB, 0x10, 0x80

_QUERYCAP = 0x80685600
_S_FMT = 0xC0D05605
_QUERYCTRL = 0xC0445624
_S_CTRL = 0xC008561C
_NEXT_CTRL = 0x80000000
_BUF_TYPE_OUTPUT = 2
_FIELD_NONE = 1
_FORMAT = struct.Struct("=I4x12I148x")
_CONTROL = struct.Struct("=II32s5I2I")
CONTROLS_MAX = 200
LOOP = "Loop Video"


class Camera:
    """A camera behind a stable link; plugged in, it shows a white wall."""

    def __init__(self, link: Path) -> None:
        self._link = link
        self.node = _node(CAPTURE)
        capture = os.open(self.node, os.O_RDWR)
        try:
            fcntl.ioctl(capture, _S_CTRL, struct.pack("=Ii", _control(capture, LOOP), 1))
        finally:
            os.close(capture)
        self._output = os.open(_node(OUTPUT), os.O_RDWR)
        pixels = int.from_bytes(b"YUYV", "little")
        fmt = _FORMAT.pack(_BUF_TYPE_OUTPUT, WIDTH, HEIGHT, pixels, _FIELD_NONE, *[0] * 8)
        _, width, height, got, *_ = _FORMAT.unpack(fcntl.ioctl(self._output, _S_FMT, fmt))
        if (width, height, got) != (WIDTH, HEIGHT, pixels):
            raise OSError(f"the output insists on {width}x{height}")

    def plug_in(self) -> None:
        """Show a white wall, and make the link."""
        self.show([])
        self._link.symlink_to(self.node)

    def show(self, modules: list[list[bool]]) -> None:
        """Show a code in the middle: rows of its modules, True is dark."""
        frame = picture(modules)
        for _ in range(WRITES):
            os.write(self._output, frame)


def picture(modules: list[list[bool]]) -> bytes:
    """Return a YUYV picture, white but for the code."""
    white = bytes((WHITE, GREY))
    if not modules:
        return white * (WIDTH * HEIGHT)
    side = min(HEIGHT // (len(modules) + 2 * QUIET_MODULES), 8)
    left = (WIDTH - side * len(modules)) // 2
    top = (HEIGHT - side * len(modules)) // 2
    lines = [white * (WIDTH * top)]
    for row in modules:
        code = b"".join(bytes((BLACK if dark else WHITE, GREY)) * side for dark in row)
        line = white * left + code
        lines.append((line + white * (WIDTH - len(line) // 2)) * side)
    return b"".join(lines).ljust(WIDTH * HEIGHT * 2, white)[: WIDTH * HEIGHT * 2]


def _node(capability: int) -> Path:
    """Return the node that can do that."""
    for node in sorted(Path("/dev").glob("video[0-9]*")):
        fd = os.open(node, os.O_RDWR)
        try:
            found = fcntl.ioctl(fd, _QUERYCAP, bytes(104))
        finally:
            os.close(fd)
        if struct.unpack_from("=I", found, 88)[0] & capability:
            return node
    raise FileNotFoundError("vivid made no such node")


def _control(fd: int, name: str) -> int:
    """Return the id of a control by its name."""
    number = 0
    for _ in range(CONTROLS_MAX):
        found = fcntl.ioctl(fd, _QUERYCTRL, _CONTROL.pack(number | _NEXT_CTRL, 0, b"", *[0] * 7))
        fields = _CONTROL.unpack(found)
        number, told = int(fields[0]), bytes(fields[2])
        if told.rstrip(b"\0").decode() == name:
            return number
    raise OSError(f"vivid has no control {name}")
