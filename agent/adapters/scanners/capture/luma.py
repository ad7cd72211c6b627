"""From pictures to brightness: what a code reader wants, without a copy where the camera already has it that way.

Pixel formats are those of the kernel's video documentation (YUV and luma formats). Compressed ones are mjpeg.py's.
"""

from dataclasses import dataclass

from agent.adapters.scanners.capture.mjpeg import luma_of
from agent.adapters.scanners.capture.picture import FILE, JPEG, Picture, PictureBroken
from agent.core.reading.frame import Frame


@dataclass(frozen=True, slots=True)
class Layout:
    """Where brightness lies in a row: the first byte at start, the next `step` bytes on."""

    start: int = 0
    step: int = 1


_PLANE = Layout()  # a whole plane of brightness comes first
LAYOUTS = {
    "GREY": _PLANE,
    "NV12": _PLANE,
    "NV21": _PLANE,
    "YU12": _PLANE,
    "YV12": _PLANE,
    "NV16": _PLANE,
    "NV61": _PLANE,
    "422P": _PLANE,
    "NV24": _PLANE,
    "NV42": _PLANE,
    "YUYV": Layout(0, 2),
    "YVYU": Layout(0, 2),
    "UYVY": Layout(1, 2),
    "VYUY": Layout(1, 2),
    "Y16 ": Layout(1, 2),  # little-endian: the high byte
}
"""In order of preference: what costs nothing first."""


def frame_of(picture: Picture) -> Frame:
    """Return the picture's brightness. Raises PictureBroken."""
    if picture.fourcc in {JPEG, FILE}:
        return luma_of(picture.data, is_file=picture.fourcc == FILE)
    layout = LAYOUTS[picture.fourcc]
    width, height, stride = picture.width, picture.height, picture.stride
    if len(picture.data) < least_bytes(picture.fourcc, width, height, stride):
        raise PictureBroken(f"{len(picture.data)} bytes are less than {height} rows")
    if layout is _PLANE:
        return Frame(width, height, stride, picture.data)
    # Slicing bytes runs at memory speed; slicing a memoryview with a step costs ten times as much. An even stride keeps
    # every row's first brightness in its place.
    whole = bytes(picture.data)
    if stride % layout.step:
        whole = b"".join(whole[row * stride : (row + 1) * stride - 1] for row in range(height))
        stride -= 1
    return Frame(width, height, stride // layout.step, memoryview(whole[layout.start :: layout.step]))


def least_bytes(fourcc: str, width: int, height: int, stride: int) -> int:
    """Return how many bytes a picture must have for all its brightness to be there; its last row may end early."""
    return stride * (height - 1) + width * LAYOUTS[fourcc].step
