"""Delivery over a real ledger and a fake platform: whatever happens, every record arrives, once in effect."""

import asyncio
import random
from collections.abc import Callable

import pytest

from agent.cli import main as cli
from agent.core.decision import Answer, Decision
from agent.core.time_interval import Interval
from agent.core.verdict import Outcome, Verdict
from agent.ports import LedgerOvertaken, PlatformRejected, PlatformUnreachable
from agent.tasks.delivery import Settings
from fakes.ledger_parts import draft
from fakes.platform import FakePlatform

pytestmark = pytest.mark.looptime

GONE = PlatformUnreachable("no connection")


async def deliver_until(delivery, is_done: Callable[[], bool], limit_s: float = 3_600, step_s: float = 0.01) -> None:
    """Run a delivery in virtual time until something is so; look every step_s."""
    async with asyncio.timeout(limit_s), asyncio.TaskGroup() as group:
        task = group.create_task(delivery.run())
        while not is_done():  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(step_s)
        task.cancel()


async def test_everything_arrives_in_batches_and_the_cursor_follows(terminal, platform_key):
    await terminal.fill(450)
    platform = FakePlatform(platform_key)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 450)
    assert sorted(platform.records) == list(range(1, 451))
    assert set(platform.times_received.values()) == {1}
    assert platform.batches == 3
    assert await terminal.ledger.cursor("http") == 450


async def test_a_new_record_goes_out_without_waiting_for_anything(terminal, platform_key):
    platform = FakePlatform(platform_key)
    delivery = terminal.delivery(platform)

    async def later():
        await asyncio.sleep(100)
        await terminal.ledger.append(draft(1))

    async with asyncio.TaskGroup() as group:
        group.create_task(later())
        await deliver_until(delivery, lambda: delivery.cursor == 1)
        assert asyncio.get_running_loop().time() < 100.1


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_the_network_does_nothing_is_lost_and_nothing_counts_twice(terminal, platform_key, seed):
    draws = random.Random(seed)  # noqa: S311
    troubles = [draws.choice([None, GONE, "lost", "forged", "lost", None]) for _ in range(60)]
    await terminal.fill(1_000)
    platform = FakePlatform(platform_key, troubles=troubles)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 1_000)
    hashes = {r.seq: r.hash for r in await terminal.ledger.read(0, records_max=1_000, bytes_max=10**7)}
    assert platform.records == hashes


async def test_a_lost_receipt_costs_a_duplicate_and_nothing_else(terminal, platform_key):
    await terminal.fill(10)
    platform = FakePlatform(platform_key, troubles=[None, "lost"])
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 10)
    assert set(platform.times_received.values()) == {2}


async def test_a_rejection_in_a_lost_receipt_is_still_heard(terminal, platform_key):
    await terminal.fill(10)
    platform = FakePlatform(platform_key, troubles=[None, "lost"], rejects=lambda seq: seq == 4)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 10)
    assert ("parked", "the platform rejected record 4: record.malformed") in terminal.display.notices


async def test_a_forged_receipt_moves_nothing_and_is_said_aloud(terminal, platform_key):
    await terminal.fill(10)
    platform = FakePlatform(platform_key, troubles=["forged", "forged", None, "forged"])
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: bool(platform.batches))
    assert delivery.cursor == 0
    assert await terminal.ledger.cursor("http") == 0
    assert any("not the platform's" in text for _, text in terminal.display.notices)
    await deliver_until(delivery, lambda: delivery.cursor == 10)


async def test_a_receipt_for_another_batch_or_other_records_is_a_lie(terminal, platform_key):
    class Confused(FakePlatform):
        async def send(self, batch):
            answer = await super().send(batch)
            return self.first if self.batches == 2 else self.__dict__.setdefault("first", answer)

    await terminal.fill(1)
    platform = Confused(platform_key)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 1)
    await terminal.fill(1)
    platform.records.pop(2, None)
    await deliver_until(delivery, lambda: any("ignored" in text for _, text in terminal.display.notices))
    assert delivery.cursor == 1


async def test_a_poison_record_is_parked_and_blocks_nobody(terminal, platform_key):
    await terminal.fill(450)
    platform = FakePlatform(platform_key, poison=lambda seq: seq == 123)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 450)
    assert sorted(platform.records) == [seq for seq in range(1, 451) if seq != 123]
    assert ("parked", "the platform rejected record 123: 422 cannot digest this") in terminal.display.notices


async def test_a_rejected_record_is_parked_with_its_reason(terminal, platform_key):
    await terminal.fill(5)
    platform = FakePlatform(platform_key, rejects=lambda seq: seq == 3)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 5)
    assert ("parked", "the platform rejected record 3: record.malformed") in terminal.display.notices


