"""Records of a ledger that was set aside reach the platform under their old ledger id, and hold up nobody."""

import asyncio
import random
from collections.abc import Callable
from contextlib import closing

import pytest

from agent.adapters.ledger.connection import connect_to_read
from agent.cli import main as cli
from agent.core.delivery import BATCH_RECORDS_MAX
from agent.ports import PlatformRejected, PlatformUnreachable
from agent.tasks.delivery import Settings
from fakes.ledger_parts import draft, open_ledger
from fakes.platform import FakePlatform

pytestmark = pytest.mark.looptime


async def deliver_until(delivery, is_done: Callable[[], bool], limit_s: float = 3_600) -> None:
    async with asyncio.timeout(limit_s), asyncio.TaskGroup() as group:
        task = group.create_task(delivery.run())
        while not is_done():  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.01)
        task.cancel()


@pytest.fixture
def damage(tmp_path):
    """Leave a ledger behind that opening will find damaged: its last record has a flipped bit."""

    def leave(count: int, settled: int = 0) -> tuple[bytes, dict[int, bytes]]:
        path = tmp_path / "ledger.sqlite"
        file = open_ledger(path, uplinks=("http",), seed="before")
        file.commit([draft(n) for n in range(count + 1)])
        file.settle("http", settled, [])
        records = {r.seq: r for r in file.read(0, records_max=10_000, bytes_max=10**9)}
        ledger_id = file.chain.ledger_id
        file.close()
        data = bytearray(path.read_bytes())
        envelope = records[count + 1].envelope
        data[data.index(envelope) + len(envelope) // 2] ^= 1
        path.write_bytes(data)
        return ledger_id, {seq: r.hash for seq, r in records.items() if settled < seq <= count}

    return leave


@pytest.fixture
def before(damage):
    return damage(450, settled=100)


@pytest.fixture
async def recovered(before, terminal):
    """The terminal, opened after the damage was done."""
    return terminal


def waiting(terminal):
    return terminal.file.salvaged("http", records_max=BATCH_RECORDS_MAX, bytes_max=10**6)


async def test_salvaged_records_arrive_in_batches_under_their_old_ledger_id(before, recovered, platform_key):
    old, hashes = before
    await recovered.fill(3)
    platform = FakePlatform(platform_key)
    delivery = recovered.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 3 and waiting(recovered) is None)
    assert platform.others[old] == hashes
    assert [b for b in platform.batch_order if b[0] == old] == [(old, 101, 200), (old, 301, 150)]
    assert set(platform.times_received.values()) == {1}
    assert sorted(platform.records) == [1, 2, 3]
    assert recovered.file._connection.execute("SELECT count(*) FROM salvaged").get == 0, "what all have is deleted"


@pytest.fixture
def with_a_gap(before, tmp_path):
    """The same, and record 150 no longer fits its hash."""
    path = tmp_path / "ledger.sqlite"
    data = bytearray(path.read_bytes())
    with closing(connect_to_read(path)) as connection:
        envelope = connection.execute("SELECT envelope FROM record WHERE seq = 150").get
    data[data.index(envelope) + len(envelope) // 2] ^= 1
    path.write_bytes(data)
    return before


async def test_runs_are_consecutive_and_gaps_are_left_out(with_a_gap, recovered, platform_key):
    old, hashes = with_a_gap
    platform = FakePlatform(platform_key)
    await deliver_until(recovered.delivery(platform), lambda: bool(platform.hellos) and waiting(recovered) is None)
    assert platform.batch_order == [(old, 101, 49), (old, 151, 200), (old, 351, 100)]
    assert platform.others[old] == {seq: h for seq, h in hashes.items() if seq != 150}


async def test_live_records_wait_for_one_salvaged_batch_at_most(before, recovered, platform_key):
    old, _ = before
    platform = FakePlatform(platform_key, delay_s=1.0)
    delivery = recovered.delivery(platform)

    async def live():
        while not platform.batch_order:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.01)
        await recovered.ledger.append(draft(1))

    async with asyncio.TaskGroup() as group:
        group.create_task(live())
        await deliver_until(delivery, lambda: delivery.cursor == 1 and waiting(recovered) is None)
    assert [b[0] == old for b in platform.batch_order] == [True, False, True]


async def test_a_poison_record_is_found_one_by_one_and_live_ones_go_out_in_between(before, recovered, platform_key):
    old, hashes = before
    platform = FakePlatform(platform_key, poison=lambda seq: seq == 123, delay_s=0.1)
    delivery = recovered.delivery(platform)

    async def live():
        for number in range(30):
            await recovered.ledger.append(draft(number))
            await asyncio.sleep(0.5)
            assert delivery.cursor == number + 1, "a live record waits for one salvaged record, not for all"

    async with asyncio.TaskGroup() as group:
        group.create_task(live())
        await deliver_until(delivery, lambda: delivery.cursor == 30 and waiting(recovered) is None)
    assert platform.others[old] == {seq: h for seq, h in hashes.items() if seq != 123}
    assert max(platform.times_received.values()) == 1
    kept = recovered.file._connection.execute("SELECT seq FROM salvaged").fetchall()
    reasons = recovered.file._connection.execute("SELECT seq, reason FROM salvaged_parked").fetchall()
    assert (kept, reasons) == ([(123,)], [(123, "422 cannot digest this")])
    assert any("record 123 of ledger.sqlite.set-aside-1" in text for _, text in recovered.display.notices)


