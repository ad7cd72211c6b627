"""A camera behind the kernel's video capture interface (V4L2), its buffers mapped: <linux/videodev2.h>.

The law: the driver is asked and its answer believed; the newest picture is taken and all others go back at once, so
that a slow reader sees what is in front of the camera now. Exposure, focus and light are left as they are.
"""

import errno
import fcntl
import mmap
import os
import select
from collections.abc import Callable
from contextlib import suppress
from struct import Struct
from typing import Any

from agent.adapters.scanners.capture import videodev2 as v4l2
from agent.adapters.scanners.capture.luma import LAYOUTS, least_bytes
from agent.adapters.scanners.capture.offers import Offer, Wish, choose, offers_of
from agent.adapters.scanners.capture.picture import JPEG, PIXELS_MAX, SIDE_PIXELS_MAX, Counts, Picture
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.core.legible import legible

BUFFERS = 4  # one is read, one is filled, two for a late reader
NAMED_MAX = 8  # formats, in an error
BUFFERS_MAX = 32  # VIDEO_MAX_FRAME

Ioctl = Callable[[int, int, bytearray], object]


class V4l2Source:
    """One camera, for one opening. resolve: finds its node at each opening, raises DeviceAbsent."""

    is_live = True

    def __init__(self, resolve: Callable[[], str], wish: Wish, counts: Counts, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._resolve = resolve
        self._wish = wish
        self._ioctl = ioctl
        self._path = ""
        self._fd = self._waker = -1
        self._buffers = list[mmap.mmap]()
        self._waker = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._held: tuple[int, memoryview] | None = None  # the picture that was given last
        self._format = Picture(memoryview(b""), JPEG)
        self._sequence: int | None = None
        self._counts = counts

    def open(self) -> str:
        """Negotiate format and rate, map buffers, start. Raises DeviceAbsent."""
        self._path = self._resolve()
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            card = self._card()
            offer = self._offer()
            self._set_format(offer)
            rate = self._set_rate()
            self._map_buffers()
            self._ask(v4l2.STREAMON, v4l2.INT, v4l2.BUF_TYPE_VIDEO_CAPTURE)
        except OSError as error:
            raise DeviceAbsent(self._why(error)) from error
        self._sequence = None
        form = self._format
        return f"{self._path}: {card}, {form.width}x{form.height} {form.fourcc.strip()}, {rate}"

    def next(self, timeout_s: float) -> Picture | None:
        """Return the newest picture. Raises DeviceAbsent where the camera was unplugged."""
        try:
            self._give_back()
            poll = select.poll()
            poll.register(self._fd, select.POLLIN)
            poll.register(self._waker, select.POLLIN)
            ready = poll.poll(timeout_s * 1000)
            if any(fd == self._waker for fd, _ in ready):
                os.eventfd_read(self._waker)
            return self._newest() if any(fd == self._fd for fd, _ in ready) else None
        except OSError as error:
            raise DeviceAbsent(self._why(error)) from error

    def close(self) -> None:
        """Let the camera go."""
        self._held = None
        if self._fd >= 0:
            with suppress(OSError):  # it is gone, or never started: closing is all there is left to do
                self._ask(v4l2.STREAMOFF, v4l2.INT, v4l2.BUF_TYPE_VIDEO_CAPTURE)
            os.close(self._fd)
            self._fd = -1
        for buffer in self._buffers:
            with suppress(BufferError):  # somebody still looks at the last picture; its memory goes with them
                buffer.close()
        self._buffers.clear()

    def wake(self) -> None:
        """Have `next` return."""
        os.eventfd_write(self._waker, 1)

    def __del__(self) -> None:
        self.close()
        if self._waker >= 0:
            os.close(self._waker)

    def _card(self) -> str:
        """Return the camera's name. Raises DeviceAbsent where the node takes no pictures."""
        _, card, _, _, capabilities, device_caps = self._ask(v4l2.QUERYCAP, v4l2.CAPABILITY)
        able = device_caps if capabilities & v4l2.CAP_DEVICE_CAPS else capabilities
        if not able & v4l2.CAP_VIDEO_CAPTURE or not able & v4l2.CAP_STREAMING:
            is_planar = able & v4l2.CAP_VIDEO_CAPTURE_MPLANE
            reason = "gives pictures in several planes, which are not read" if is_planar else "gives no pictures"
            raise DeviceAbsent(f"{self._path} {reason}: set path to another one of /dev/v4l/by-id/*-video-index0")
        return _text(card)

    def _offer(self) -> Offer:
        offers = offers_of(self._ask, self._wish)
        if (offer := choose(offers, self._wish)) is None:
            named = ", ".join([o.fourcc.strip() for o in offers][:NAMED_MAX]) or "nothing"
            raise DeviceAbsent(
                f"{self._path} offers {named}, none of which is read with format {self._wish.format!r}: "
                'set format = "auto", or use a camera with YUYV, NV12, GREY or MJPG'
            )
        return offer

    def _set_format(self, offer: Offer) -> None:
        """Ask for a size and believe the answer (VIDIOC_S_FMT adjusts what it cannot do)."""
        wanted = (self._wish.width, self._wish.height, v4l2.fourcc(offer.fourcc), v4l2.FIELD_NONE, *[0] * 8)
        _, width, height, pixels, _, stride, *_ = self._ask(
            v4l2.S_FMT, v4l2.FORMAT, v4l2.BUF_TYPE_VIDEO_CAPTURE, *wanted
        )
        name = next((f for f in (*LAYOUTS, JPEG) if v4l2.fourcc(f) == pixels), None)
        name = JPEG if pixels == v4l2.fourcc("JPEG") else name
        if name is None:
            raise DeviceAbsent(f"{self._path} insists on {v4l2.name_of(pixels)}, which is not read: use another camera")
        if not 0 < width * height <= PIXELS_MAX or max(width, height) > SIDE_PIXELS_MAX:
            raise DeviceAbsent(f"{self._path} insists on {width}x{height} pixels: set width and height to what it has")
        if name != JPEG:
            stride = max(stride, width * LAYOUTS[name].step)  # some drivers leave it 0
        self._format = Picture(memoryview(b""), name, width, height, 0 if name == JPEG else stride)

    def _set_rate(self) -> str:
        """Ask for a rate; many drivers have but one, and some cannot say."""
        try:
            *_, over, under, _, _ = self._ask(
                v4l2.S_PARM, v4l2.STREAMPARM, v4l2.BUF_TYPE_VIDEO_CAPTURE, 0, 0, 1, self._wish.fps, 0, 0
            )
        except OSError as error:
            if error.errno not in {errno.ENOTTY, errno.EINVAL}:
                raise
            over = under = 0
        return f"{under / over:.3g} pictures a second" if over and under else "at its own rate"

    def _map_buffers(self) -> None:
        count, *_ = self._ask(
            v4l2.REQBUFS, v4l2.REQUESTBUFFERS, BUFFERS, v4l2.BUF_TYPE_VIDEO_CAPTURE, v4l2.MEMORY_MMAP, 0, 0
        )
        for index in range(min(count, BUFFERS_MAX)):
            described = self._ask(v4l2.QUERYBUF, v4l2.BUFFER, *_buffer(index))
            offset, length = described[10], described[11]
            self._buffers.append(
                mmap.mmap(self._fd, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)
            )
            self._ask(v4l2.QBUF, v4l2.BUFFER, *_buffer(index))
        if not self._buffers:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    def _newest(self) -> Picture | None:
        """Take all pictures that are done, keep the last good one, give the others back."""
        newest: tuple[int, int] | None = None
        for _ in range(len(self._buffers)):
            try:
                index, _, used, flags, _, _, _, _, sequence, *_ = self._ask(v4l2.DQBUF, v4l2.BUFFER, *_buffer(0))
            except BlockingIOError:
                break
            self._count_gap(sequence)
            if flags & v4l2.BUF_FLAG_ERROR or not self._is_whole(index, used):
                self._counts.broken += 1
                self._ask(v4l2.QBUF, v4l2.BUFFER, *_buffer(index))
                continue
            if newest is not None:
                self._counts.dropped += 1
                self._ask(v4l2.QBUF, v4l2.BUFFER, *_buffer(newest[0]))
            newest = index, used
        if newest is None:
            return None
        index, used = newest
        form = self._format
        view = memoryview(self._buffers[index])[:used]
        self._held = index, view
        return Picture(view, form.fourcc, form.width, form.height, form.stride)

    def _is_whole(self, index: int, used: int) -> bool:
        form = self._format
        least = 1 if form.fourcc == JPEG else least_bytes(form.fourcc, form.width, form.height, form.stride)
        return index < len(self._buffers) and least <= used <= len(self._buffers[index])

    def _count_gap(self, sequence: int) -> None:
        """Count what the driver had no room for."""
        before, self._sequence = self._sequence, sequence
        if before is not None:
            gap = (sequence - before - 1) & 0xFFFF_FFFF
            self._counts.dropped += gap if gap < 1 << 31 else 0  # some drivers do not count: always 0

    def _give_back(self) -> None:
        if self._held is not None:
            index, _ = self._held
            self._held = None
            self._ask(v4l2.QBUF, v4l2.BUFFER, *_buffer(index))

    def _ask(self, request: int, form: Struct, *values: object) -> tuple[Any, ...]:
        """Do one request: fill its structure, return what the driver made of it. Raises OSError."""
        fields = bytearray(form.pack(*values) if values else form.size)
        self._ioctl(self._fd, request, fields)
        return form.unpack(fields)

    def _why(self, error: OSError) -> str:
        """Say what is wrong and what to do about it."""
        path = self._path
        match error.errno:
            case errno.ENOENT | errno.ENXIO | errno.ENODEV | errno.EIO:
                return f"{path} is not there: plug the camera in, or set path to one of /dev/v4l/by-id/*"
            case errno.EACCES | errno.EPERM:
                return f"no permission for {path}: give it to the service's user (docs/operations.md says how)"
            case errno.EBUSY:
                return f"{path} is in use by another program: end it"
            case errno.ENOSPC:
                return f"{path} finds no room on its USB bus: lower width, height or fps, or use a port of its own"
            case errno.ENOTTY | errno.EINVAL:
                return f"{path} is no camera that can be read ({error.strerror}): set path to one of /dev/v4l/by-id/*"
            case _:
                return f"{path} cannot be read ({error.strerror}): plug the camera in anew"


def _buffer(index: int) -> tuple[object, ...]:
    return index, v4l2.BUF_TYPE_VIDEO_CAPTURE, 0, 0, 0, 0, 0, b"", 0, v4l2.MEMORY_MMAP, 0, 0, 0, 0


def _text(name: object) -> str:
    """Return a name as a driver gives it, fit for a line."""
    said = bytes(name).split(b"\0")[0] if isinstance(name, bytes) else b""
    return legible(said.decode("utf-8", "replace")).strip() or "a camera"
