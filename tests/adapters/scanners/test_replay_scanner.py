import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.adapters.scanners.presence import Presence
from agent.adapters.scanners.replay import JSON_LINE_BYTES_MAX, ReplayScanner, Settings
from agent.core.scan import SCAN_BYTES_MAX, Scan, ScanFault
from fakes.tty import Presences, reading
from fakes.world import FakeClock


def write(file: Path, data: bytes) -> None:
    file.write_bytes(data)


async def replay(path: Path, told: Presences, **settings: object) -> list[Scan]:
    scanner = ReplayScanner(Settings(id="replay", path=str(path), **settings), FakeClock(), told)  # type: ignore[arg-type]
    return [scan async for scan in scanner.scans()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "scans"


async def test_each_line_is_a_scan_byte_for_byte_and_the_last_need_not_be_ended(file: Path, told: Presences) -> None:
    payload = b" \t" + bytes(b for b in range(256) if b not in b"\r\n") + b" "
    write(file, payload + b"\n\n\r\nsecond\r\nthird")
    assert [(s.data, s.fault) for s in await replay(file, told)] == [
        (payload, None),
        (b"second", None),
        (b"third", None),
    ]
    assert [p for _, p, _ in told.told] == [Presence.PRESENT, Presence.ABSENT]
    assert "to its end" in told.told[-1][2]


async def test_a_line_over_the_limit_is_a_faulty_scan(file: Path, told: Presences) -> None:
    write(file, b"x" * 50_000 + b"\nnext\n")
    long, following = await replay(file, told)
    assert (long.data, long.fault) == (b"x" * SCAN_BYTES_MAX, ScanFault.OVER_LONG)
    assert (following.data, following.fault) == (b"next", None)


@pytest.mark.looptime
async def test_json_lines_carry_bytes_aim_and_pace(file: Path, told: Presences) -> None:
    lines = [
        {"data": "健康\r\n", "aim": "]Q1"},
        {"hex": "00ff0d0a", "after_s": 30},
        {"data": "x" * (SCAN_BYTES_MAX + 1), "after_s": 0.5},
        {"hex": "61" * (JSON_LINE_BYTES_MAX // 2)},
    ]
    write(file, b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    scanner = ReplayScanner(Settings(id="r", path=str(file), format="json", interval_s=1), FakeClock(), told)
    at: list[float] = []
    scans: list[Scan] = []
    async for scan in scanner.scans():
        at.append(asyncio.get_running_loop().time())
        scans.append(scan)
    assert at == pytest.approx([1, 32, 33.5, 34.5])
    assert [(s.data, s.aim, s.fault) for s in scans[:2]] == [
        ("健康\r\n".encode(), "]Q1", None),
        (b"\x00\xff\r\n", None, None),
    ]
    assert [(len(s.data), s.fault) for s in scans[2:]] == [(SCAN_BYTES_MAX, ScanFault.OVER_LONG)] * 2


@pytest.mark.parametrize(
    "line",
    [
        "PLANTED",
        '{"data": "PLANTED", "hex": "00"}',
        '{"PLANTED": 1}',
        '{"hex": "PLANTED"}',
        '{"data": ""}',
        "{}",
        '{"data": "PLANTED", "after_s": -1}',
        '{"data": "PLANTED", "after_s": 1e9}',
        '{"data": "PLANTED", "aim": "Q1"}',
        '{"data": "\\ud800"}',
    ],
)
async def test_a_line_that_is_not_of_the_form_ends_the_replay_aloud_without_repeating_it(
    file: Path, told: Presences, line: str
) -> None:
    write(file, f'{{"data": "good"}}\n\n{line}\n{{"data": "never"}}\n'.encode())
    assert [s.data for s in await replay(file, told, format="json")] == [b"good"]
    why = told.told[-1][2]
    assert "line 2" in why
    assert "PLANTED" not in why


@pytest.mark.parametrize("name", ["missing", "."])
async def test_a_file_that_cannot_be_read_is_told_and_is_not_fatal(tmp_path: Path, told: Presences, name: str) -> None:
    assert await replay(tmp_path / name, told) == []
    assert told.told[-1][1] is Presence.ABSENT
    assert "correct path" in told.told[-1][2]


async def test_a_pipe_is_waited_for_and_others_run_meanwhile(tmp_path: Path, told: Presences) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    ours = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    scanner = ReplayScanner(Settings(id="replay", path=str(path)), FakeClock(), told)
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        for code in (b"one", b"two"):
            os.write(ours, code[:1])
            os.write(ours, code[1:] + b"\n")
            assert (await listener.next()).data == code
        os.write(ours, b"three")
        os.close(ours)
        assert (await listener.next()).data == b"three"
        async with asyncio.timeout(10):
            await listener.has_ended.wait()


PROGRAM = """
import asyncio
from agent.adapters.clock import SystemClock
from agent.adapters.scanners.replay import ReplayScanner, Settings

async def main():
    async for scan in ReplayScanner(Settings(id="replay", path="-"), SystemClock()).scans():
        print(scan.data.hex())

asyncio.run(main())
"""


def open_input(kind: str, file: Path) -> int:
    if kind == "pipe":
        read_end, write_end = os.pipe()
        os.write(write_end, b"one\n\xfftwo")
        os.close(write_end)
        return read_end
    file.write_bytes(b"one\n\xfftwo")
    return os.open(file if kind == "file" else "/dev/null", os.O_RDONLY)


@pytest.mark.parametrize(
    ("kind", "scans"), [("pipe", [b"6f6e65", b"ff74776f"]), ("file", [b"6f6e65", b"ff74776f"]), ("nothing", [])]
)
def test_standard_input_is_read_whatever_it_is(file: Path, kind: str, scans: list[bytes]) -> None:
    given = open_input(kind, file)
    try:
        ran = subprocess.run([sys.executable, "-c", PROGRAM], stdin=given, capture_output=True, timeout=30, check=False)
    finally:
        os.close(given)
    assert (ran.stdout.split(), ran.returncode) == (scans, 0), ran.stderr
