"""The kernel's video capture interface as bytes: structures and request numbers of <linux/videodev2.h>.

Native sizes, so that 32-bit and 64-bit machines have their own; little-endian only, as every terminal is. Held against
the header by a compiler in the tests.
"""

import struct

# _IOC of <asm-generic/ioctl.h>: direction, size, type, number.
_WRITE, _READ = 1, 2


def _request(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("V") << 8 | number


CAPABILITY = struct.Struct("@16s32s32sIII12x")  # driver, card, bus_info, version, capabilities, device_caps
FMTDESC = struct.Struct("@III32sII12x")  # index, type, flags, description, pixelformat, mbus_code
FRMSIZEENUM = struct.Struct("@III6I8x")  # index, pixel_format, type, discrete width and height or stepwise
FRMIVALENUM = struct.Struct("@IIIII6I8x")  # index, pixel_format, width, height, type, discrete or stepwise
FORMAT = struct.Struct("@I0L12I152x0L")  # type, then struct v4l2_pix_format: width, height, pixelformat, field, …
STREAMPARM = struct.Struct("@IIIIIII176x")  # type, capability, capturemode, numerator, denominator, extended, buffers
REQUESTBUFFERS = struct.Struct("@IIIIB3x")  # count, type, memory, capabilities, flags
BUFFER = struct.Struct("@5Ill16sIIL3I0L")
"""index, type, bytesused, flags, field, seconds, microseconds, timecode, sequence, memory, offset, length, 0, 0."""
INT = struct.Struct("@i")

QUERYCAP = _request(_READ, 0, CAPABILITY.size)
ENUM_FMT = _request(_READ | _WRITE, 2, FMTDESC.size)
S_FMT = _request(_READ | _WRITE, 5, FORMAT.size)
REQBUFS = _request(_READ | _WRITE, 8, REQUESTBUFFERS.size)
QUERYBUF = _request(_READ | _WRITE, 9, BUFFER.size)
QBUF = _request(_READ | _WRITE, 15, BUFFER.size)
DQBUF = _request(_READ | _WRITE, 17, BUFFER.size)
STREAMON = _request(_WRITE, 18, INT.size)
STREAMOFF = _request(_WRITE, 19, INT.size)
S_PARM = _request(_READ | _WRITE, 22, STREAMPARM.size)
ENUM_FRAMESIZES = _request(_READ | _WRITE, 74, FRMSIZEENUM.size)
ENUM_FRAMEINTERVALS = _request(_READ | _WRITE, 75, FRMIVALENUM.size)

CAP_VIDEO_CAPTURE = 0x0000_0001
CAP_VIDEO_CAPTURE_MPLANE = 0x0000_1000
CAP_STREAMING = 0x0400_0000
CAP_DEVICE_CAPS = 0x8000_0000
BUF_TYPE_VIDEO_CAPTURE = 1
MEMORY_MMAP = 1
FIELD_NONE = 1
FRMSIZE_DISCRETE = 1
FRMIVAL_DISCRETE = 1
BUF_FLAG_ERROR = 0x0000_0040


def fourcc(name: str) -> int:
    """Return a pixel format's number, v4l2_fourcc."""
    return int.from_bytes(name.encode("ascii"), "little")


def name_of(number: int) -> str:
    """Return a pixel format's name; without the mark of big-endian formats, and what cannot be read as `?`."""
    return "".join(chr(c) if 32 <= c < 127 else "?" for c in (number & 0x7FFF_FFFF).to_bytes(4, "little"))
