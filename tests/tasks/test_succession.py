"""A terminal restored from an old image goes on by itself, loses no scan, and does not let a platform churn ledgers."""

import asyncio
import hashlib
from collections.abc import Callable

import pytest

from agent.core.decision import Answer, Decision
from agent.core.verdict import Outcome, Verdict
from agent.ports import LedgerRefused
from agent.tasks.succession import ASK_AGAIN_S, NEW_LEDGERS_MAX
from fakes.ledger_parts import draft
from fakes.platform import FakePlatform

pytestmark = pytest.mark.looptime


async def run_until(succession, is_done: Callable[[], bool], step_s: float = 0.01) -> None:
    async with asyncio.timeout(20_000), asyncio.TaskGroup() as group:
        task = group.create_task(succession.run())
        while not is_done():  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(step_s)
        task.cancel()


def asides(tmp_path) -> list[str]:
    return sorted(path.name for path in tmp_path.glob("*set-aside-?"))


async def restored(terminal, platform_key, **kwargs) -> tuple[FakePlatform, bytes]:
    """Let a platform hold five records of this ledger: the first is ours, the others belong to a lost future."""
    await terminal.fill(3)
    first = (await terminal.ledger.hash_at(1)) or b""
    platform = FakePlatform(platform_key, **kwargs)
    platform.records = {1: first} | {seq: bytes([seq]) * 32 for seq in range(2, 6)}
    return platform, terminal.ledger.ledger_id


async def test_it_goes_on_in_a_new_ledger_and_both_histories_arrive(terminal, platform_key, tmp_path):
    platform, old = await restored(terminal, platform_key)
    ours = {r.seq: r.hash for r in await terminal.ledger.read(0, records_max=9, bytes_max=10**6)}
    succession = terminal.succession(platform)
    await run_until(succession, lambda: len(platform.forks) == 2)
    new = terminal.ledger.ledger_id
    assert new != old
    assert platform.greeted == [old, new]
    assert platform.forks == [(old, 2, ours[2]), (old, 3, ours[3])], "both kept, and record 1 was a duplicate"
    assert asides(tmp_path) == ["ledger.sqlite.set-aside-1"]
    assert await terminal.ledger.state(f"follows.{old.hex()}") == f"seq=5 hash={(bytes([5]) * 32).hex()}"
    text = next(text for topic, text in terminal.display.notices if topic == "ledger")
    assert old.hex() in text
    assert new.hex() in text
    assert (await terminal.ledger.append(draft(7))).seq == 1
    await run_until(succession, lambda: 1 in platform.held(new))
    assert succession.delivery.cursor == 1
    assert succession.delivery.is_up is True


async def test_what_a_platform_no_longer_has_is_sent_again_from_the_ledger_set_aside(terminal, platform_key):
    await terminal.fill(10)
    platform = FakePlatform(platform_key)
    succession = terminal.succession(platform)
    await run_until(succession, lambda: succession.delivery.cursor == 10)
    ours = dict(platform.records)
    platform.records = {seq: ours[seq] for seq in (1, 2, 3)} | {4: b"\x04" * 32}
    succession = terminal.succession(platform)
    await run_until(succession, lambda: len(platform.records) == 10)
    assert {seq: h for seq, h in platform.records.items() if seq != 4} == {s: h for s, h in ours.items() if s != 4}


async def test_scans_go_on_throughout_and_each_is_in_exactly_one_ledger(terminal, platform_key):
    platform, old = await restored(terminal, platform_key)
    stored = []

    async def scan():
        for number in range(300):
            stored.append(await terminal.ledger.append(draft(100 + number)))
            await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as group:
        group.create_task(scan())
        succession = terminal.succession(platform)
        await run_until(succession, lambda: len(stored) == 300)
    assert {t.ledger_id for t in stored} == {old, terminal.ledger.ledger_id}
    assert len({(t.ledger_id, t.seq) for t in stored}) == 300
    await run_until(succession, lambda: succession.delivery.cursor == terminal.ledger.head_seq)
    hashes = set(platform.records.values()) | {h for _, _, h in platform.forks}
    hashes |= set(platform.held(terminal.ledger.ledger_id).values())
    assert {t.hash for t in stored} <= hashes, "whatever was stored has arrived"


