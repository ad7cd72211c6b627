"""What every scanner promises, on the real ones, each over what carries it here: ttys, pipes, sockets, files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.adapters.scanners.presence import Presence
from agent.core.scan import SCAN_BYTES_MAX, ScanFault
from fakes.scanner_rigs import RIGS, WRITTEN_FIRST, BoxRig, KeyboardRig, Rig, typable
from fakes.tty import reading
from fakes.world import EPOCH_MS


@pytest.fixture(params=RIGS)
def make_rig(request: pytest.FixtureRequest) -> type[Rig]:
    return request.param


@pytest.fixture
async def rig(make_rig: type[Rig], tmp_path: Path) -> AsyncIterator[Rig]:
    rig = make_rig(tmp_path)
    yield rig
    rig.put_away()


async def scan_and_listen(rig: Rig, codes: list[bytes], expected: int) -> list[tuple[bytes, ScanFault | None]]:
    if isinstance(rig, WRITTEN_FIRST):
        await rig.scan(*codes)
    async with reading(rig.scanner) as listener:
        if not isinstance(rig, WRITTEN_FIRST):
            await rig.scan(*codes)
        scans = await listener.take(expected)
    assert {scan.scanner for scan in scans} == {"front"}
    assert all(scan.at.now.earliest_ms >= EPOCH_MS for scan in scans)
    return [(scan.data, scan.fault) for scan in scans]


async def test_scans_come_in_order_byte_for_byte(rig: Rig) -> None:
    codes = [
        b"EHC1:ABC$%*+-./: 9",
        "姓名：测试".encode(),
        "姓名".encode("gb18030"),
        b"]C10104012345678901\x1d10ABC\x1d",
        b"<" + bytes(b for b in range(256) if b != 0x0A) + b">",
        b" spaces belong to the code ",
    ]
    if isinstance(rig, KeyboardRig):
        codes = typable(codes)
    assert await scan_and_listen(rig, codes, len(codes)) == [(code, None) for code in codes]


async def test_an_over_long_scan_is_one_fault_and_the_next_is_whole(rig: Rig) -> None:
    codes = [b"y" * (2 * SCAN_BYTES_MAX), b"", b"next"]
    long, following = await scan_and_listen(rig, codes, 2)
    assert long[1] is ScanFault.OVER_LONG
    assert isinstance(rig, BoxRig) or long[0] == b"y" * SCAN_BYTES_MAX, "a box is refused at its length"
    assert following == (b"next", None)


async def test_the_longest_scan_comes_through(rig: Rig) -> None:
    code = bytes(32 + i % 90 for i in range(SCAN_BYTES_MAX))
    assert await scan_and_listen(rig, [code], 1) == [(code, None)]


async def test_a_missing_device_is_told_with_its_path_and_is_not_fatal(make_rig: type[Rig], tmp_path: Path) -> None:
    rig = make_rig(tmp_path, is_there=False)
    async with reading(rig.scanner):
        why = await rig.told.until(Presence.ABSENT)
    rig.put_away()
    assert rig.place in why
    assert rig.told.told[0][0] == "front" == rig.scanner.id
    assert len(rig.told.told) == 1


async def test_nobody_is_told_what_was_scanned(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(0):
        await scan_and_listen(rig, [b"PLANTED-1", b"PLANTED" * 2_000], 2)
    assert "PLANTED" not in caplog.text
    assert not any("PLANTED" in why for _, _, why in rig.told.told)
