"""Brightness out of the pixel formats cameras have."""

import pytest

from agent.adapters.scanners.capture.luma import LAYOUTS, frame_of
from agent.adapters.scanners.capture.picture import Picture, PictureBroken

WIDTH, HEIGHT = 6, 3
LUMA = [[10 * row + column for column in range(WIDTH)] for row in range(HEIGHT)]


def rows_of(frame) -> list[list[int]]:
    return [list(frame.luma[y * frame.stride : y * frame.stride + frame.width]) for y in range(frame.height)]


def packed(fourcc: str, padding: int) -> bytes:
    """Lay LUMA out as that format does, other bytes 200, rows padded."""
    layout = LAYOUTS[fourcc]
    data = bytearray()
    for row in LUMA:
        line = bytearray([200]) * (WIDTH * layout.step)
        line[layout.start :: layout.step] = bytes(row)
        data += line + bytes([201]) * padding
    return bytes(data)


@pytest.mark.parametrize("fourcc", LAYOUTS)
@pytest.mark.parametrize("padding", [0, 1, 4, 7])
def test_brightness_is_found_in_every_format_however_rows_are_padded(fourcc: str, padding: int) -> None:
    data = packed(fourcc, padding) + bytes(40)  # what follows is colour, or nothing
    picture = Picture(memoryview(data), fourcc, WIDTH, HEIGHT, WIDTH * LAYOUTS[fourcc].step + padding)
    assert rows_of(frame_of(picture)) == LUMA


@pytest.mark.parametrize("fourcc", LAYOUTS)
def test_the_last_row_may_lack_its_padding_and_nothing_more(fourcc: str) -> None:
    whole = packed(fourcc, 4)[:-4]
    stride = WIDTH * LAYOUTS[fourcc].step + 4
    assert rows_of(frame_of(Picture(memoryview(whole), fourcc, WIDTH, HEIGHT, stride))) == LUMA
    with pytest.raises(PictureBroken):
        frame_of(Picture(memoryview(whole[:-1]), fourcc, WIDTH, HEIGHT, stride))


def test_a_plane_is_not_copied() -> None:
    data = bytearray(packed("NV12", 0))
    frame = frame_of(Picture(memoryview(data), "NV12", WIDTH, HEIGHT, WIDTH))
    data[0] = 99
    assert frame.luma[0] == 99