async def test_one_time_codes_used_before_stay_used(terminal, platform_key):
    used = b"u" * 16
    await terminal.ledger.append(draft(0, replay_id=used))
    platform, old = await restored(terminal, platform_key)
    await run_until(terminal.succession(platform), lambda: terminal.ledger.ledger_id != old)
    with pytest.raises(LedgerRefused):
        await terminal.ledger.append(draft(1, replay_id=used))


async def test_provisional_acceptances_of_the_old_ledger_are_freed_by_the_new_one(terminal, platform_key):
    decision = Decision(
        Answer.PROVISIONAL, "family.no-offline-proof", "registration",
        Verdict("national", Outcome.UNVERIFIABLE, "family.no-offline-proof"),
        is_provisional=True,
    )  # fmt: skip
    platform, old = await restored(terminal, platform_key)
    for number in range(2):
        terminal.history.open_provisional()
        terminal.history.stored(decision, (await terminal.ledger.append(draft(number, provisional=True))).seq)
    succession = terminal.succession(platform)
    await run_until(succession, lambda: terminal.ledger.ledger_id != old)
    assert terminal.history.provisional_unsettled == 2
    await terminal.ledger.append(draft(3))
    await run_until(succession, lambda: succession.delivery.cursor == 1)
    assert terminal.history.provisional_unsettled == 0


class AlwaysAhead(FakePlatform):
    """Claims to hold a record of every ledger that nobody ever wrote."""

    is_lying = True

    def held(self, ledger_id):
        if self.is_lying:
            return {1: hashlib.sha256(b"a lie").digest()}
        return super().held(ledger_id)


async def test_a_platform_that_always_claims_more_does_not_churn_ledgers(terminal, platform_key, tmp_path):
    await terminal.fill(2)
    platform = AlwaysAhead(platform_key)
    succession = terminal.succession(platform)
    loop = asyncio.get_running_loop()
    await run_until(succession, lambda: loop.time() > 3_000, step_s=5)
    assert len(asides(tmp_path)) == NEW_LEDGERS_MAX
    told = [text for _, text in terminal.display.notices if "nothing is delivered" in text]
    assert 3_000 / ASK_AGAIN_S * 0.8 < len(told) <= 3_000 / ASK_AGAIN_S + 1, "people are told again and again"
    assert succession.delivery.is_up is not True
    assert (await terminal.ledger.append(draft(1))).seq == 1, "scans are still decided and stored"
    platform.is_lying = False
    await run_until(succession, lambda: succession.delivery.cursor == 1, step_s=1)
    assert len(asides(tmp_path)) == NEW_LEDGERS_MAX, "the same ledger goes on once the platform is well"


async def test_the_bound_is_one_of_an_hour(terminal, platform_key, tmp_path):
    await terminal.fill(2)
    succession = terminal.succession(AlwaysAhead(platform_key))
    loop = asyncio.get_running_loop()
    await run_until(succession, lambda: loop.time() > 3_600 * 2.5, step_s=20)
    assert len(asides(tmp_path)) == 3 * NEW_LEDGERS_MAX


async def test_without_a_free_name_the_ledger_stays_and_people_are_told(terminal, platform_key, tmp_path):
    (tmp_path / "ledger.sqlite.set-aside-1000").write_bytes(b"")
    platform, old = await restored(terminal, platform_key)
    await run_until(terminal.succession(platform), lambda: platform.hellos > 2)
    assert terminal.ledger.ledger_id == old
    assert any("move them away" in text for _, text in terminal.display.notices)
    assert (await terminal.ledger.append(draft(1))).seq == 4
