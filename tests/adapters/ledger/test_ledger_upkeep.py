"""Pruning, the log, and coming up by itself after damage."""

import dataclasses
import logging

import pytest

from agent.adapters.ledger.opening import set_aside
from agent.core.transaction import Kind, record_of
from fakes.ledger_parts import NOW_MS, draft, interval, open_ledger

DAY_MS = 86_400_000


def seqs(file) -> list[int]:
    return [r.seq for r in file.read(0, records_max=100_000, bytes_max=10**9)]


def prune(file, days: float) -> None:
    while file.prune(interval(NOW_MS + int(days * DAY_MS))):
        pass


def test_only_what_all_have_and_is_old_for_certain_is_deleted(tmp_path):
    file = open_ledger(tmp_path / "ledger.db", uplinks=("platform", "city"))
    file.commit([draft(n) for n in range(10)])
    file.settle("platform", 9, [(4, "record.malformed")])
    prune(file, 31)
    assert seqs(file) == list(range(1, 11)), "the city has settled nothing"
    file.settle("city", 6, [])
    prune(file, 29.9)
    assert seqs(file) == list(range(1, 11)), "not old enough"
    prune(file, 30.1)
    assert seqs(file) == [4, 7, 8, 9, 10], "a parked record is not delivered"
    file.settle("platform", 10, [])
    file.settle("city", 10, [])
    prune(file, 31)
    assert seqs(file) == [4, 10], "the last record carries the chain"
    file.close()
    file = open_ledger(tmp_path / "ledger.db", uplinks=("platform", "city"))
    assert file.commit([draft()])[0].seq == 11
    file.close()


