"""The camera scanner on real pictures: files on disk, a network camera on loopback, and a camera made of memory."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent.adapters.scanners.camera import CameraScanner
from agent.adapters.scanners.camera_settings import Settings
from agent.adapters.scanners.capture.picture import Counts, Picture
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.adapters.scanners.presence import Presence
from agent.core.reading.frame import Frame
from agent.core.reading.piece import Piece
from agent.core.scan import ScanFault
from agent.ports import FrameReader
from fakes.pictures import ListReader, PlainReader, jpeg_of, picture_of
from fakes.tty import Presences, reading
from fakes.waiting import until
from fakes.world import FakeClock


def settings_of(path: str, **others) -> Settings:
    return Settings(id="front", path=path, **{"fps": 240, **others})


def scanner_of(settings: Settings, told: Presences, reader: Callable[[], FrameReader] = PlainReader, **others):
    return CameraScanner(settings, FakeClock(), told, make_reader=reader, **others)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    return tmp_path / "pictures"


class MemoryCamera:
    """Shows what `shows` returns, as fast as it is looked at, until it is unplugged."""

    is_live = True

    def __init__(self, shows: Callable[[], bytes | None]) -> None:
        self._shows = shows
        self._stopped = threading.Event()
        self.unplugged = False
        self.is_open = False

    def open(self) -> str:
        if self.unplugged:
            raise DeviceAbsent("memory is not there: plug it in")
        self.is_open = True
        return "memory"

    def next(self, timeout_s: float) -> Picture | None:
        if self._stopped.wait(0.001):
            return None
        if self.unplugged:
            raise DeviceAbsent("memory was unplugged: plug it in")
        shown = self._shows()
        return None if shown is None else Picture(memoryview(shown), "GREY", 64, 48, 64)

    def close(self) -> None:
        self.is_open = False

    def wake(self) -> None:
        self._stopped.set()


NOISY = bytes(i * 7 % 251 for i in range(64 * 48))


async def test_a_code_in_a_picture_is_a_scan_byte_for_byte_with_its_aim_id(folder: Path, told: Presences) -> None:
    payload = bytes(range(256))
    picture_of(payload).save(folder / "1.png")
    async with reading(scanner_of(settings_of(f"folder:{folder}"), told)) as listener:
        scan = await listener.next()
    assert (scan.data, scan.scanner, scan.fault) == (payload, "front", None)
    assert scan.aim is not None
    assert scan.aim.startswith("]Q")


async def test_two_codes_in_one_picture_are_two_scans(folder: Path, told: Presences) -> None:
    for number in range(20):
        picture_of("left", "right").save(folder / f"{number:02}.png")
    async with reading(scanner_of(settings_of(f"folder:{folder}"), told)) as listener:
        assert {scan.data for scan in await listener.take(2)} == {b"left", b"right"}
        await told.until(Presence.ABSENT)
        assert listener.waiting == 0


async def test_the_pictures_are_read_in_a_thread_of_their_own(folder: Path, told: Presences) -> None:
    reader = PlainReader()
    picture_of("code").save(folder / "1.png")
    async with reading(scanner_of(settings_of(f"folder:{folder}"), told, lambda: reader)) as listener:
        await listener.next()
    assert len(reader.threads) == 1
    assert threading.get_ident() not in reader.threads


async def test_a_folder_is_played_to_its_end_and_the_scanner_stays(folder: Path, told: Presences) -> None:
    (folder / "notes.txt").write_text("no picture")
    for number, code in enumerate(("a", "b", "c")):
        picture_of(code).save(folder / f"{number}.png")
    scanner = scanner_of(settings_of(f"folder:{folder}"), told)
    async with reading(scanner) as listener:
        assert [scan.data for scan in await listener.take(3)] == [b"a", b"b", b"c"]
        assert "has been played to its end" in await told.until(Presence.ABSENT)
        assert not listener.has_ended.is_set()
        assert scanner.presence == "absent"
        assert scanner.why_silent() is None
    assert scanner.pictures == Counts(pictures=3)


async def test_a_broken_picture_is_counted_and_the_next_one_read(folder: Path, told: Presences) -> None:
    (folder / "0.jpg").write_bytes(b"\xff\xd8 no picture")
    (folder / "1.jpg").write_bytes(jpeg_of(picture_of("whole"))[:-2_000])
    (folder / "2.jpg").write_bytes(jpeg_of(picture_of("whole")))
    scanner = scanner_of(settings_of(f"folder:{folder}"), told)
    async with reading(scanner) as listener:
        assert (await listener.next()).data == b"whole"
    assert scanner.pictures.broken == 2


async def test_a_folder_without_pictures_is_absent_with_the_reason(folder: Path, told: Presences) -> None:
    async with reading(scanner_of(settings_of(f"folder:{folder}"), told)):
        assert "holds no picture" in await told.until(Presence.ABSENT)


async def test_a_code_held_up_is_one_scan_and_shown_again_later_a_second(told: Presences) -> None:
    at_s = [0.0]
    held = [Piece(b"held", aim="]Q1")]
    camera = MemoryCamera(lambda: NOISY)
    reader = ListReader([])
    scanner = scanner_of(
        settings_of("/dev/video0"), told, lambda: reader, make_source=lambda _settings, _counts: camera
    )
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        loop = asyncio.get_running_loop()
        real, loop.time = loop.time, lambda: real() + at_s[0]  # type: ignore[method-assign]
        for _ in range(100):  # ten seconds in its sight
            reader._found.append(held)
            await until(lambda: not reader._found)
            at_s[0] += 0.1
        assert (await listener.next()).data == b"held"
        assert listener.waiting == 0
        at_s[0] += 3.1  # taken away
        reader._found.append(held)
        assert (await listener.next()).data == b"held"
        loop.time = real  # type: ignore[method-assign]


async def test_a_code_that_the_profile_refuses_is_refused_once_however_long_it_is_held(told: Presences) -> None:
    reader = ListReader([[Piece(b"foreign")] for _ in range(50)])
    camera = MemoryCamera(lambda: NOISY)
    scanner = scanner_of(
        settings_of("/dev/video0", prefix="OURS:"), told, lambda: reader, make_source=lambda _s, _c: camera
    )
    async with reading(scanner) as listener:
        assert (await listener.next()).fault is ScanFault.DAMAGED
        await until(lambda: not reader._found)
        reader._found.append([Piece(b"OURS:1")])
        assert (await listener.next()).data == b"1"


async def test_an_unplugged_camera_is_told_let_go_and_found_again(told: Presences) -> None:
    cameras = list[MemoryCamera]()

    def make(_settings: Settings, _counts: Counts) -> MemoryCamera:
        cameras.append(MemoryCamera(lambda: NOISY))
        cameras[-1].unplugged = 1 < len(cameras) < 4
        return cameras[-1]

    scanner = scanner_of(settings_of("/dev/video0"), told, lambda: ListReader([]), make_source=make)
    async with reading(scanner):
        await told.until(Presence.PRESENT)
        cameras[0].unplugged = True
        assert "unplugged" in await told.until(Presence.ABSENT)
        assert not cameras[0].is_open
        await told.until(Presence.PRESENT, times=2)
        assert scanner.why_silent() is None
    await until(lambda: not cameras[-1].is_open)


async def test_a_camera_without_pictures_counts_as_absent(told: Presences, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.adapters.scanners.capture.sight.PICTURE_S_MAX", 0.05)
    scanner = scanner_of(
        settings_of("/dev/video0"), told, lambda: ListReader([]), make_source=lambda _s, _c: MemoryCamera(lambda: None)
    )
    async with reading(scanner):
        assert "no frames" in await told.until(Presence.ABSENT)


async def test_a_frozen_camera_is_opened_anew_once_told_and_present_again_when_it_moves(
    told: Presences, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.core.reading.stillness.STILL_MS_MAX", 50)
    monkeypatch.setattr("agent.adapters.scanners.capture.sight.LOOK_S", 0.005)
    shown, opened, reader = [NOISY], list[MemoryCamera](), ListReader([])

    def make(_settings: Settings, _counts: Counts) -> MemoryCamera:
        opened.append(MemoryCamera(lambda: shown[0]))
        return opened[-1]

    scanner = scanner_of(settings_of("/dev/video0"), told, lambda: reader, make_source=make)
    async with reading(scanner) as listener:
        assert "frozen" in await told.until(Presence.ABSENT)
        reader._found.append([Piece(b"read all the same")])
        assert (await listener.next()).data == b"read all the same"
        assert (len(opened), scanner.presence) == (2, "absent")
        shown[0] = NOISY[::-1]
        await told.until(Presence.PRESENT, times=2)
    assert [p for _, p, _ in told.told][:3] == [Presence.PRESENT, Presence.ABSENT, Presence.PRESENT]


async def test_a_covered_camera_is_present_and_told(told: Presences, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.core.reading.stillness.STILL_MS_MAX", 50)
    monkeypatch.setattr("agent.adapters.scanners.capture.sight.LOOK_S", 0.005)
    shown = [bytes(64 * 48)]
    camera = MemoryCamera(lambda: shown[0])
    scanner = scanner_of(settings_of("/dev/video0"), told, lambda: ListReader([]), make_source=lambda _s, _c: camera)
    async with reading(scanner):
        assert "uncover the lens" in await told.until(Presence.PRESENT, times=2)
        shown[0] = NOISY
        assert await told.until(Presence.PRESENT, times=3) == "memory"


async def test_a_picture_that_takes_for_ever_is_seen_by_the_watchdog(
    told: Presences, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.adapters.scanners.capture.sight.HUNG_S", 0.01)
    let_go = threading.Event()

    class HungReader:
        def read(self, _frame: object, _at_ms: int) -> list[Piece]:
            let_go.wait(20)
            return []

    scanner = scanner_of(
        settings_of("/dev/video0"), told, HungReader, make_source=lambda _s, _c: MemoryCamera(lambda: NOISY)
    )
    async with reading(scanner):
        await told.until(Presence.PRESENT)
        await until(lambda: (scanner.why_silent() or "").startswith("reading a picture has taken"))
        let_go.set()


async def test_codes_are_not_lost_while_nobody_takes_scans(told: Presences) -> None:
    reader = ListReader([[Piece(b"%d" % number)] for number in range(200)])
    scanner = scanner_of(
        settings_of("/dev/video0", scans_per_s_max=1_000), told, lambda: reader,
        make_source=lambda _s, _c: MemoryCamera(lambda: NOISY),
    )  # fmt: skip
    scans = scanner.scans()
    first = await anext(scans)
    await until(lambda: scanner._intake.is_full)
    taken = [first.data] + [(await anext(scans)).data for _ in range(199)]
    await scans.aclose()
    assert taken == [b"%d" % number for number in range(200)]


def test_what_a_camera_costs_is_paid_by_terminals_with_one_only() -> None:
    import subprocess
    import sys

    heavy = ("zxingcpp", "PIL", "agent.adapters.scanners.capture.v4l2", "agent.adapters.scanners.capture.http_stream")
    asked = f"import agent.config, sys; print([m for m in {heavy!r} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"path": "http://camera.example/stream"}, "private network"),
        ({"path": "http://8.8.8.8/stream"}, "private network"),
        ({"path": "https://me:secret@camera.example/"}, "password"),
        ({"path": "http://192.168.1.9/", "user": "me", "password_file": "/p"}, "needs https"),
        ({"path": "https://camera.example/", "user": "me"}, "belong together"),
        ({"path": "/dev/video0", "user": "me"}, "belong to a camera"),
        ({"path": "http:///stream"}, "form"),
        ({"path": "http://[::1/"}, "URL"),
        ({"path": "https://camera.example/a b"}, "spaces"),
        ({"path": "video0"}, "regex"),
    ],
)
def test_an_address_that_cannot_be_used_safely_is_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said) as caught:
        msgspec.convert({"id": "front", **given, "type": "camera"}, Settings)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["/dev/v4l/by-id/x", "usb:1d6b:0104:7", "http://192.168.1.9:8080/?action=stream", "https://camera.example/s",
     "http://localhost/", "http://[fd00::1]/", "folder:frames", "video:/tmp/x.avi"],
)  # fmt: skip
def test_addresses_of_every_kind_are_taken(path: str) -> None:
    assert msgspec.convert({"id": "front", "path": path, "type": "camera"}, Settings).same_code_interval_ms == 3_000


class RaisingReader:
    """Raises what names the code it saw, until it is mended."""

    is_broken = True

    def read(self, frame: Frame, at_ms: int) -> list[Piece]:
        if self.is_broken:
            raise TypeError("EHC1:SOMEBODYS-CODE is no picture")
        return [Piece(b"code")]


async def test_a_reader_that_raises_makes_the_camera_absent_not_the_agent_dead(
    told: Presences, caplog: pytest.LogCaptureFixture
) -> None:
    reader = RaisingReader()
    camera = MemoryCamera(lambda: NOISY)
    scanner = scanner_of(settings_of("/dev/memory"), told, lambda: reader, make_source=lambda *_: camera)
    async with reading(scanner) as listener:
        why = await told.until(Presence.ABSENT)
        assert "reading a picture failed (TypeError)" in why
        assert scanner.why_silent() is None
        assert "TypeError" in caplog.text
        assert "SOMEBODYS" not in caplog.text + why
        reader.is_broken = False
        camera._stopped.clear()
        assert (await listener.next()).data == b"code"


async def test_a_code_reader_that_cannot_be_loaded_is_told_and_tried_again(told: Presences) -> None:
    def load() -> FrameReader:
        raise ImportError("libsomething.so: cannot open shared object file")

    camera = MemoryCamera(lambda: NOISY)
    scanner = scanner_of(settings_of("/dev/memory"), told, load, make_source=lambda *_: camera)
    async with reading(scanner):
        assert "loading the code reader failed (ImportError)" in await told.until(Presence.ABSENT)
        assert scanner.why_silent() is None