async def test_a_rejected_record_is_parked_and_a_conflict_settles_it(before, recovered, platform_key):
    old, hashes = before
    platform = FakePlatform(platform_key, rejects=lambda seq: seq == 150, conflicts=lambda seq: seq == 151)
    await deliver_until(recovered.delivery(platform), lambda: bool(platform.hellos) and waiting(recovered) is None)
    assert platform.others[old] == hashes
    parked = recovered.file._connection.execute("SELECT uplink, source, seq, reason FROM salvaged_parked").fetchall()
    assert parked == [("http", "ledger.sqlite.set-aside-1", 150, "record.malformed")]
    assert ("conflict", f"record 151 of ledger {old.hex()}: replay.used-elsewhere") in recovered.display.notices


async def test_what_a_person_retries_of_a_ledger_set_aside_is_sent_again(before, recovered, platform_key, tmp_path):
    old, _ = before
    platform = FakePlatform(platform_key, poison=lambda seq: seq == 123)
    delivery = recovered.delivery(platform)
    await deliver_until(delivery, lambda: bool(platform.hellos) and waiting(recovered) is None)
    platform.poison = lambda seq: False
    assert cli(["queue", "retry", "--ledger", str(tmp_path / "ledger.sqlite"), "--all"]) == 0
    assert [r.seq for r in waiting(recovered).records] == [123]
    await deliver_until(delivery, lambda: waiting(recovered) is None)
    assert 123 in platform.others[old]
    assert recovered.file._connection.execute("SELECT count(*) FROM salvaged").get == 0
    assert recovered.file._connection.execute("SELECT count(*) FROM salvaged_parked").get == 0


@pytest.mark.parametrize(
    "trouble", [PlatformRejected("403 no such ledger", whole=True), "forged", PlatformUnreachable("status 503")]
)
async def test_a_platform_that_will_not_take_them_gets_live_records_all_the_same(
    before, recovered, platform_key, trouble
):
    old, _ = before
    platform = FakePlatform(platform_key, trouble_of=lambda ledger_id: trouble if ledger_id == old else None)
    recovered.settings = Settings(retry_delay_s_max=8.0, hello_interval_s=1_000)
    delivery = recovered.delivery(platform)

    async def live():
        for number in range(20):
            await recovered.ledger.append(draft(number))
            await asyncio.sleep(3)
            assert delivery.cursor == number + 1

    async with asyncio.TaskGroup() as group:
        group.create_task(live())
        await deliver_until(delivery, lambda: delivery.cursor == 20)
    assert len([b for b in platform.batch_order if b[0] == old]) < 30, "tried again with back-off, not at once"
    assert len([topic for topic, _ in recovered.display.notices if topic == "salvaged"]) == 1
    assert [r.seq for r in waiting(recovered).records] == list(range(101, 301)), "nothing is settled by it"
    platform.trouble_of = lambda ledger_id: None
    await deliver_until(delivery, lambda: waiting(recovered) is None)
    assert len(platform.others[old]) == 350


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_the_network_does_salvaged_records_arrive(before, recovered, platform_key, seed):
    draws = random.Random(seed)  # noqa: S311
    old, hashes = before
    troubles = [draws.choice([None, PlatformUnreachable("gone"), "lost", "forged"]) for _ in range(40)]
    await recovered.fill(300)
    platform = FakePlatform(platform_key, troubles=troubles)
    delivery = recovered.delivery(platform)
    await deliver_until(delivery, lambda: delivery.cursor == 300 and waiting(recovered) is None)
    assert platform.others[old] == hashes
    assert len(platform.records) == 300


async def test_a_receipt_about_another_ledger_settles_nothing(before, recovered, platform_key):
    class Confused(FakePlatform):
        def _receipt(self, about, ledger_id, results, *, forged):
            return super()._receipt(about, self.ledger_id, results, forged=forged)

    platform = Confused(platform_key)
    delivery = recovered.delivery(platform)
    await deliver_until(delivery, lambda: len(platform.batch_order) > 3)
    assert waiting(recovered).records[0].seq == 101


@pytest.mark.parametrize("name", ["rate_per_s", "burst", "retry_delay_s_first", "retry_delay_s_max", "stable_s",
                                  "hello_interval_s"])  # fmt: skip
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_settings_that_are_no_numbers_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        Settings(**{name: value})
