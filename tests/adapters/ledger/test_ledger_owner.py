"""The owner's own business: how much may wait, when the log is shortened, and how it stops."""

import asyncio
import itertools
import threading

import pytest

from agent.adapters.ledger import owner
from agent.adapters.ledger.owner import InlineLedger, ThreadedLedger
from fakes.ledger_parts import draft, open_ledger


async def test_more_appends_than_the_limit_wait_their_turn_and_are_all_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(owner, "APPENDS_WAITING_MAX", 4)
    async with InlineLedger(open_ledger(tmp_path / "ledger.db")) as ledger:
        waiting = [asyncio.ensure_future(ledger.append(draft(n))) for n in range(20)]
        seen = set()
        while not all(w.done() for w in waiting):
            seen.add(len(ledger._waiting))
            await asyncio.sleep(0)
        assert max(seen) == 4
        assert sorted(w.result().seq for w in waiting) == list(range(1, 21))


@pytest.mark.looptime
async def test_an_idle_gap_is_used_to_shorten_the_log(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    async with InlineLedger(file) as ledger:
        while not file.is_checkpoint_due:
            await ledger.append(draft(items=["x" * 7_000]))
        await asyncio.sleep(owner.CHECKPOINT_IDLE_S / 2)
        assert file.is_checkpoint_due, "not while scans come in"
        await asyncio.sleep(owner.CHECKPOINT_IDLE_S)
        assert not file.is_checkpoint_due


async def test_a_log_that_grows_without_an_idle_gap_is_cut_between_commits(tmp_path):
    async with ThreadedLedger(open_ledger(tmp_path / "ledger.db")) as ledger:
        log = tmp_path / "ledger.db-wal"
        sizes = []
        for _ in range(8):
            await asyncio.gather(*(ledger.append(draft(n, items=["x" * 7_000])) for n in range(500)))
            sizes.append(log.stat().st_size)
        assert max(sizes) < 16_800_000 + 500 * 9_000
        assert any(b < a for a, b in itertools.pairwise(sizes)), "it was cut"


async def test_closing_finishes_what_was_appended(tmp_path):
    ledger = ThreadedLedger(open_ledger(tmp_path / "ledger.db"))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ledger.append(draft(n))) for n in range(50)]
        await asyncio.sleep(0)
        await ledger.close()
    assert sorted(t.result().seq for t in tasks) == list(range(1, 51))
    file = open_ledger(tmp_path / "ledger.db")
    assert file.chain.seq == 50
    file.close()


async def test_one_thread_does_all_the_work_on_the_file(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    threads = set()
    real = file._signer.sign
    file._signer.sign = lambda message: (threads.add(threading.current_thread().name), real(message))[1]
    async with ThreadedLedger(file) as ledger:
        await asyncio.gather(*(ledger.append(draft(n)) for n in range(20)))
        await ledger.signed_head()
    assert len(threads) == 1
    assert threads != {threading.main_thread().name}


async def test_a_bug_in_one_commit_reaches_those_who_waited_and_who_waits_for_records(tmp_path):
    async with InlineLedger(open_ledger(tmp_path / "ledger.db")) as ledger:
        with pytest.raises(ValueError, match="at most 8192"):
            await ledger.append(draft(items=["x" * 9_000]))
        assert ledger.head_seq == 0
