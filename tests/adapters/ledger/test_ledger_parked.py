"""Parked records for the running agent: counted, listed within a bound, sent again once, beside live appends."""

import asyncio

from agent.adapters.ledger.owner import ThreadedLedger
from fakes.ledger_parts import draft, open_ledger


async def test_parked_records_are_listed_within_a_bound_and_counted_whole(tmp_path):
    async with ThreadedLedger(open_ledger(tmp_path / "ledger.sqlite")) as ledger:
        await asyncio.gather(*(ledger.append(draft(number)) for number in range(30)))
        head = ledger.head_seq
        await ledger.settle("platform", head, [(seq, "record.malformed") for seq in range(1, head + 1)])
        count, first = await ledger.parked(5)
        assert (count, [one.seq for one in first]) == (head, [1, 2, 3, 4, 5])
        assert first[0].reason == "record.malformed"
        assert first[0].uplink == "platform"
        assert await ledger.parked(0) == (head, [])


async def test_a_record_is_sent_again_once_however_often_it_is_asked_for(tmp_path):
    async with ThreadedLedger(open_ledger(tmp_path / "ledger.sqlite")) as ledger:
        await ledger.append(draft(1))
        await ledger.settle("platform", 1, [(1, "record.malformed")])
        assert [await ledger.retry_parked(seq) for seq in (1, 1, 2, 10**17)] == [True, True, False, False]
        assert [record.seq for record in await ledger.resend("platform")] == [1]
        assert await ledger.parked(10) == (0, [])
        await ledger.settle("platform", 1, [], resent=[1])
        assert await ledger.retry_parked(1) is False


async def test_what_the_ledger_stored_and_what_failed_is_counted(tmp_path):
    async with ThreadedLedger(open_ledger(tmp_path / "ledger.sqlite")) as ledger:
        await asyncio.gather(*(ledger.append(draft(number)) for number in range(7)))
        assert (ledger.appended, ledger.commits_failed) == (7, 0)
