"""The whole agent killed again and again while people scan: what was shown arrives, and nothing counts twice."""

import asyncio
import random
import sqlite3

from demo.setting import running
from platform_stub.issuing.issuer import Issuer

ROUNDS = 8
CODES_PER_ROUND = 6


async def test_kill_after_kill_nothing_shown_is_lost_and_no_code_counts_twice(tmp_path):
    draws = random.Random(7)  # noqa: S311
    shown: list[dict] = []
    async with running(tmp_path) as setting:
        issuer = Issuer(setting.platform_folder)
        codes = [issuer.mint_dynamic(draws.randbytes(32), now_s(), 120) for _ in range(ROUNDS * CODES_PER_ROUND)]
        for number in range(ROUNDS):
            batch = codes[number * CODES_PER_ROUND : (number + 1) * CODES_PER_ROUND]
            for code in batch:
                setting.payment.type(code)
                setting.registration.type(code)
            await asyncio.sleep(draws.uniform(0, 0.02))
            await setting.agent.kill()
            shown += setting.display.take_all()
            await setting.agent.start()
            await setting.display.connected()
        for code in codes:  # whoever was interrupted scans again
            setting.payment.type(code)
            decision = await setting.display.next_decision("payment")
            assert decision is not None
            shown.append(decision)
        async with asyncio.timeout(30):
            while not {(d["ledger_id"], d["seq"], d["hash"]) for d in shown} <= held(setting.database):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    uses = accepted(setting.database)
    assert len(uses) == len(set(uses)) == len(codes), "each code was accepted exactly once, whatever was killed"
    assert len(shown) == len({(d["ledger_id"], d["seq"]) for d in shown})


def now_s() -> int:
    import time

    return int(time.clock_gettime(time.CLOCK_REALTIME))


def held(database) -> set:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT ledger_id, seq, hash FROM records").fetchall()
    connection.close()
    return {(bytes(ledger_id).hex(), seq, bytes(hash_).hex()) for ledger_id, seq, hash_ in rows}


def accepted(database) -> list:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT replay_id FROM records WHERE kind = 0 AND answer = 0").fetchall()
    connection.close()
    return [bytes(replay_id) for (replay_id,) in rows]