async def test_a_conflict_moves_on_and_is_said_aloud(terminal, platform_key):
    await terminal.fill(5)
    platform = FakePlatform(platform_key, conflicts=lambda seq: seq == 2)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 5)
    assert ("conflict", "record 2: replay.used-elsewhere") in terminal.display.notices


async def test_a_terminal_the_platform_refuses_keeps_asking_and_parks_nothing(terminal, platform_key):
    refusal = PlatformRejected("401 not registered", whole=True)
    await terminal.fill(5)
    platform = FakePlatform(platform_key, troubles=[refusal] * 6)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 5)
    said = [text for topic, text in terminal.display.notices if topic == "uplink"]
    assert said == ["the platform refuses this terminal: 401 not registered", "the platform answers"]
    assert not any(topic == "parked" for topic, _ in terminal.display.notices)


async def test_trouble_is_said_once_not_at_every_try(terminal, platform_key):
    platform = FakePlatform(platform_key, troubles=[GONE] * 50)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.is_up is True, step_s=1)
    assert [text for _, text in terminal.display.notices] == ["no connection", "the platform answers"]


async def test_retries_are_spread_and_capped(terminal, platform_key):
    terminal.settings = Settings(retry_delay_s_first=1, retry_delay_s_max=8)
    platform = FakePlatform(platform_key, troubles=[GONE] * 100)
    loop = asyncio.get_running_loop()
    await deliver_until(terminal.delivery(platform), lambda: loop.time() > 200, step_s=1)
    assert 25 < platform.hellos < 100, "on average one in 4 s at the cap, never a storm"


async def test_a_platform_restored_from_a_backup_gets_its_records_again(terminal, platform_key):
    await terminal.fill(300)
    platform = FakePlatform(platform_key)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 300)
    for seq in range(101, 301):
        del platform.records[seq]
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: len(platform.records) == 300)
    assert await terminal.ledger.cursor("http") == 300


async def test_a_platform_ahead_of_this_ledger_ends_delivery_aloud(terminal, platform_key):
    await terminal.fill(3)
    platform = FakePlatform(platform_key)
    platform.records = {seq: bytes([seq]) * 32 for seq in range(1, 6)}
    with pytest.raises(LedgerOvertaken):
        await terminal.delivery(platform).run()


async def test_a_platform_with_another_history_ends_delivery_aloud(terminal, platform_key):
    await terminal.fill(3)
    platform = FakePlatform(platform_key)
    platform.records = {1: b"\x01" * 32}
    with pytest.raises(LedgerOvertaken):
        await terminal.delivery(platform).run()


async def test_without_a_trust_list_no_receipt_is_believed(terminal, platform_key):
    await terminal.fill(3)
    trust, terminal.trust_store.current = terminal.trust_store.current, None
    platform = FakePlatform(platform_key)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: platform.hellos > 3, step_s=0.1)
    assert delivery.cursor == 0
    terminal.trust_store.current = trust
    await deliver_until(delivery, lambda: delivery.cursor == 3)


async def test_what_a_person_retries_is_sent_again_at_the_next_hello(terminal, platform_key, tmp_path):
    await terminal.fill(5)
    platform = FakePlatform(platform_key, rejects=lambda seq: seq == 3)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 5)
    platform.rejects = lambda seq: False
    del platform.records[3]
    platform.records[3] = b"?" * 32
    assert cli(["queue", "retry", "--ledger", str(tmp_path / "ledger.sqlite"), "3"]) == 0
    await deliver_until(delivery, lambda: platform.times_received[3] == 2)
    assert list(await terminal.ledger.resend("http")) == []


async def test_a_retried_record_that_is_refused_again_holds_nobody_up(terminal, platform_key, tmp_path):
    await terminal.fill(5)
    platform = FakePlatform(platform_key, poison=lambda seq: seq == 3)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 5)
    assert cli(["queue", "retry", "--ledger", str(tmp_path / "ledger.sqlite"), "3"]) == 0
    await terminal.fill(5)
    await deliver_until(delivery, lambda: delivery.cursor == 10)
    assert list(await terminal.ledger.resend("http")) == []
    assert 3 not in platform.records


async def test_settled_records_free_the_offline_limit(terminal, platform_key):
    decision = Decision(
        Answer.PROVISIONAL, "family.no-offline-proof", "registration",
        Verdict("national", Outcome.UNVERIFIABLE, "family.no-offline-proof"),
        is_provisional=True,
    )  # fmt: skip
    terminal.history.open_provisional()
    transaction = await terminal.ledger.append(draft(1, provisional=True))
    terminal.history.stored(decision, transaction.seq)
    assert terminal.history.provisional_unsettled == 1
    delivery = terminal.delivery(FakePlatform(platform_key))
    await deliver_until(delivery, lambda: delivery.cursor == 1)
    assert terminal.history.provisional_unsettled == 0
    assert (await terminal.ledger.history(terminal.clock.now().now)).provisional_unsettled == 0