def test_a_record_written_while_the_clock_was_behind_makes_none_before_it_old(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    fresh = [draft(n, at_ms=NOW_MS) for n in range(5)]
    file.commit([*fresh, draft(5, at_ms=NOW_MS - 60 * DAY_MS), draft(6, at_ms=NOW_MS)])
    file.settle("platform", 7, [])
    prune(file, 1)
    assert seqs(file) == [1, 2, 3, 4, 5, 6, 7]
    prune(file, 31)
    assert seqs(file) == [7]
    file.close()


def test_a_record_of_unknown_age_is_as_old_as_the_next_one_that_knows(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    file.commit([draft(0, at_ms=0, is_bounded=False)] * 3 + [draft(1), draft(2)])
    file.settle("platform", 5, [])
    prune(file, 29)
    assert seqs(file) == [1, 2, 3, 4, 5], "an early bound is no proof of age"
    prune(file, 31)
    assert seqs(file) == [5]
    file.close()


def test_a_clock_without_bounds_deletes_nothing(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    file.commit([draft(n, is_bounded=False) for n in range(4)])
    file.settle("platform", 4, [])
    prune(file, 4_000)
    assert seqs(file) == [1, 2, 3, 4]
    file.close()


def test_one_time_codes_are_forgotten_only_when_expired_for_certain(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    file.commit([draft(0, replay_id=b"a" * 16, keep_until_ms=NOW_MS), draft(1, replay_id=b"b" * 16)])
    assert file.prune(interval(NOW_MS)) == 0
    assert file.prune(interval(NOW_MS + 1)) == 1
    history = file.history(interval(0))
    assert (history.has(b"a" * 16), history.has(b"b" * 16)) == (False, True)
    file.close()


def test_many_rows_are_deleted_in_small_ranges(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    file.commit([draft(n) for n in range(1_200)])
    file.settle("platform", 1_200, [])
    counts = []
    while count := file.prune(interval(NOW_MS + 31 * DAY_MS)):
        counts.append(count)
    assert counts == [500, 500, 199]
    file.close()


def test_disk_is_given_back_after_draining(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    for _ in range(10):
        file.commit([draft(n, items=["x" * 4_000]) for n in range(200)])
    file.settle("platform", 2_000, [])
    file.checkpoint(is_forced=True)
    before = (tmp_path / "ledger.db").stat().st_size
    prune(file, 31)
    file.close()
    assert (tmp_path / "ledger.db").stat().st_size < before / 2


def test_the_log_is_cut_when_it_has_grown_long_and_gone_after_closing(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    while not file.is_checkpoint_overdue:
        file.commit([draft(n, items=["x" * 7_000]) for n in range(500)])
    log = tmp_path / "ledger.db-wal"
    assert log.stat().st_size > 16_000_000
    file.checkpoint()
    assert log.stat().st_size == 0
    assert not file.is_checkpoint_due
    file.commit([draft()])
    file.close()
    assert not log.exists() or log.stat().st_size == 0


def undamaged(tmp_path, count: int = 400, settled: int = 100) -> tuple[bytes, dict[int, bytes]]:
    file = open_ledger(tmp_path / "ledger.db", seed="before")
    file.commit([draft(n, replay_id=n.to_bytes(16)) for n in range(count)])
    file.settle("platform", settled, [])
    file.put_state("trust.floor", 7)
    records = {r.seq: r.envelope for r in file.read(0, records_max=10_000, bytes_max=10**9)}
    ledger_id = file.chain.ledger_id
    file.close()
    return ledger_id, records


def salvaged(file) -> dict[int, bytes]:
    return dict(file._connection.execute("SELECT seq, envelope FROM salvaged").fetchall())


@pytest.mark.parametrize(("pages", "is_cursor_lost"), [((9,), False), ((5, 6, 20), True), ((2,), False)])
def test_a_damaged_file_is_set_aside_and_its_undelivered_records_are_taken_over(
    tmp_path, pages, is_cursor_lost, caplog
):
    ledger_id, records = undamaged(tmp_path)
    path = tmp_path / "ledger.db"
    data = bytearray(path.read_bytes())
    for page in pages:
        data[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    with caplog.at_level(logging.ERROR):
        file = open_ledger(path, seed="after")
    assert file.chain.ledger_id != ledger_id
    assert file.chain.seq == 0
    assert (tmp_path / "ledger.db.set-aside-1").read_bytes() == data, "the damaged file is left as it is"
    kept = salvaged(file)
    assert all(records[seq] == envelope for seq, envelope in kept.items()), "only what is whole"
    assert (min(kept) <= 100) is is_cursor_lost, "what was delivered stays in the file set aside, where that is known"
    assert len(kept) >= 300 - 12 * len(pages)
    undelivered = f"undelivered={len(kept)} "
    assert str(file.state("salvage.ledger.db.set-aside-1")).startswith(undelivered)
    assert "its undelivered records are kept" in caplog.text
    assert file.commit([draft()])[0].seq == 1
    history = file.history(interval(0))
    assert all(history.has(record_of(e)[18]) for e in kept.values()), "no code works twice because a disk failed"
    file.close()
    file = open_ledger(path)
    assert file.chain.seq == 1, "taken over once"
    assert salvaged(file) == kept
    file.close()


def test_a_flipped_bit_in_a_record_is_not_taken_over(tmp_path):
    _, records = undamaged(tmp_path)
    path = tmp_path / "ledger.db"
    data = bytearray(path.read_bytes())
    for seq in (150, 400):  # 400 is the last one, which opening checks
        at = data.index(records[seq])
        data[at + len(records[seq]) // 2] ^= 1
    path.write_bytes(data)
    file = open_ledger(path, seed="after")
    assert sorted(salvaged(file)) == [n for n in range(101, 400) if n != 150]
    assert file.state("salvage.ledger.db.set-aside-1") == "undelivered=298 unreadable=1"
    assert file.state("trust.floor") == 7, "floors never fall"
    file.close()


@pytest.mark.parametrize("content", [b"", b"not a database", b"\x00" * 8192, b"SQLite format 3\x00" + b"\xff" * 9000])
def test_whatever_stands_in_the_place_of_the_ledger_the_agent_comes_up(tmp_path, content):
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    file = open_ledger(path)
    assert file.commit([draft()])[0].seq == 1
    file.close()


def test_a_torn_off_end_is_noticed(tmp_path):
    undamaged(tmp_path)
    path = tmp_path / "ledger.db"
    path.write_bytes(path.read_bytes()[:-20_000])
    file = open_ledger(path, seed="after")
    assert file.chain.seq == 0
    assert salvaged(file)
    file.close()


def test_a_log_without_its_database_follows_it_when_setting_aside_was_cut_short(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    file.commit([draft(n) for n in range(3)])
    file._guarded.is_dead = True  # closed as after a failed fsync: the log stays
    file.close()
    (tmp_path / "ledger.db").rename(tmp_path / "ledger.db.set-aside-1")
    file = open_ledger(tmp_path / "ledger.db", seed="after")
    assert sorted(salvaged(file)) == [1, 2, 3]
    assert (tmp_path / "ledger.db.set-aside-1-wal").exists()
    file.close()


def test_a_ledger_that_was_overtaken_can_be_set_aside_by_the_agent(tmp_path):
    undamaged(tmp_path)
    assert set_aside(tmp_path / "ledger.db").name == "ledger.db.set-aside-1"
    file = open_ledger(tmp_path / "ledger.db", seed="after")
    assert len(salvaged(file)) == 300
    file.close()


def test_an_attempt_taken_over_uses_no_code_up(tmp_path):
    file = open_ledger(tmp_path / "ledger.db")
    body = {10: "payment", 15: "national", 16: 0, 18: b"r" * 16, 23: "desk", 28: b"a" * 16}
    file.commit([dataclasses.replace(draft(1), kind=Kind.ATTEMPT, body=body), draft(2, replay_id=b"u" * 16)])
    file.close()
    set_aside(tmp_path / "ledger.db")
    file = open_ledger(tmp_path / "ledger.db", seed="after")
    assert sorted(salvaged(file)) == [1, 2]
    history = file.history(interval(0))
    assert (history.has(b"r" * 16), history.has(b"u" * 16)) == (False, True)
    file.close()
