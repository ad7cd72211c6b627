"""JPEG pictures: brightness out of one, one out of a stream; nothing that comes in can raise."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from agent.adapters.scanners.capture.mjpeg import JpegSplitter, luma_of
from agent.adapters.scanners.capture.picture import WHOLE_BYTES_MAX, PictureBroken
from fakes.pictures import PlainReader, jpeg_of, picture_of

WHOLE = jpeg_of(picture_of("one code", size=(320, 240)))
OTHER = jpeg_of(picture_of("another", size=(160, 120)), quality=40)


def with_thumbnail(jpeg: bytes) -> bytes:
    """Put a segment with a whole picture of its own behind the start, as cameras that write EXIF do."""
    segment = b"Exif\0\0" + OTHER
    return jpeg[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2) + segment + jpeg[2:]


def without_huffman_tables(jpeg: bytes) -> bytes:
    out, at = bytearray(jpeg[:2]), 2
    while jpeg[at + 1] != 0xDA:
        length = 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        if jpeg[at + 1] != 0xC4:
            out += jpeg[at : at + length]
        at += length
    return bytes(out + jpeg[at:])


def test_brightness_is_what_was_in_the_picture() -> None:
    frame = luma_of(WHOLE)
    assert (frame.width, frame.height, frame.stride, len(frame.luma)) == (320, 240, 320, 320 * 240)
    assert [piece.data for piece in PlainReader().read(frame, 0)] == [b"one code"]


def test_motion_jpeg_without_huffman_tables_is_read() -> None:
    assert bytes(luma_of(without_huffman_tables(WHOLE)).luma) == bytes(luma_of(WHOLE).luma)


def test_what_is_transparent_is_paper() -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    file = io.BytesIO()
    image.save(file, "PNG")
    assert set(bytes(luma_of(file.getvalue(), is_file=True).luma)) == {255}


@pytest.mark.parametrize("cut", [2, 20, 300, len(WHOLE) // 2, len(WHOLE) - 200])
def test_a_picture_cut_short_is_broken(cut: int) -> None:
    with pytest.raises(PictureBroken):
        luma_of(WHOLE[:cut])


def test_a_picture_too_large_is_refused_before_it_is_unpacked() -> None:
    at = WHOLE.index(b"\xff\xc0")
    huge = WHOLE[: at + 5] + struct.pack(">HH", 8_000, 8_000) + WHOLE[at + 9 :]
    with pytest.raises(PictureBroken, match="8000 by 8000"):
        luma_of(huge)
    with pytest.raises(PictureBroken, match="bytes"):
        luma_of(bytes(WHOLE_BYTES_MAX + 1))


def test_another_kind_of_picture_is_no_jpeg() -> None:
    file = io.BytesIO()
    picture_of().save(file, "PNG")
    with pytest.raises(PictureBroken):
        luma_of(file.getvalue())


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8), st.booleans())
def test_a_damaged_picture_never_raises_anything_else(changes: list[tuple[int, int]], is_file: bool) -> None:
    damaged = bytearray(with_thumbnail(WHOLE))
    for place, value in changes:
        damaged[place] = value
    try:
        frame = luma_of(bytes(damaged), is_file=is_file)
    except PictureBroken:
        return
    assert len(frame.luma) == frame.stride * frame.height


@given(st.binary(max_size=400), st.booleans())
def test_noise_never_raises_anything_else(noise: bytes, is_file: bool) -> None:
    for data in (noise, WHOLE[:300] + noise):
        try:
            luma_of(data, is_file=is_file)
        except PictureBroken:
            pass


PARTS = st.lists(
    st.sampled_from([WHOLE, OTHER, with_thumbnail(WHOLE), b"--b\r\n\r\n", b"\xff", b"\xff\xff", b"", b"\xd8"]),
    max_size=8,
)


@given(PARTS, st.lists(st.integers(1, 5_000), min_size=1, max_size=20))
def test_how_a_stream_is_cut_changes_nothing(parts: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(parts)
    whole = JpegSplitter()
    expected = whole.feed(stream)
    cut, found, at, turn = JpegSplitter(), list[bytes](), 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        found += cut.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == expected
    assert cut.broken == whole.broken


def test_pictures_come_out_whole_whatever_stands_between_and_within() -> None:
    pictures = [WHOLE, with_thumbnail(OTHER), without_huffman_tables(WHOLE), OTHER]
    stream = b"head\r\n" + b"\r\n--b\r\nContent-Length: 5\r\n\r\n".join(pictures)
    assert JpegSplitter().feed(stream) == pictures


def test_a_picture_without_an_end_costs_no_more_than_its_limit() -> None:
    splitter = JpegSplitter(bytes_max=len(WHOLE) + 100)
    endless = WHOLE[:-2]
    found = splitter.feed(endless)
    for _ in range(200):
        found += splitter.feed(bytes(1_000))
        assert len(splitter._pending) <= len(WHOLE) + 1_100
    assert found == []
    assert splitter.broken >= 1
    assert splitter.feed(b"\xff\xd9" + OTHER)[-1:] == [OTHER]


@given(st.binary(max_size=3_000), st.integers(0, 50))
def test_noise_makes_no_picture_larger_than_the_limit(noise: bytes, size: int) -> None:
    splitter = JpegSplitter(bytes_max=1_000)
    for data in (noise, b"\xff\xd8" + noise, WHOLE[:size] + noise):
        assert all(len(picture) <= 1_000 for picture in splitter.feed(data))
