"""The V4L2 source against a driver made of answers; its structures and real drivers are tried elsewhere."""

import errno
from pathlib import Path

import pytest

from agent.adapters.scanners.capture import videodev2 as v4l2
from agent.adapters.scanners.capture.luma import frame_of
from agent.adapters.scanners.capture.offers import Wish
from agent.adapters.scanners.capture.picture import Counts, Picture
from agent.adapters.scanners.capture.v4l2 import BUFFERS, V4l2Source
from agent.adapters.scanners.lookout import DeviceAbsent
from fakes.v4l2 import FakeDriver

WIDTH, HEIGHT = 64, 48
BYTES = {"YUYV": 2 * WIDTH * HEIGHT, "GREY": WIDTH * HEIGHT}
SMALL = (WIDTH, HEIGHT, 30)


class Rig:
    def __init__(self, folder: Path, formats: dict[str, list[tuple[int, int, int]]], **caps: int) -> None:
        self.driver = FakeDriver(folder / "video0", formats, **caps)
        self.driver.path.write_bytes(b"")
        self.counts = Counts()
        self.wish = Wish(WIDTH, HEIGHT, 30)

    def source(self, wish: Wish | None = None) -> V4l2Source:
        return V4l2Source(lambda: str(self.driver.path), wish or self.wish, self.counts, self.driver)


def shade(picture: Picture | None) -> int:
    assert picture is not None
    return frame_of(picture).luma[0]


def grey(value: int) -> bytes:
    return bytes([value]) * BYTES["GREY"]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path, {"GREY": [SMALL]})


def test_what_the_camera_is_is_told_in_one_plain_line(rig: Rig) -> None:
    source = rig.source()
    assert source.open() == f"{rig.driver.path}: Camera �?, 64x48 GREY, 30 pictures a second"
    assert rig.driver.is_streaming
    source.close()
    assert not rig.driver.is_streaming


def test_the_newest_picture_is_given_and_older_ones_go_back_at_once(rig: Rig) -> None:
    source = rig.source()
    source.open()
    for value in (1, 2, 3):
        assert rig.driver.show(grey(value))
    assert shade(source.next(1)) == 3
    assert rig.counts.dropped == 2
    for value in range(4, 4 + BUFFERS - 1):
        assert rig.driver.show(grey(value)), "all but the one in hand are free again"
    assert not rig.driver.show(grey(9))
    assert shade(source.next(1)) == BUFFERS + 2
    assert source.next(0) is None
    source.close()


def test_damaged_and_short_pictures_are_counted_and_passed_over(rig: Rig) -> None:
    source = rig.source()
    source.open()
    rig.driver.show(grey(1))
    rig.driver.show(grey(2), flags=v4l2.BUF_FLAG_ERROR)
    rig.driver.show(grey(3), used=BYTES["GREY"] - 1)
    rig.driver.show(grey(4), used=1 << 30)
    assert shade(source.next(1)) == 1
    assert rig.counts.broken == 3
    source.close()


def test_pictures_the_driver_had_no_room_for_are_counted(rig: Rig) -> None:
    source = rig.source()
    source.open()
    rig.driver.show(grey(1))
    source.next(1)
    rig.driver.show(grey(2), gap=5)
    source.next(1)
    assert rig.counts.dropped == 5
    source.close()


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EIO])
def test_an_unplugged_camera_is_told(rig: Rig, number: int) -> None:
    source = rig.source()
    source.open()
    rig.driver.fails[v4l2.DQBUF] = number
    rig.driver.fails[v4l2.STREAMOFF] = number
    with pytest.raises(DeviceAbsent, match="plug the camera in"):
        source.next(1)
    source.close()


@pytest.mark.parametrize(
    ("request_", "number", "said"),
    [
        (v4l2.QUERYCAP, errno.ENOTTY, "is no camera"),
        (v4l2.S_FMT, errno.EBUSY, "in use by another program"),
        (v4l2.REQBUFS, errno.EBUSY, "in use by another program"),
        (v4l2.STREAMON, errno.ENOSPC, "no room on its USB bus"),
        (v4l2.STREAMON, errno.EPROTO, "plug the camera in anew"),
    ],
)
def test_what_is_in_the_way_is_told_with_what_to_do(rig: Rig, request_: int, number: int, said: str) -> None:
    rig.driver.fails[request_] = number
    source = rig.source()
    with pytest.raises(DeviceAbsent, match=said):
        source.open()
    source.close()


def test_a_driver_without_rates_and_sizes_is_used_as_it_is(rig: Rig) -> None:
    for request in (v4l2.S_PARM, v4l2.ENUM_FRAMESIZES, v4l2.ENUM_FRAMEINTERVALS):
        rig.driver.fails[request] = errno.ENOTTY
    source = rig.source()
    assert source.open().endswith("at its own rate")
    source.close()


@pytest.mark.parametrize(
    ("caps", "said"),
    [
        ({"device_caps": 0x0080_0000 | v4l2.CAP_STREAMING}, "gives no pictures"),
        ({"device_caps": v4l2.CAP_VIDEO_CAPTURE_MPLANE | v4l2.CAP_STREAMING}, "several planes"),
        ({"capabilities": v4l2.CAP_VIDEO_CAPTURE}, "gives no pictures"),
    ],
)
def test_a_node_that_takes_no_pictures_is_told(tmp_path: Path, caps: dict[str, int], said: str) -> None:
    source = Rig(tmp_path, {"GREY": [SMALL]}, **caps).source()
    with pytest.raises(DeviceAbsent, match=said):
        source.open()
    source.close()


HD = (1280, 720)


@pytest.mark.parametrize(
    ("formats", "wish", "chosen"),
    [
        ({"MJPG": [SMALL], "YUYV": [SMALL]}, Wish(*SMALL), "64x48 YUYV"),
        ({"YUYV": [SMALL], "GREY": [SMALL]}, Wish(*SMALL), "64x48 GREY"),
        ({"YUYV": [(*HD, 10)], "MJPG": [(*HD, 30)]}, Wish(*HD, 30), "1280x720 MJPG"),
        ({"YUYV": [(*HD, 10)], "MJPG": [(*HD, 30)]}, Wish(*HD, 10), "1280x720 YUYV"),
        ({"YUYV": [(*HD, 10)], "MJPG": [(*HD, 30)]}, Wish(*HD, 30, "yuyv"), "1280x720 YUYV"),
        ({"YUYV": [SMALL], "MJPG": [SMALL, (*HD, 30)]}, Wish(*HD, 30), "1280x720 MJPG"),
        ({"H264": [SMALL], "JPEG": [SMALL]}, Wish(*SMALL), "64x48 MJPG"),
    ],
)
def test_the_format_is_the_cheapest_that_has_size_and_rate(
    tmp_path: Path, formats: dict[str, list[tuple[int, int, int]]], wish: Wish, chosen: str
) -> None:
    source = Rig(tmp_path, formats).source(wish)
    assert chosen in source.open()
    source.close()


def test_a_camera_with_foreign_formats_alone_is_told_with_what_it_offers(tmp_path: Path) -> None:
    source = Rig(tmp_path, {"H264": [SMALL], "RGB3": [SMALL]}).source()
    with pytest.raises(DeviceAbsent, match=r'offers H264, RGB3, none of which .* format = "auto"'):
        source.open()
    source.close()


def test_a_picture_somebody_still_holds_does_not_keep_the_camera(rig: Rig) -> None:
    source = rig.source()
    source.open()
    rig.driver.show(grey(7))
    picture = source.next(1)
    source.close()
    assert picture is not None
    assert picture.data[0] == 7
    source.wake()
