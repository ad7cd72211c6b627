"""What a failing disk does to the ledger: nothing false is ever said, and nothing that was said is lost."""

import asyncio

import apsw
import pytest

from agent.adapters.ledger.file import LedgerFile
from agent.adapters.ledger.owner import InlineLedger, ThreadedLedger
from agent.adapters.ledger.settings import Settings
from agent.core.transaction import Transaction, record_of
from agent.ports import LedgerBroken, LedgerFull, LedgerUnusable
from fakes.ledger_parts import SMALL, CountedRandomness, LabelSigner, WatchedDisk, draft, interval, open_ledger


@pytest.fixture
def disk():
    disk = WatchedDisk()
    yield disk
    disk.unregister()


def numbers(file: LedgerFile) -> list[int]:
    """Return the raw clocks by which the drafts are told apart."""
    return [record_of(r.envelope)[6][1] for r in file.read(0, records_max=100_000, bytes_max=10**9)]


async def test_nobody_is_answered_before_the_sync_of_their_commit(tmp_path, disk):
    ledger = ThreadedLedger(open_ledger(tmp_path / "ledger.db", vfs=disk.name))

    async def append(number: int) -> None:
        transaction = await ledger.append(draft(number))
        disk.events.append(f"answered {transaction.seq}")

    await append(0)
    for _ in range(5):
        disk.events.clear()
        await asyncio.gather(*(append(n) for n in range(20)))
        answered = [i for i, event in enumerate(disk.events) if event.startswith("answered")]
        synced = [i for i, event in enumerate(disk.events) if event == "sync"]
        assert len(answered) == 20
        assert synced, "a commit without a sync"
        assert synced[0] < answered[0], "an answer before any sync"
        assert len(synced) <= 20, "a group shares its sync"
    await ledger.close()


async def test_appends_that_wait_for_one_sync_share_the_next(tmp_path, disk):
    ledger = ThreadedLedger(open_ledger(tmp_path / "ledger.db", vfs=disk.name))
    await ledger.append(draft())
    disk.events.clear()
    await asyncio.gather(*(ledger.append(draft(n)) for n in range(64)))
    assert disk.events.count("sync") == 1
    await ledger.close()


def test_a_failed_sync_breaks_the_ledger_for_good_and_is_never_tried_again(tmp_path, disk):
    file = open_ledger(tmp_path / "ledger.db", vfs=disk.name)
    assert isinstance(file.commit([draft(1)])[0], Transaction)
    head = file.chain
    disk.fails_to_sync = True
    assert [type(o) for o in file.commit([draft(2), draft(3)])] == [LedgerBroken, LedgerBroken]
    disk.fails_to_sync = False
    assert file.chain == head
    assert [type(o) for o in file.commit([draft(4)])] == [LedgerBroken]
    for call in (
        lambda: file.read(0, records_max=1, bytes_max=1),
        lambda: file.cursor("platform"),
        lambda: file.settle("platform", 1, []),
        lambda: file.hash_at(1),
        lambda: file.history(interval()),
        lambda: file.put_state("k", 1),
        file.checkpoint,
    ):
        with pytest.raises(LedgerBroken):
            call()
    file.close()
    assert disk.syncs_after_failure == 0
    again = open_ledger(tmp_path / "ledger.db")
    assert numbers(again)[:1] == [1], "what was acknowledged is there; of the rest nothing was said"
    assert again.chain.seq == len(numbers(again))
    again.close()


@pytest.mark.parametrize("twin", [ThreadedLedger, InlineLedger])
async def test_all_who_wait_learn_that_the_ledger_is_broken(twin, tmp_path, disk):
    ledger = twin(open_ledger(tmp_path / "ledger.db", vfs=disk.name))
    async with asyncio.TaskGroup() as group:
        delivery = group.create_task(_expect_broken(ledger.wait_for_records(0)))
        await asyncio.sleep(0)
        disk.fails_to_sync = True
        appends = [group.create_task(_expect_broken(ledger.append(draft(n)))) for n in range(5)]
        assert all(await asyncio.gather(delivery, *appends))
    disk.fails_to_sync = False
    with pytest.raises(LedgerBroken):
        await ledger.append(draft())
    await ledger.close()


async def _expect_broken(awaitable) -> bool:
    with pytest.raises(LedgerBroken):
        await asyncio.wait_for(awaitable, 5)
    return True


@pytest.mark.parametrize("provisional", [False, True])
def test_a_full_disk_refuses_new_records_and_keeps_reading_delivering_and_its_head(tmp_path, disk, provisional):
    file = open_ledger(tmp_path / "ledger.db", vfs=disk.name)
    first = file.commit([draft(1), draft(2)])
    disk.is_full = True
    used = b"u" * 16
    refused = file.commit([draft(3, replay_id=used, provisional=provisional), draft(4)])
    assert [type(o) for o in refused] == [LedgerFull, LedgerFull]
    assert file.chain.seq == 2
    assert numbers(file) == [1, 2]
    file.settle("platform", 2, [])  # cannot be stored, and costs nothing but a batch sent twice
    disk.is_full = False
    assert numbers(file) == [1, 2]
    again = file.commit([draft(3, replay_id=used, provisional=provisional)])
    assert isinstance(again[0], Transaction), "the one-time code was not used up by what was not stored"
    assert (again[0].seq, first[1].seq) == (3, 2)
    file.settle("platform", 3, [])
    file.close()
    file = open_ledger(tmp_path / "ledger.db")
    assert numbers(file) == [1, 2, 3]
    file.close()


