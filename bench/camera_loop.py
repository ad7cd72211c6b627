"""What a camera costs the loop: how late and how long its callbacks are while 720p pictures are unpacked and read."""

import asyncio
import io
import statistics
import threading
import time
from contextlib import aclosing
from typing import Any

import zxingcpp
from PIL import Image

from agent.adapters.clock import SystemClock
from agent.adapters.scanners.camera import CameraScanner
from agent.adapters.scanners.camera_settings import Settings
from agent.adapters.scanners.capture.luma import frame_of
from agent.adapters.scanners.capture.picture import JPEG, Counts, Picture, SourceEnded
from agent.adapters.scanners.presence import Presence
from agent.core.reading.frame import Frame
from agent.core.reading.piece import Piece
from bench.line import Line

WIDTH, HEIGHT, FPS = 1_280, 720, 30
PICTURES = 240  # eight seconds
CPU_MS_MAX = 20.0  # of the loop's thread, for one callback
TICK_S = 0.005
UNPACK_ROUNDS = 40
QR: Any = zxingcpp.BarcodeFormat.QRCode  # its own types ask for a set and take one
CODE = b"EHC1:" + bytes(48 + i % 10 for i in range(505))


def lines() -> list[Line]:
    """Measure the loop with a camera, and the unpacking."""
    desk, held = _jpeg(None), _jpeg(CODE)
    cpu_ms, late_ms, counts, scans = asyncio.run(_measure([desk, held]))
    assert scans >= 1
    worst = sorted(cpu_ms)[int(0.999 * (len(cpu_ms) - 1))]
    detail = (
        f"worst {max(cpu_ms):.2f} ms of {len(cpu_ms)} turns, a tick late p50 {statistics.median(late_ms):.2f} ms, "
        f"p99 {sorted(late_ms)[int(0.99 * len(late_ms))]:.2f} ms; {counts.pictures} pictures, {scans} scan(s)"
    )
    yuyv_ms, jpeg_ms = _unpacking(held)
    unpacking = f"720p: YUYV {yuyv_ms:.2f} ms, JPEG of {len(held)} bytes {jpeg_ms:.2f} ms"
    return [
        Line("loop CPU for one turn with a camera, p99.9", worst, CPU_MS_MAX, "at most", "ms", detail),
        Line("brightness out of YUYV / out of JPEG", yuyv_ms / jpeg_ms, 1.0, "at most", "x", unpacking),
    ]


class _Camera:
    """Gives JPEG pictures as a camera does, in time with the clock; passes over those that nobody waited for."""

    is_live = True

    def __init__(self, pictures: list[bytes], counts: Counts) -> None:
        self._pictures = pictures
        self._counts = counts
        self._stopped = threading.Event()
        self._begun_s = 0.0
        self._taken = 0

    def open(self) -> str:
        self._begun_s = time.perf_counter()
        return "bench"

    def next(self, timeout_s: float) -> Picture | None:
        number = int((time.perf_counter() - self._begun_s) * FPS)
        if number <= self._taken:
            self._stopped.wait(self._begun_s + (self._taken + 1) / FPS - time.perf_counter())
            number = self._taken + 1
        self._counts.dropped += number - self._taken - 1
        self._taken = number
        if number > PICTURES:
            raise SourceEnded("over")
        return Picture(memoryview(self._pictures[number // FPS % 2]), JPEG)

    def close(self) -> None: ...

    def wake(self) -> None:
        self._stopped.set()


class _Reader:
    """Reads every picture whole, as no reader with a motion gate would: the worst case."""

    def read(self, frame: Frame, at_ms: int) -> list[Piece]:
        luma: Any = frame.luma  # any buffer; its types say less where NumPy is installed
        view = zxingcpp.ImageView(luma, frame.width, frame.height, zxingcpp.ImageFormat.Lum, frame.stride)
        found = zxingcpp.read_barcodes(view, formats=QR)
        return [Piece(bytes(code.bytes)) for code in found]


async def _measure(pictures: list[bytes]) -> tuple[list[float], list[float], Counts, int]:
    """Return CPU ms of each turn of the loop, ms each tick was late, what became of the pictures, how many scans."""
    is_over = asyncio.Event()
    scans = 0

    def on_presence(_id: str, presence: Presence, _why: str) -> None:
        if presence is Presence.ABSENT:
            is_over.set()

    scanner = CameraScanner(
        Settings(id="bench", path="/dev/video0"), SystemClock(), on_presence, make_reader=_Reader,
        make_source=lambda _settings, counts: _Camera(pictures, counts),
    )  # fmt: skip

    async def consume() -> None:
        nonlocal scans
        async with aclosing(scanner.scans()) as found:
            async for scan in found:
                assert scan.data == CODE
                scans += 1

    cpu_ms, late_ms = list[float](), list[float]()
    async with asyncio.TaskGroup() as group:
        consumer = group.create_task(consume())
        while not is_over.is_set():
            due, before = time.perf_counter() + TICK_S, time.thread_time()
            await asyncio.sleep(TICK_S)
            cpu_ms.append((time.thread_time() - before) * 1e3)  # whatever the loop did since the last tick
            late_ms.append((time.perf_counter() - due) * 1e3)
        consumer.cancel()
    return cpu_ms, late_ms, scanner.pictures, scans


def _unpacking(jpeg: bytes) -> tuple[float, float]:
    raw = Picture(memoryview(bytes(range(256)) * (WIDTH * HEIGHT * 2 // 256)), "YUYV", WIDTH, HEIGHT, 2 * WIDTH)
    packed = Picture(memoryview(jpeg), JPEG)
    took: dict[str, list[float]] = {raw.fourcc: [], packed.fourcc: []}
    for _ in range(UNPACK_ROUNDS):
        for picture in (raw, packed):
            started = time.perf_counter()
            frame_of(picture)
            took[picture.fourcc].append((time.perf_counter() - started) * 1e3)
    return statistics.median(took[raw.fourcc]), statistics.median(took[packed.fourcc])


def _jpeg(code: bytes | None) -> bytes:
    """Return a desk as a camera sees it: a shade with noise, and perhaps a code on it."""
    image = Image.effect_noise((WIDTH, HEIGHT), 12).point(lambda shade: min(255, shade + 30))
    if code is not None:
        made: Any = zxingcpp.create_barcode(code, zxingcpp.BarcodeFormat.QRCode).to_image(scale=4)
        view = memoryview(made)
        image.paste(Image.frombytes("L", made.shape[::-1], view.tobytes()), (400, 100))
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=80)
    return file.getvalue()
