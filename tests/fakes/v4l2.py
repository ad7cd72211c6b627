"""A V4L2 driver that answers requests in this process: buffers are a real file's pages, everything else is said here.

What a real driver does is tried in the laboratory; here is what no driver can be asked to do on demand.
"""

import errno
import os
from collections import deque
from pathlib import Path

from agent.adapters.scanners.capture import videodev2 as v4l2

PAGE = 4_096


class FakeDriver:
    """Has these formats with their sizes and rates; fills buffers with what `show` is given.

    Whatever is in `fails` (request: errno) fails.
    """

    def __init__(self, path: Path, formats: dict[str, list[tuple[int, int, int]]], **caps: int) -> None:
        self.path = path
        self.formats = formats
        self.capabilities = caps.get("capabilities", v4l2.CAP_DEVICE_CAPS | v4l2.CAP_VIDEO_CAPTURE)
        self.device_caps = caps.get("device_caps", v4l2.CAP_VIDEO_CAPTURE | v4l2.CAP_STREAMING)
        self.fails = dict[int, int]()
        self.is_streaming = False
        self.asked = list[int]()
        self.size = 0
        self.pixels = 0
        self.sequence = 0
        self._queued = deque[int]()
        self._done = deque[tuple[int, int, int, int]]()

    def show(self, data: bytes, *, flags: int = 0, used: int | None = None, gap: int = 0) -> bool:
        """Fill the next buffer; False where none is free, as a driver drops a picture."""
        self.sequence += 1 + gap
        if not self._queued:
            return False
        index = self._queued.popleft()
        with self.path.open("r+b") as file:
            file.seek(index * self.size)
            file.write(data)
        self._done.append((index, len(data) if used is None else used, flags, self.sequence))
        return True

    def __call__(self, _fd: int, request: int, fields: bytearray) -> None:
        self.asked.append(request)
        if request in self.fails:
            raise OSError(self.fails[request], os.strerror(self.fails[request]))
        {
            v4l2.QUERYCAP: self._querycap, v4l2.ENUM_FMT: self._enum_fmt, v4l2.ENUM_FRAMESIZES: self._sizes,
            v4l2.ENUM_FRAMEINTERVALS: self._intervals, v4l2.S_FMT: self._s_fmt, v4l2.S_PARM: lambda _: None,
            v4l2.REQBUFS: self._reqbufs, v4l2.QUERYBUF: self._querybuf, v4l2.QBUF: self._qbuf,
            v4l2.DQBUF: self._dqbuf, v4l2.STREAMON: self._on, v4l2.STREAMOFF: self._off,
        }[request](fields)  # fmt: skip

    @staticmethod
    def _refuse(number: int) -> None:
        raise OSError(number, os.strerror(number))

    def _querycap(self, fields: bytearray) -> None:
        fields[:] = v4l2.CAPABILITY.pack(b"fake", b"Camera \xff\n", b"", 0, self.capabilities, self.device_caps)

    def _enum_fmt(self, fields: bytearray) -> None:
        index = v4l2.FMTDESC.unpack(fields)[0]
        if index >= len(self.formats):
            self._refuse(errno.EINVAL)
        fields[:] = v4l2.FMTDESC.pack(index, 1, 0, b"", v4l2.fourcc(list(self.formats)[index]), 0)

    def _modes(self, pixels: int) -> list[tuple[int, int, int]]:
        return self.formats[v4l2.name_of(pixels)]

    def _sizes(self, fields: bytearray) -> None:
        index, pixels, *_ = v4l2.FRMSIZEENUM.unpack(fields)
        modes = self._modes(pixels)
        if index >= len(modes):
            self._refuse(errno.EINVAL)
        fields[:] = v4l2.FRMSIZEENUM.pack(index, pixels, v4l2.FRMSIZE_DISCRETE, *modes[index][:2], 0, 0, 0, 0)

    def _intervals(self, fields: bytearray) -> None:
        index, pixels, width, height, *_ = v4l2.FRMIVALENUM.unpack(fields)
        rates = [rate for w, h, rate in self._modes(pixels) if (w, h) == (width, height)]
        if index >= len(rates):
            self._refuse(errno.EINVAL)
        fields[:] = v4l2.FRMIVALENUM.pack(
            index, pixels, width, height, v4l2.FRMIVAL_DISCRETE, 1, rates[index], 0, 0, 0, 0
        )

    def _s_fmt(self, fields: bytearray) -> None:
        kind, width, height, self.pixels, *_ = v4l2.FORMAT.unpack(fields)
        modes = self._modes(self.pixels)
        width, height = min(((w, h) for w, h, _ in modes), key=lambda m: abs(m[0] - width) + abs(m[1] - height))
        self.size = -(-width * height * 2 // PAGE) * PAGE
        fields[:] = v4l2.FORMAT.pack(kind, width, height, self.pixels, 1, 0, self.size, *[0] * 6)

    def _reqbufs(self, fields: bytearray) -> None:
        count, *others = v4l2.REQUESTBUFFERS.unpack(fields)
        self.path.write_bytes(bytes(count * self.size))
        fields[:] = v4l2.REQUESTBUFFERS.pack(count, *others)

    def _querybuf(self, fields: bytearray) -> None:
        values = list(v4l2.BUFFER.unpack(fields))
        values[10:12] = values[0] * self.size, self.size
        fields[:] = v4l2.BUFFER.pack(*values)

    def _qbuf(self, fields: bytearray) -> None:
        index = v4l2.BUFFER.unpack(fields)[0]
        assert index not in self._queued, "a buffer is given back once"
        self._queued.append(index)

    def _dqbuf(self, fields: bytearray) -> None:
        if not self._done:
            self._refuse(errno.EAGAIN)
        index, used, flags, sequence = self._done.popleft()
        fields[:] = v4l2.BUFFER.pack(index, 1, used, flags, 1, 0, 0, b"", sequence, 1, 0, self.size, 0, 0)

    def _on(self, _fields: bytearray) -> None:
        self.is_streaming = True

    def _off(self, _fields: bytearray) -> None:
        self.is_streaming = False
