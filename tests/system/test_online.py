"""A national code through the whole of it: asked about, accepted once, and a kill between attempt and decision."""

import asyncio
import sqlite3
import time

import cbor2

from demo.setting import Setting, running
from platform_stub.issuing.issuer import card_of
from platform_stub.issuing.national import NationalCodes, masked_name
from platform_stub.layout import Layout

WAIT_S_MAX = 30.0
ISSUER_DELAY_S = 0.9  # long enough to be killed in, short enough for the budget of 1.5 s


def mint(setting: Setting, person: str) -> str:
    codes = NationalCodes(Layout(setting.platform_folder))
    return codes.mint_dynamic(card_of(person), int(time.clock_gettime(time.CLOCK_REALTIME)), 120)


def rows(setting: Setting, sql: str) -> list[tuple]:
    connection = sqlite3.connect(f"file:{setting.database}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


async def until(is_so) -> None:
    """Wait until a question, asked as a function or a coroutine, is answered with yes."""
    async with asyncio.timeout(WAIT_S_MAX):
        while True:
            answer = is_so()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.02)


async def head_seq(setting: Setting) -> int:
    return (await setting.status())["ledger"]["head_seq"]


async def test_a_national_code_is_accepted_by_the_platforms_word_once(tmp_path):
    async with running(tmp_path) as setting:
        code = mint(setting, "a")
        setting.payment.type(code)
        first = await setting.display.next_decision("payment")
        setting.payment.type(code)
        second = await setting.display.next_decision("payment")
        setting.payment.type(code[:-32] + "0" * 32)
        forged = await setting.display.next_decision("payment")
        await until(lambda: len(rows(setting, "SELECT 1 FROM records WHERE kind IN (0, 2)")) == 5)
        stored = b"".join(path.read_bytes() for path in (tmp_path / "state").glob("ledger.sqlite*"))
    assert (first["answer"], first["verdict"], first["proof"]) == ("accept", "verified", "online")
    assert first["name"] == masked_name(card_of("a"))
    assert (second["answer"], second["reason"]) == ("refuse", "replay.used")
    assert (forged["answer"], forged["reason"], forged["name"]) == ("refuse", "online.unknown-token", None)
    logs = b"".join(log.read_bytes() for log in setting.logs)
    assert first["name"].encode() not in logs + stored
    assert code[:16].encode() not in logs


async def test_a_terminal_killed_between_attempt_and_decision_asks_again_and_gets_its_answer(tmp_path):
    async with running(tmp_path, "--issuer-delay", str(ISSUER_DELAY_S)) as setting:
        code = mint(setting, "a")
        before = await head_seq(setting)
        setting.payment.type(code)
        await until(lambda: is_beyond(setting, before))
        await setting.agent.kill()
        assert setting.display.take_all() == [], "nothing was decided"
        await until(lambda: rows(setting, "SELECT 1 FROM used_codes"))
        await setting.agent.start()
        await setting.display.connected()
        setting.payment.type(code)
        decision = await setting.display.next_decision("payment")
        assert (decision["answer"], decision["reason"]) == ("accept", "ok")
        await until(lambda: len(rows(setting, "SELECT 1 FROM records WHERE kind IN (0, 2)")) == 3)
        envelopes = [row[0] for row in rows(setting, "SELECT envelope FROM records WHERE kind IN (0, 2) ORDER BY seq")]
    records = [cbor2.loads(cbor2.loads(envelope).value[2]) for envelope in envelopes]
    assert [record[5] for record in records] == [2, 2, 0]
    assert len({record[28] for record in records}) == 1, "one attempt, asked twice"


async def is_beyond(setting: Setting, seq: int) -> bool:
    return await head_seq(setting) > seq
