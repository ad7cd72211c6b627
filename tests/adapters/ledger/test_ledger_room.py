"""Want of space: the agent starts, delivered records make room, and nothing undelivered is ever given up for it."""

import errno
import logging
import os
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.adapters.ledger.settings import Settings
from agent.core.transaction import Transaction, record_of
from agent.ports import LedgerBroken, LedgerFull, LedgerOvertaken, LedgerUnusable
from fakes.ledger_parts import WatchedDisk, WatchedFile, draft, interval, open_ledger

BUDGET = Settings(bytes_max=1_048_576, ballast_bytes=0)
BALLAST = Settings(ballast_bytes=1_048_576)
OPENING_BYTES = 32_768  # what SQLite wants for the index of the log


class SmallDisk(WatchedDisk):
    """A disk of so many bytes: the ledger's folder, and other people's files that may fill what is left."""

    def __init__(self, folder: Path, capacity: int, monkeypatch) -> None:
        super().__init__()
        self.folder = folder
        self.capacity = capacity
        self.others = 0
        self.opening_error: type[apsw.Error] = apsw.FullError
        real = os.posix_fallocate

        def allocate(descriptor: int, offset: int, size: int) -> None:
            if offset + size - os.fstat(descriptor).st_size > self.free():
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor, offset, size)

        def statvfs(_path: Path) -> os.statvfs_result:
            return os.statvfs_result((4096, 4096, self.capacity // 4096, *[self.free() // 4096] * 2, 0, 0, 0, 0, 255))

        monkeypatch.setattr(os, "posix_fallocate", allocate)
        monkeypatch.setattr(os, "statvfs", statvfs)

    def free(self) -> int:
        used = sum(file.stat().st_size for file in self.folder.iterdir() if not file.name.endswith("-shm"))
        return max(0, self.capacity - self.others - used)

    def fill(self) -> None:
        self.others += self.free()

    def xOpen(self, name, flags):  # noqa: N802
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB and self.free() < OPENING_BYTES:
            raise self.opening_error("the disk is full")
        return SmallFile(self, name, flags)


class SmallFile(WatchedFile):
    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if offset + len(data) - self.xFileSize() > self._disk.free():
            raise apsw.FullError("the disk is full")
        super().xWrite(data, offset)


@pytest.fixture
def disk(tmp_path, monkeypatch):
    disk = SmallDisk(tmp_path, 12 * 1_048_576, monkeypatch)
    yield disk
    disk.unregister()


def numbers(file) -> list[int]:
    return [r.seq for r in file.read(0, records_max=100_000, bytes_max=10**9)]


def is_stored(file, number: int = 0, **of) -> bool:
    return isinstance(file.commit([draft(number, **of)])[0], Transaction)


def ledger_of(tmp_path, disk, count: int, *, is_clean: bool = True) -> Path:
    """Leave a ledger of so many records, its ballast beside it, as a clean stop or a kill does; fill the disk."""
    path = tmp_path / "ledger.db"
    file = open_ledger(path, vfs=disk.name, settings=BALLAST, seed="before")
    file.commit([draft(n) for n in range(count)])
    file._guarded.is_dead = not is_clean  # nothing is written by closing then
    file.close()
    disk.fill()
    return path


@pytest.mark.parametrize("is_clean", [True, False])
@pytest.mark.parametrize("error", [apsw.FullError, apsw.IOError, apsw.CantOpenError])
def test_on_a_full_disk_the_ballast_lets_the_agent_start_refuse_and_deliver(tmp_path, disk, caplog, error, is_clean):
    path = ledger_of(tmp_path, disk, 50, is_clean=is_clean)
    disk.opening_error = error
    file = open_ledger(path, vfs=disk.name, settings=BALLAST)
    assert "its ballast is given up" in caplog.text
    disk.fill()  # by others: nothing is left of it
    assert [type(outcome) for outcome in file.commit([draft(99)])] == [LedgerFull]
    assert numbers(file) == list(range(1, 51))
    disk.others -= 100_000
    file.settle("platform", 30, [])
    assert file.cursor("platform") == 30
    assert not is_stored(file, 99), "without its ballast it takes nothing new"
    disk.others = 0
    assert is_stored(file, 99)
    assert (tmp_path / "ledger.db.ballast").stat().st_size == BALLAST.ballast_bytes
    file.close()


def test_a_start_without_space_or_ballast_says_what_to_do_and_leaves_the_ledger_as_it_is(tmp_path, disk):
    path = ledger_of(tmp_path, disk, 5)
    (tmp_path / "ledger.db.ballast").unlink()
    disk.fill()
    before = path.read_bytes()
    for disk.opening_error in (apsw.FullError, apsw.IOError, apsw.CantOpenError):
        with pytest.raises(LedgerFull, match=f"free some on the disk of {tmp_path}"):
            open_ledger(path, vfs=disk.name, settings=BALLAST)
    assert path.read_bytes() == before
    disk.others = 0
    file = open_ledger(path, vfs=disk.name, settings=BALLAST)
    assert numbers(file) == [1, 2, 3, 4, 5]
    file.close()


def test_a_damaged_ledger_on_a_full_disk_is_replaced_with_the_help_of_the_ballast(tmp_path, disk):
    path = ledger_of(tmp_path, disk, 20)
    path.write_bytes(b"\xa5" * path.stat().st_size)
    disk.opening_error = apsw.CantOpenError
    file = open_ledger(path, vfs=disk.name, settings=BALLAST, seed="after")
    assert file.chain.seq == 0
    assert (tmp_path / "ledger.db.set-aside-1").exists()
    file.close()


def test_trouble_that_is_not_want_of_space_keeps_the_ballast(tmp_path, disk, monkeypatch):
    path = ledger_of(tmp_path, disk, 5)
    disk.others = 0

    def fail(_self, name, flags):
        raise apsw.IOError("the disk failed to read")

    with monkeypatch.context() as patch:
        patch.setattr(SmallDisk, "xOpen", fail)
        with pytest.raises(LedgerBroken, match="cannot be opened: IOError"):
            open_ledger(path, vfs=disk.name, settings=BALLAST)
    assert (tmp_path / "ledger.db.ballast").stat().st_size == BALLAST.ballast_bytes
    open_ledger(path, vfs=disk.name, settings=BALLAST).close()


def test_a_new_ledger_after_being_overtaken_gets_the_ballast_on_a_full_disk(tmp_path, disk):
    file = open_ledger(tmp_path / "ledger.db", vfs=disk.name, settings=BALLAST)
    file.commit([draft(n) for n in range(10)])
    disk.fill()
    file.begin_anew(LedgerOvertaken(99, bytes(32)))
    assert file.chain.seq == 0
    assert [r.seq for r in file.salvaged("platform", records_max=99, bytes_max=10**6).records] == list(range(1, 11))
    file.close()


def test_a_cursor_on_a_full_disk_is_stored_with_the_help_of_the_ballast(tmp_path, disk):
    path = tmp_path / "ledger.db"
    file = open_ledger(path, vfs=disk.name, settings=BALLAST)
    file.commit([draft(n) for n in range(10)])
    disk.fill()
    file.settle("platform", 10, [(3, "record.malformed")])
    assert file.cursor("platform") == 10, "else nothing delivered could ever make room"
    file.close()


def test_a_full_disk_is_made_room_on_by_deleting_what_is_delivered(tmp_path, disk, caplog):
    path = tmp_path / "ledger.db"
    file = open_ledger(path, vfs=disk.name, settings=BALLAST)
    for n in range(40):
        file.commit([draft(100 * n + k) for k in range(100)])
    file.checkpoint(is_forced=True)
    file.settle("platform", 3_900, [(5, "record.malformed")])
    disk.fill()
    for number in range(10_000, 11_000):
        assert is_stored(file, number)
    file.settle("platform", file.chain.seq, [])
    assert numbers(file)[0] == 5, "a parked record is not delivered"
    assert set(range(3_901, 5_001)) <= set(numbers(file)), "nor is what no platform has settled"
    assert file._ballast.is_held
    assert [r.message for r in caplog.records if "before their time" in r.message] == [
        "no space: delivered records are deleted before their time"
    ]
    file.close()


def test_a_used_up_budget_deletes_delivered_records_oldest_first_and_says_so_once(tmp_path, caplog):
    path = tmp_path / "ledger.db"
    file = open_ledger(path, settings=BUDGET)
    for n in range(3_000):
        assert is_stored(file, n, items=["x" * 500]), f"record {n} was refused although everything is delivered"
        file.settle("platform", n + 1, [])
    kept = numbers(file)
    assert kept == list(range(kept[0], 3_001))
    assert 100 < len(kept) < 1_500
    assert file.first_seq() == kept[0]
    assert file.hash_at(kept[0] - 1) is None
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert [r.message for r in warnings] == ["no space: delivered records are deleted before their time"]
    assert 0 < warnings[0].deleted < warnings[0].head_seq
    file.close()
    assert path.stat().st_size <= 1_048_576 + 512 * 4096
    file = open_ledger(path, settings=BUDGET)
    assert file.chain.seq == 3_000
    file.close()


def test_the_end_of_the_want_is_noticed_and_the_next_one_told_again(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    file = open_ledger(tmp_path / "ledger.db", settings=BUDGET)

    def fill() -> None:
        while "before their time" not in caplog.text:
            assert is_stored(file, items=["x" * 1_000])
            file.settle("platform", file.chain.seq, [])

    for _ in range(2):
        fill()
        while file.prune(interval(1_800_000_000_000 + 31 * 86_400_000)):
            pass
        ends = [r for r in caplog.records if r.message == "there is space again in the ledger"]
        assert len(ends) == 1
        assert ends[0].deleted > 0
        caplog.clear()
    file.close()


@pytest.mark.parametrize("settle", [None, "city", "parked"])
def test_what_is_not_delivered_is_never_deleted_for_want_of_space(tmp_path, settle):
    """Nothing settled; settled by one of two platforms; settled with every record parked."""
    file = open_ledger(tmp_path / "ledger.db", settings=BUDGET, uplinks=("platform", "city"))
    stored = 0
    while is_stored(file, stored, items=["x" * 2_000]):
        stored += 1
        if settle is not None:
            file.settle("city", stored, [])
        if settle == "parked":
            file.settle("platform", stored, [(stored, "record.malformed")])
        assert stored < 1_000, "the budget is not kept"
    assert numbers(file) == list(range(1, stored + 1))
    assert file.first_seq() == 1
    file.close()


def test_undelivered_records_of_a_ledger_set_aside_come_before_delivered_ones(tmp_path):
    path = tmp_path / "ledger.db"
    file = open_ledger(path, seed="before")
    file.commit([draft(n) for n in range(300)])
    file.close()
    (tmp_path / "elsewhere").mkdir()
    away = tmp_path / "elsewhere" / path.name
    path.rename(away)
    file = open_ledger(path, settings=BUDGET, seed="after")
    while not file._room.is_over_budget():
        file.commit([draft(n) for n in range(50)])
    file.settle("platform", file.chain.seq, [])
    head = file.chain.seq
    away.rename(tmp_path / "ledger.db.set-aside-1")
    file.take_over()
    assert [r.seq for r in file.salvaged("platform", records_max=999, bytes_max=10**7).records] == list(range(1, 301))
    assert numbers(file)[0] > 1
    assert numbers(file)[-1] == head
    file.close()


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["append", "settle", "city", "back"]), st.integers(50, 400)), min_size=5, max_size=30
    )
)
def test_whatever_the_order_only_delivered_records_go(tmp_path_factory, steps):
    file = open_ledger(tmp_path_factory.mktemp("room") / "ledger.db", settings=BUDGET, uplinks=("platform", "city"))
    file.commit([draft(n, items=["x" * 700]) for n in range(700)])  # not far from full
    stored, parked, most = set(numbers(file)), set[int](), {"platform": 0, "city": 0}
    for step, count in steps:
        head = file.chain.seq
        match step:
            case "append":
                outcomes = file.commit([draft(n, items=["x" * 700]) for n in range(count)])
                stored |= {o.seq for o in outcomes if isinstance(o, Transaction)}
            case "back":
                file.settle("platform", max(file.first_seq() - 1, file.cursor("platform") - count), [])
            case _:
                uplink = "city" if step == "city" else "platform"
                old, new = file.cursor(uplink), min(head, file.cursor(uplink) + count)
                rejected = [seq for seq in range(old + 1, new + 1) if uplink == "city" and seq % 7 == 0]
                file.settle(uplink, new, [(seq, "record.malformed") for seq in rejected])
                parked |= set(rejected)
                most[uplink] = max(most[uplink], new)
        kept = set(numbers(file))
        assert kept <= stored
        assert all(seq <= min(most.values()) and seq not in parked for seq in stored - kept)
        assert max(stored) in kept
        assert all(record_of(r.envelope)[3] == r.seq for r in file.read(0, records_max=5, bytes_max=10**6))
    file.close()


def test_a_folder_in_the_place_of_the_ledger_is_said_so(tmp_path):
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(LedgerUnusable, match=r"ledger\.db is a folder.*move it away"):
        open_ledger(tmp_path / "ledger.db")
    (tmp_path / "ledger.db").rmdir()
    open_ledger(tmp_path / "ledger.db").close()


def test_a_ledger_that_may_not_be_opened_is_said_so(tmp_path):
    path = tmp_path / "ledger.db"
    open_ledger(path).close()
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "ledger.db-wal").mkdir()
    with pytest.raises(LedgerUnusable, match="its user must own it, what lies beside it"):
        open_ledger(path)
