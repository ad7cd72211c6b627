"""Network cameras, on loopback: real HTTP, real JPEG."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from agent.adapters.scanners.camera import CameraScanner
from agent.adapters.scanners.camera_settings import Settings
from agent.adapters.scanners.capture.http_stream import Access, HttpStreamSource
from agent.adapters.scanners.capture.picture import Counts
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.adapters.scanners.presence import Presence
from fakes.http_camera import HttpCamera, certified, part_of
from fakes.pictures import PlainReader, jpeg_of, picture_of
from fakes.tty import Presences, reading
from fakes.world import FakeClock

CODE = jpeg_of(picture_of("code"))
DESK = jpeg_of(picture_of())


@contextmanager
def camera_of(*parts: bytes, **how) -> Iterator[HttpCamera]:
    camera = HttpCamera(lambda: parts, **how)
    try:
        yield camera
    finally:
        camera.close()


def scanner_of(url: str, told: Presences, **others) -> CameraScanner:
    return CameraScanner(Settings(id="front", path=url, **others), FakeClock(), told, make_reader=PlainReader)


@pytest.mark.parametrize("has_length", [True, False])
@pytest.mark.parametrize("is_chunked", [True, False])
async def test_a_code_before_a_network_camera_is_a_scan(has_length: bool, is_chunked: bool) -> None:
    told = Presences()
    with camera_of(part_of(CODE, has_length=has_length), is_chunked=is_chunked) as camera:
        async with reading(scanner_of(camera.url, told)) as listener:
            assert (await listener.next()).data == b"code"
            await told.until(Presence.PRESENT)
        assert camera.requests[0] == "/stream?channel=1"
    assert not any("channel" in why for _, _, why in told.told)


async def test_a_stream_that_ends_is_told_and_asked_for_again() -> None:
    told = Presences()
    with camera_of(part_of(CODE), part_of(DESK)) as camera:
        async with reading(scanner_of(camera.url, told)) as listener:
            assert (await listener.next()).data == b"code"
            assert "ended its stream" in await told.until(Presence.ABSENT)
            await told.until(Presence.PRESENT, times=2)
            assert listener.waiting == 0, "the code was in sight all the time"


async def test_whoever_looks_late_gets_the_newest_picture_and_the_others_are_counted() -> None:
    counts = Counts()
    with camera_of(*[part_of(DESK)] * 50, part_of(CODE)) as camera:
        source = HttpStreamSource(camera.url, Access(), counts)
        source.open()
        with source._changed:
            assert source._changed.wait_for(lambda: source._why_ended, 10)
        picture = source.next(1)
        assert picture is not None
        assert bytes(picture.data) == CODE
        assert counts.dropped == 50
        with pytest.raises(DeviceAbsent, match="ended"):
            source.next(1)
        source.close()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"status": 404}, "answers 404"),
        ({"status": 302}, "answers 302"),
        ({"kind": "text/html"}, "gives 'text/html'"),
        ({"password": b"me:right"}, "set user and password_file"),
    ],
)
async def test_what_is_no_stream_is_told_with_what_to_do(how: dict, said: str) -> None:
    told = Presences()
    with camera_of(part_of(CODE), **how) as camera:
        async with reading(scanner_of(camera.url, told)):
            assert said in await told.until(Presence.ABSENT)


async def test_a_camera_that_is_not_there_is_told_with_its_address() -> None:
    told = Presences()
    with camera_of() as camera:
        url = camera.url
    async with reading(scanner_of(url, told)):
        assert "127.0.0.1" in await told.until(Presence.ABSENT)


def test_the_password_is_read_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_bytes("geheim-密\n".encode())
    with camera_of(part_of(CODE), password="me:geheim-密".encode()) as camera:
        source = HttpStreamSource(camera.url, Access("me", str(secret)), Counts())
        said = source.open()
        assert source.next(5) is not None
        source.close()
        assert "geheim" not in said
        with pytest.raises(DeviceAbsent) as caught:
            HttpStreamSource(camera.url, Access("me", str(tmp_path / "none")), Counts()).open()
    assert "No such file" in str(caught.value)


def test_a_camera_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.adapters.scanners.capture.http_stream.TIMEOUT_S", 0.1)
    let_go = threading.Event()

    def silent() -> Iterator[bytes]:
        yield b"--b\r\n"
        let_go.wait(10)

    camera = HttpCamera(silent)
    try:
        source = HttpStreamSource(camera.url, Access(), Counts())
        source.open()
        with pytest.raises(DeviceAbsent, match=r"nothing for 0\.1 s"):
            source.next(10)
        source.close()
    finally:
        let_go.set()
        camera.close()


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x\r\nX: "])
def test_a_camera_whose_answer_trickles_for_ever_is_given_up(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.adapters.scanners.capture.http_stream.ANSWER_S_MAX", 0.2)
    let_go = threading.Event()

    def trickle() -> None:
        connected, _ = listening.accept()
        with connected, suppress(OSError):
            connected.sendall(head)
            while not let_go.wait(0.01):
                connected.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            source = HttpStreamSource(f"http://127.0.0.1:{listening.getsockname()[1]}/", Access(), Counts())
            with pytest.raises(DeviceAbsent, match=r"no whole answer for 0\.2 s"):
                source.open()
        finally:
            let_go.set()
            thread.join()


def test_closing_ends_the_wait_at_once() -> None:
    let_go = threading.Event()

    def silent() -> Iterator[bytes]:
        yield part_of(DESK)
        let_go.wait(10)

    camera = HttpCamera(silent)
    try:
        source = HttpStreamSource(camera.url, Access(), Counts())
        source.open()
        assert source.next(5) is not None
        timer = threading.Timer(0.05, source.wake)
        timer.start()
        assert source.next(60) is None
        timer.join()
    finally:
        let_go.set()
        camera.close()


async def test_over_tls_a_camera_of_a_private_authority_is_read_and_of_no_other(tmp_path: Path) -> None:
    certificate, context = certified(tmp_path)
    secret = tmp_path / "password"
    secret.write_text("right\n")
    with camera_of(part_of(CODE), tls=context, password=b"me:right") as camera:
        told = Presences()
        ours = scanner_of(
            camera.url, told, ca_file=str(certificate), user="me", password_file=str(secret), same_code_interval_ms=0
        )
        async with reading(ours) as listener:
            assert (await listener.next()).data == b"code"
        async with reading(scanner_of(camera.url, told)):
            await told.until(Presence.ABSENT, times=sum(p is Presence.ABSENT for _, p, _ in told.told) + 1)
        assert "SSLCertVerificationError" in told.told[-1][2] or "certificate" in told.told[-1][2]
        with pytest.raises(DeviceAbsent, match="correct ca_file"):
            HttpStreamSource(camera.url, Access(ca_file=str(tmp_path / "none")), Counts()).open()
