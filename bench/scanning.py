"""From bytes in the kernel's tty to a Scan in its consumer's hands, beside a bare read of the same bytes."""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

from serial import Serial

from agent.adapters.clock import SystemClock
from agent.adapters.scanners.presence import Presence
from agent.adapters.scanners.serial import SerialScanner, Settings
from bench.line import Line

RATIO_MAX = 3.0
SCANS = 1_000
WARM = 20
CODE = b"EHC1:" + bytes(48 + i % 10 for i in range(505))


def lines() -> list[Line]:
    """Measure both in one run, scan by scan in turn, so that whatever slows the machine slows both."""
    bare_us, scan_us = asyncio.run(_measure())
    detail = (
        f"scan {scan_us:.0f} us, bare add_reader read {bare_us:.0f} us, p50 of {SCANS}, {len(CODE)} bytes over a pty"
    )
    return [Line("serial scan to Scan / bare read", scan_us / bare_us, RATIO_MAX, "at most", "x", detail)]


async def _measure() -> tuple[float, float]:
    bare, scan = list[float](), list[float]()
    async with _bare() as read_bare, _scanner() as read_scan:
        for _ in range(WARM + SCANS):
            bare.append(await read_bare())
            scan.append(await read_scan())
    return statistics.median(bare[WARM:]) * 1e6, statistics.median(scan[WARM:]) * 1e6


@asynccontextmanager
async def _bare() -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """Time write to whole code read, on the same kind of tty, with nothing but the loop."""
    ours, theirs = os.openpty()
    loop = asyncio.get_running_loop()
    read = bytearray()
    done: asyncio.Future[float] = loop.create_future()

    def on_readable() -> None:
        read.extend(os.read(port.fileno(), 4_096))
        if read.endswith(b"\r"):
            done.set_result(time.perf_counter())

    async def once() -> float:
        nonlocal done
        read.clear()
        done = loop.create_future()
        started = time.perf_counter()
        os.write(ours, CODE + b"\r")
        took_s = await done - started
        assert read == CODE + b"\r"
        return took_s

    with Serial(os.ttyname(theirs), inter_byte_timeout=0) as port:
        loop.add_reader(port.fileno(), on_readable)
        yield once
        loop.remove_reader(port.fileno())
    os.close(theirs)
    os.close(ours)


@asynccontextmanager
async def _scanner() -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """Time write to Scan in the hands of whoever iterates `scans()`."""
    ours, theirs = os.openpty()
    is_there = asyncio.Event()
    arrived: asyncio.Queue[tuple[bytes, float]] = asyncio.Queue()

    def on_presence(_id: str, presence: Presence, _why: str) -> None:
        if presence is Presence.PRESENT:
            is_there.set()

    async def consume() -> None:
        async with aclosing(scanner.scans()) as scans:
            async for scan in scans:
                arrived.put_nowait((scan.data, time.perf_counter()))

    async def once() -> float:
        started = time.perf_counter()
        os.write(ours, CODE + b"\r")
        data, at = await arrived.get()
        assert data == CODE
        return at - started

    # The same code again and again, faster than any hand: neither rule of the gate is measured here.
    settings = Settings(id="bench", path=os.ttyname(theirs), same_code_interval_ms=0, scans_per_s_max=1_000_000)
    scanner = SerialScanner(settings, SystemClock(), on_presence)
    async with asyncio.TaskGroup() as group:
        consumer = group.create_task(consume())
        await is_there.wait()
        yield once
        consumer.cancel()
    os.close(theirs)
    os.close(ours)