async def test_a_backlog_goes_out_at_its_rate(terminal, platform_key):
    terminal.settings = Settings(rate_per_s=100, burst=200, in_flight_max=1)
    await terminal.fill(1_000)
    delivery = terminal.delivery(FakePlatform(platform_key))
    await deliver_until(delivery, lambda: delivery.cursor == 1_000)
    assert 7.5 < asyncio.get_running_loop().time() < 10


async def test_something_in_between_that_refuses_everything_moves_nothing(terminal, platform_key):
    await terminal.fill(20)
    platform = FakePlatform(platform_key, poison=lambda seq: True)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: platform.hellos > 5, step_s=0.1)
    assert (delivery.cursor, await terminal.ledger.cursor("http"), delivery.is_up) == (0, 0, False)
    assert not any(topic == "parked" for topic, _ in terminal.display.notices)
    platform.poison = lambda seq: False
    await deliver_until(delivery, lambda: delivery.cursor == 20)


async def test_a_poison_record_at_the_end_waits_for_a_neighbour_that_proves_the_platform(terminal, platform_key):
    await terminal.fill(1)
    platform = FakePlatform(platform_key, poison=lambda seq: seq == 1)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: platform.hellos > 3, step_s=0.1)
    assert delivery.cursor == 0
    await terminal.fill(1)
    await deliver_until(delivery, lambda: delivery.cursor == 2)
    assert ("parked", "the platform rejected record 1: 422 cannot digest this") in terminal.display.notices


async def test_a_hole_at_the_platform_does_not_bring_everything_again_at_every_hello(terminal, platform_key):
    terminal.settings = Settings(hello_interval_s=60)
    await terminal.fill(450)
    platform = FakePlatform(platform_key, poison=lambda seq: seq == 2)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 450)
    sent, loop = platform.batches, asyncio.get_running_loop()
    until_s = loop.time() + 3_600
    await deliver_until(delivery, lambda: loop.time() > until_s, limit_s=7_200, step_s=1)
    assert platform.hellos > 50
    assert platform.batches <= 2 * sent, "at most once more, for the new start of this delivery"


async def test_a_platform_restored_while_we_run_gets_its_records_again(terminal, platform_key):
    terminal.settings = Settings(hello_interval_s=60)
    await terminal.fill(300)
    platform = FakePlatform(platform_key)
    delivery = terminal.delivery(platform)
    emptied = False

    def is_done() -> bool:
        nonlocal emptied
        if delivery.cursor == 300 and not emptied:
            for seq in range(101, 301):
                del platform.records[seq]
            emptied = True
        return emptied and len(platform.records) == 300

    await deliver_until(delivery, is_done)


async def test_a_platform_from_before_what_is_kept_is_told_of_and_gets_the_rest_once(terminal, platform_key):
    terminal.settings = Settings(hello_interval_s=60)
    await terminal.fill(300)
    platform = FakePlatform(platform_key)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 300)
    days_later = Interval(terminal.clock.now().now.earliest_ms + 40 * 86_400_000, None)
    while terminal.file.prune(days_later):
        pass
    first = await terminal.ledger.first_seq()
    assert first > 101
    for seq in range(101, 301):
        del platform.records[seq]
    loop = asyncio.get_running_loop()
    until_s, delivery = loop.time() + 1_800, terminal.delivery(platform)
    before = platform.batches
    await deliver_until(delivery, lambda: loop.time() > until_s, limit_s=7_200, step_s=1)
    assert sorted(platform.records)[100:] == list(range(first, 301))
    assert platform.batches - before <= 2
    assert [text for topic, text in terminal.display.notices if topic == "ledger"] == [
        f"the platform lacks records 101 to {first - 1}, which are no longer kept here"
    ]


async def test_receipts_vouch_for_the_time(terminal, platform_key):
    await terminal.fill(1)
    delivery = terminal.delivery(FakePlatform(platform_key))
    later = Interval(2_500_000_000_000, None)
    assert terminal.signed_time.backed(later).earliest_ms == 0
    await deliver_until(delivery, lambda: delivery.cursor == 1)
    assert terminal.signed_time.backed(later).earliest_ms == 1_800_000_000_000


async def test_a_refusal_now_and_then_parks_nothing(terminal, platform_key):
    class Flaky(FakePlatform):
        """Refuses every third batch, whatever is in it."""

        async def send(self, batch):
            self.poison = lambda seq: self.batches % 3 == 1
            return await super().send(batch)

    await terminal.fill(30)
    platform = Flaky(platform_key)
    delivery = terminal.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 30)
    assert sorted(platform.records) == list(range(1, 31))
    assert not any(topic == "parked" for topic, _ in terminal.display.notices)
