"""A picture as decoders want it: brightness only, in the buffer where the camera left it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """width, height: pixels; luma: height rows of `stride` bytes, the first `width` of each being brightness 0 to 255.

    The buffer belongs to whoever made the frame and holds only until the next one is asked for.
    """

    width: int
    height: int
    stride: int
    luma: memoryview
