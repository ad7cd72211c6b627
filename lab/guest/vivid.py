"""A camera made by the kernel's vivid: what is written to its output node is what its capture node sees.

Sources: the kernel's Documentation/admin-guide/media/vivid.rst, "Video and Sliced VBI looping"; linux/videodev2.h.
"""

import fcntl
import mmap
import os
import select
import struct
from pathlib import Path

from lab.guest.waiting import until

CAPTURE, OUTPUT = 0x1, 0x2  # V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_OUTPUT
WIDTH, HEIGHT = 1280, 720
BUFFERS = 3
DRIVER, DEVICE = Path("/sys/bus/platform/drivers/vivid"), "vivid.0"
LINK_S_MAX = 20.0

LINK = Path("/dev/lab-camera")
RULE = f'SUBSYSTEM=="video4linux", ATTR{{name}}=="vivid-000-vid-cap", SYMLINK+="{LINK.name}"\n'
PICTURE_S_MAX = 10.0
QUIET_MODULES = 6
WHITE, BLACK, GREY = 0xEB, 0x10, 0x80

_QUERYCAP = 0x80685600
_S_FMT = 0xC0D05605
_QUERYCTRL = 0xC0445624
_S_CTRL = 0xC008561C
_NEXT_CTRL = 0x80000000
_REQBUFS, _QUERYBUF, _QBUF, _DQBUF, _STREAMON = 0xC0145608, 0xC0585609, 0xC058560F, 0xC0585611, 0x40045612
_BUF_TYPE_OUTPUT = 2
_FIELD_NONE = 1
_MEMORY_MMAP = 1
_BUFFER = struct.Struct("=5I4x32x2II4x3I4x")  # index, type, bytesused, flags, field; sequence, memory; offset; length
_FORMAT = struct.Struct("=I4x12I148x")
_CONTROL = struct.Struct("=II32s5I2I")
CONTROLS_MAX = 200
LOOP, TEXT, NO_TEXT = "Loop Video", "OSD Text Mode", 2


class Camera:
    """A camera behind a stable link that udev makes (RULE); plugged in, it shows a white wall.

    The driver makes its nodes when it is loaded, and takes them away when the device is taken from it.
    """

    def __init__(self) -> None:
        """Begin with the device taken away."""
        self._output = -1
        (DRIVER / "unbind").write_text(DEVICE)

    def plug_in(self) -> None:
        """Give the driver its device, and have the output looped to the camera. Raises TimeoutError."""
        (DRIVER / "bind").write_text(DEVICE)
        until(LINK.exists, LINK_S_MAX, f"udev makes {LINK}")
        capture = os.open(_node(CAPTURE), os.O_RDWR)
        try:
            for name, value in ((LOOP, 1), (TEXT, NO_TEXT)):
                fcntl.ioctl(capture, _S_CTRL, struct.pack("=Ii", _control(capture, name), value))
        finally:
            os.close(capture)
        self._output = os.open(_node(OUTPUT), os.O_RDWR)
        pixels = int.from_bytes(b"YUYV", "little")
        fmt = _FORMAT.pack(_BUF_TYPE_OUTPUT, WIDTH, HEIGHT, pixels, _FIELD_NONE, *[0] * 8)
        _, width, height, got, *_ = _FORMAT.unpack(fcntl.ioctl(self._output, _S_FMT, fmt))
        if (width, height, got) != (WIDTH, HEIGHT, pixels):
            raise OSError(f"the output insists on {width}x{height}")
        self._buffers = self._start()

    def _start(self) -> list[mmap.mmap]:
        """Map the output's buffers, fill them with the white wall and begin to show them."""
        fd, buffers = self._output, list[mmap.mmap]()
        count, *_ = struct.unpack("=5I", fcntl.ioctl(fd, _REQBUFS, struct.pack("=5I", BUFFERS, 2, _MEMORY_MMAP, 0, 0)))
        for index in range(count):
            told = _BUFFER.unpack(fcntl.ioctl(fd, _QUERYBUF, _buffer(index, 0)))
            buffers.append(mmap.mmap(fd, told[8], offset=told[7]))
            buffers[-1][: WIDTH * HEIGHT * 2] = picture([])
            fcntl.ioctl(fd, _QBUF, _buffer(index, WIDTH * HEIGHT * 2))
        fcntl.ioctl(fd, _STREAMON, struct.pack("=I", _BUF_TYPE_OUTPUT))
        return buffers

    def unplug(self) -> None:
        """Take the device away while it is read."""
        (DRIVER / "unbind").write_text(DEVICE)
        for buffer in self._buffers:
            buffer.close()
        os.close(self._output)

    def show(self, modules: list[list[bool]]) -> None:
        """Show a code in the middle: rows of its modules, True is dark. Raises TimeoutError."""
        frame = picture(modules)
        for _ in range(BUFFERS):
            if not select.select([], [self._output], [], PICTURE_S_MAX)[1]:
                raise TimeoutError("the output shows no picture")
            index, *_ = _BUFFER.unpack(fcntl.ioctl(self._output, _DQBUF, _buffer(0, 0)))
            self._buffers[index][: len(frame)] = frame
            fcntl.ioctl(self._output, _QBUF, _buffer(index, len(frame)))


def _buffer(index: int, used: int) -> bytes:
    return _BUFFER.pack(index, _BUF_TYPE_OUTPUT, used, 0, _FIELD_NONE, 0, _MEMORY_MMAP, 0, 0, 0, 0)


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
    lines.append(white * (WIDTH * (HEIGHT - top - side * len(modules))))
    return b"".join(lines)


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
