"""The whole agent after its ledger was put back from an image, or damaged: it goes on by itself, and all arrives."""

import asyncio
import shutil
import sqlite3

from demo.setting import Setting, running
from platform_stub.issuing.issuer import Issuer

WAIT_S_MAX = 15.0


async def scan(setting: Setting, count: int) -> list[dict]:
    """Have new static codes read at registration; return what was shown."""
    issuer = Issuer(setting.platform_folder)
    shown = []
    for _ in range(count):
        setting.registration.type(issuer.mint_static(ISSUED.pop(), now_s(), 3_600))
        decision = await setting.display.next_decision("registration")
        assert decision is not None
        shown.append(decision)
    return shown


ISSUED = [number.to_bytes(32, "big") for number in range(1, 200)]


def now_s() -> int:
    import time

    return int(time.clock_gettime(time.CLOCK_REALTIME))


def query(database, sql: str) -> list[tuple]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def held(setting: Setting) -> set[tuple]:
    rows = query(setting.database, "SELECT ledger_id, seq, hash FROM records")
    return {(bytes(ledger_id).hex(), seq, bytes(hash_).hex()) for ledger_id, seq, hash_ in rows}


def names(shown: list[dict]) -> set[tuple]:
    return {(d["ledger_id"], d["seq"], d["hash"]) for d in shown}


async def arrived(setting: Setting, expected: set[tuple]) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while not expected <= held(setting):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def ledger_files(setting: Setting) -> list:
    return [path for path in (setting.folder / "state").glob("ledger.sqlite*") if path.suffix != ".lock"]


async def test_a_terminal_restored_from_an_image_goes_on_by_itself_and_everything_shown_arrives(tmp_path):
    async with running(tmp_path) as setting:
        before = await scan(setting, 3)
        await arrived(setting, names(before))
        await setting.agent.stop()
        image = setting.folder / "image"
        image.mkdir()
        for path in ledger_files(setting):
            shutil.copy(path, image)

        await setting.agent.start()
        await setting.display.connected()
        lost = await scan(setting, 4)
        await arrived(setting, names(lost))
        await setting.agent.stop()
        for path in ledger_files(setting):
            path.unlink()
        for path in image.iterdir():
            shutil.copy(path, setting.folder / "state")

        await setting.platform.stop()  # so that two scans go into the old ledger before anyone objects
        await setting.agent.start()
        pid = setting.agent.pid
        await setting.display.connected()
        after = await scan(setting, 2)
        old = after[0]["ledger_id"]
        assert old == before[0]["ledger_id"]
        await setting.platform.start()
        async with asyncio.timeout(WAIT_S_MAX):
            while not any("was begun" in text for text in setting.display.notices):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        later = await scan(setting, 3)
        assert {d["ledger_id"] for d in later} != {old}
        await arrived(setting, names(before + lost + after + later))

        alerts = query(setting.database, "SELECT kind, ledger_id FROM alerts")
        assert ("ledger.restored", bytes.fromhex(old)) in alerts
        assert ("ledger.fork", bytes.fromhex(old)) in alerts
        assert setting.agent.pid == pid
        ledgers = query(setting.database, "SELECT ledger_id FROM ledgers")
        assert len(ledgers) == 2, "one new ledger, not many"
        state = query(setting.folder / "state" / "ledger.sqlite", "SELECT value FROM state WHERE key LIKE 'follows.%'")
        assert state == [(f"seq={lost[-1]['seq']} hash={lost[-1]['hash']}",)]
    assert "Traceback" not in (tmp_path / "agent.log").read_text()


async def test_a_damaged_ledger_is_replaced_and_its_undelivered_records_arrive_under_their_old_id(tmp_path):
    async with running(tmp_path) as setting:
        delivered = await scan(setting, 2)
        await arrived(setting, names(delivered))
        await setting.platform.stop()
        waiting = await scan(setting, 5)
        await setting.agent.stop()
        path = setting.folder / "state" / "ledger.sqlite"
        ((envelope,),) = query(path, "SELECT envelope FROM record ORDER BY seq DESC LIMIT 1")
        data = bytearray(path.read_bytes())
        data[data.index(envelope) + len(envelope) // 2] ^= 1
        path.write_bytes(data)

        await setting.agent.start()
        await setting.display.connected()
        after = await scan(setting, 1)
        assert after[0]["ledger_id"] != waiting[0]["ledger_id"]
        await setting.platform.start()
        await arrived(setting, names(delivered + waiting[:-1] + after))
        assert not names(waiting[-1:]) & held(setting), "what cannot be read is not made up"
        async with asyncio.timeout(WAIT_S_MAX):
            while query(path, "SELECT count(*) FROM salvaged") != [(0,)]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert "Traceback" not in (tmp_path / "agent.log").read_text()
