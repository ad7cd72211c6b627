"""Videos and folders on disk: motion JPEG in AVI and plain; what cannot be played is told."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.adapters.scanners.capture.avi import AviForeign, frames_of, is_avi, rate_of
from agent.adapters.scanners.capture.files import PlayedSource
from agent.adapters.scanners.capture.luma import frame_of
from agent.adapters.scanners.capture.picture import Counts, SourceEnded
from agent.adapters.scanners.lookout import DeviceAbsent
from fakes.pictures import PlainReader, jpeg_of, picture_of

FRAMES = [jpeg_of(picture_of(code, size=(320, 240))) for code in ("first", "second", "third")]


def chunk(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)


def avi_of(frames: list[bytes], kind: bytes = b"00dc") -> bytes:
    header = chunk(b"LIST", b"hdrl" + chunk(b"avih", (40_000).to_bytes(4, "little") + bytes(52)))
    sound = chunk(b"01wb", b"\xff\xd8 no picture")
    body = b"".join(sound + chunk(kind, frame) for frame in frames)
    movie = chunk(b"LIST", b"movi" + chunk(b"LIST", b"rec " + body) + chunk(b"00dc", b""))
    return chunk(b"RIFF", b"AVI " + header + chunk(b"JUNK", bytes(11)) + movie + chunk(b"idx1", bytes(16)))


def codes_in(path: Path, counts: Counts | None = None) -> list[bytes]:
    source = PlayedSource(path, 1_000, counts or Counts(), is_folder=path.is_dir())
    source.open()
    reader, found = PlainReader(), list[bytes]()
    try:
        while True:
            picture = source.next(1)
            assert picture is not None
            found += [piece.data for piece in reader.read(frame_of(picture), 0)]
    except SourceEnded:
        return found
    finally:
        source.close()


def test_an_avi_of_motion_jpeg_is_played_picture_by_picture(tmp_path: Path) -> None:
    path = tmp_path / "film.avi"
    path.write_bytes(avi_of(FRAMES))
    assert codes_in(path) == [b"first", b"second", b"third"]
    assert is_avi(path.read_bytes())
    assert rate_of(path.read_bytes()[:4_096]) == 25


def test_an_avi_cut_short_is_played_to_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "film.avi"
    path.write_bytes(avi_of(FRAMES)[: -len(FRAMES[2])])
    assert codes_in(path) == [b"first", b"second"]


def test_pictures_one_behind_the_other_are_played(tmp_path: Path) -> None:
    path = tmp_path / "film.mjpeg"
    path.write_bytes(FRAMES[0] + FRAMES[1] + FRAMES[2][:-2])
    assert codes_in(path) == [b"first", b"second"]


def test_a_folder_is_played_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name, frame in zip(("b.jpg", "c.JPG", "a.jpeg"), FRAMES, strict=True):
        (tmp_path / name).write_bytes(frame)
    assert codes_in(tmp_path) == [b"third", b"first", b"second"]


@pytest.mark.parametrize("content", [avi_of([b"H264"]), b"\0\0\0\x18ftypmp42" + bytes(100), b""])
def test_a_video_that_cannot_be_played_is_told_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(DeviceAbsent, match=r"film\.mp4 cannot be played .* convert it"):
        PlayedSource(path, 30, Counts(), is_folder=False).open()


def test_a_file_that_is_not_there_is_told_with_its_path(tmp_path: Path) -> None:
    for is_folder in (True, False):
        with pytest.raises(DeviceAbsent, match="none cannot be read"):
            PlayedSource(tmp_path / "none", 30, Counts(), is_folder=is_folder).open()


def test_waking_ends_the_pause_between_two_pictures(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(FRAMES[0])
    source = PlayedSource(tmp_path, 0.001, Counts(), is_folder=True)
    source.open()
    source.wake()
    assert source.next(600) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6), st.integers(0, 3_000))
def test_a_damaged_avi_raises_nothing_unforeseen(changes: list[tuple[int, int]], length: int) -> None:
    import io

    damaged = bytearray(avi_of(FRAMES))
    for place, value in changes:
        damaged[place] = value
    try:
        for count, frame in enumerate(frames_of(io.BytesIO(bytes(damaged[: 200 + length]))), 1):
            assert frame.startswith(b"\xff\xd8")
            assert count < 100
    except AviForeign:
        pass