def test_a_data_key_that_was_rolled_back_is_not_used(tmp_path, disk):
    from fakes.ledger_parts import sealing_recipient

    recipients = (sealing_recipient("platform seal"),)
    file = open_ledger(tmp_path / "ledger.db", vfs=disk.name)
    disk.is_full = True
    assert isinstance(file.commit([draft(1, recipients=recipients)])[0], LedgerFull)
    disk.is_full = False
    file.commit([draft(1, recipients=recipients)])
    kinds = [record_of(r.envelope)[5] for r in file.read(0, records_max=9, bytes_max=10**6)]
    assert kinds == [6, 0], "sealed under a key whose wrap is in the ledger"
    file.close()


def test_the_byte_budget_refuses_new_records_and_still_moves_cursors(tmp_path):
    settings = Settings(bytes_max=1_048_576, ballast_bytes=0)
    file = open_ledger(tmp_path / "ledger.db", settings=settings)
    text = ["x" * 4000]
    stored = 0
    while isinstance(file.commit([draft(stored, items=text)])[0], Transaction):
        stored += 1
        assert stored < 1_000, "the budget is not kept"
    assert stored > 100
    assert len(numbers(file)) == stored
    for cursor in range(1, stored + 1):
        file.settle("platform", cursor, [(cursor, "record.malformed")])
    assert file.cursor("platform") == stored
    file.close()
    assert (tmp_path / "ledger.db").stat().st_size <= 1_048_576 + 512 * 4096


def test_pruning_makes_room_again(tmp_path):
    settings = Settings(bytes_max=1_048_576, ballast_bytes=0)
    file = open_ledger(tmp_path / "ledger.db", settings=settings)
    while isinstance(file.commit([draft(items=["x" * 4000])])[0], Transaction):
        pass
    file.settle("platform", file.chain.seq, [])
    later = interval(1_800_000_000_000 + 31 * 86_400_000)
    while file.prune(later):
        pass
    assert isinstance(file.commit([draft()])[0], Transaction)
    file.close()


def test_without_room_for_the_ballast_nothing_new_is_accepted(tmp_path, monkeypatch):
    import os

    real = os.posix_fallocate
    monkeypatch.setattr(os, "posix_fallocate", _no_space)
    file = open_ledger(tmp_path / "ledger.db")
    assert isinstance(file.commit([draft()])[0], LedgerFull)
    assert numbers(file) == []
    assert not (tmp_path / "ledger.db.ballast").exists()
    monkeypatch.setattr(os, "posix_fallocate", real)
    assert isinstance(file.commit([draft()])[0], Transaction)
    assert (tmp_path / "ledger.db.ballast").stat().st_size == SMALL.ballast_bytes
    file.close()


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_bug_in_one_draft_leaves_the_ledger_as_it_was(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    with pytest.raises(ValueError, match="at most 8192"):
        file.commit([draft(1), draft(2, items=["x" * 9_000])])
    assert numbers(file) == []
    assert isinstance(file.commit([draft(3)])[0], Transaction)
    assert numbers(file) == [3]
    file.close()


def test_a_second_owner_is_refused_and_the_first_goes_on(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    with pytest.raises(LedgerUnusable, match="another process owns this ledger"):
        open_ledger(tmp_path / "ledger.db")
    assert isinstance(file.commit([draft()])[0], Transaction)
    file.close()
    open_ledger(tmp_path / "ledger.db").close()


def test_the_ledger_of_another_terminal_is_refused_and_left_alone(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    file.commit([draft(5)])
    file.close()
    with pytest.raises(LedgerUnusable, match="belongs to terminal 'kiosk-1'"):
        open_ledger(tmp_path / "ledger.db", terminal="kiosk-2")
    file = open_ledger(tmp_path / "ledger.db")
    assert numbers(file) == [5]
    file.close()


def test_the_ledger_of_a_later_version_is_refused_and_left_alone(tmp_path):
    open_ledger(tmp_path / "ledger.db").close()
    with apsw.Connection(str(tmp_path / "ledger.db")) as connection:
        connection.pragma("user_version", 2)
    connection.close()
    with pytest.raises(LedgerUnusable, match="later version"):
        open_ledger(tmp_path / "ledger.db")
    assert [p.name for p in tmp_path.glob("*set-aside*")] == []


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnusable, match="cannot be written"):
        open_ledger(tmp_path / "file" / "ledger.db")


def test_settings_of_the_connection_are_those_the_guarantees_rest_on(tmp_path, disk):
    file = open_ledger(tmp_path / "ledger.db")
    connection = file._connection
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2
    assert connection.pragma("wal_autocheckpoint") == 0
    assert connection.pragma("application_id") == 0x53434E57
    strict = connection.execute(
        "SELECT count(*), sum(strict) FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'"
    ).get
    assert strict[0] == strict[1] > 0
    file.close()


def test_the_parts_made_for_tests_fit_the_ports():
    assert len(LabelSigner().key_id) == 8
    assert CountedRandomness("a").bytes(16) != CountedRandomness("b").bytes(16)
