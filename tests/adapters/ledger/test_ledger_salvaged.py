"""What becomes of salvaged records in the file: per platform, over several ledgers set aside, and with no space."""

import hashlib

import pytest

from agent.adapters.ledger.opening import set_aside
from agent.adapters.ledger.settings import Settings
from agent.core.transaction import Transaction
from agent.ports import LedgerBroken, LedgerOvertaken
from fakes.ledger_parts import draft, interval, open_ledger

BOTH = ("platform", "city")


def run_of(file, uplink="platform", records_max=200):
    return file.salvaged(uplink, records_max=records_max, bytes_max=10**6)


def seqs_of(file, uplink="platform", records_max=200) -> list[int]:
    run = run_of(file, uplink, records_max)
    return [] if run is None else [r.seq for r in run.records]


def drain(file, uplink="platform") -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    while (run := run_of(file, uplink)) is not None:
        found.setdefault(run.source, []).extend(r.seq for r in run.records)
        file.settle_salvaged(uplink, run, [])
    return found


def count(file) -> int:
    return file._connection.execute("SELECT count(*) FROM salvaged").get


def make(path, number: int, *, settled=None, uplinks=BOTH, seed="before") -> None:
    file = open_ledger(path, uplinks=uplinks, seed=seed)
    file.commit([draft(n) for n in range(number)])
    for uplink, seq in (settled or {}).items():
        file.settle(uplink, seq, [])
    file.close()


def test_each_platform_gets_what_it_has_not_settled_and_rows_stay_until_all_have(tmp_path):
    path = tmp_path / "ledger.db"
    make(path, 20, settled={"platform": 12, "city": 5})
    set_aside(path)
    file = open_ledger(path, uplinks=BOTH, seed="after")
    assert seqs_of(file) == list(range(13, 21))
    assert seqs_of(file, "city") == list(range(6, 21))
    file.settle_salvaged("platform", run_of(file), [])
    assert seqs_of(file) == []
    assert seqs_of(file, "city") == list(range(6, 21)), "the city has not got them yet"
    file.settle_salvaged("city", run_of(file, "city", 10), [])
    assert count(file) == 5
    file.settle_salvaged("city", run_of(file, "city"), [(18, "record.malformed")])
    assert count(file) == 1, "what one platform rejected is kept"
    file.close()
    file = open_ledger(path, uplinks=BOTH)
    assert (seqs_of(file), seqs_of(file, "city"), count(file)) == ([], [], 1)
    file.close()


def test_what_was_parked_in_the_ledger_set_aside_is_kept_with_its_reason(tmp_path):
    path = tmp_path / "ledger.db"
    file = open_ledger(path, seed="before")
    file.commit([draft(n) for n in range(9)])
    file.settle("platform", 6, [(2, "record.malformed"), (4, "record.odd")])
    file._connection.execute("INSERT INTO resend VALUES ('platform', 3)")
    file.close()
    set_aside(path)
    file = open_ledger(path, seed="after")
    parked = file._connection.execute("SELECT seq, reason, is_resend FROM salvaged_parked ORDER BY seq").fetchall()
    assert parked == [(2, "record.malformed", 0), (3, "", 1), (4, "record.odd", 0)]
    assert drain(file) == {"ledger.db.set-aside-1": [3, 7, 8, 9]}
    assert [seq for (seq,) in file._connection.execute("SELECT seq FROM salvaged")] == [2, 4]
    file.close()


def test_a_second_ledger_set_aside_sends_nothing_of_the_first_again_and_its_floors_win(tmp_path):
    path = tmp_path / "ledger.db"
    file = open_ledger(path, seed="1")
    file.commit([draft(n) for n in range(30)])
    file.put_state("trust.floor", 7)
    file.close()
    set_aside(path)
    file = open_ledger(path, seed="2")
    file.put_state("trust.floor", 9)
    file.commit([draft(n) for n in range(4)])
    file.settle_salvaged("platform", run_of(file, records_max=10), [(4, "record.malformed")])
    file.close()
    set_aside(path)
    file = open_ledger(path, seed="3")
    assert file.state("trust.floor") == 9, "floors never fall"
    assert drain(file) == {"ledger.db.set-aside-1": list(range(11, 31)), "ledger.db.set-aside-2": [1, 2, 3, 4]}
    assert file._connection.execute("SELECT source, seq FROM salvaged").fetchall() == [("ledger.db.set-aside-1", 4)]
    file.close()


def test_a_backlog_that_does_not_fit_is_taken_over_bit_by_bit_and_leaves_room_for_cursors(tmp_path):
    path = tmp_path / "ledger.db"
    text = ["x" * 4_000]
    file = open_ledger(path, settings=Settings(bytes_max=16 * 1_048_576, ballast_bytes=0), seed="before")
    for _ in range(30):
        file.commit([draft(n, items=text) for n in range(50)])
    file.close()
    set_aside(path)
    file = open_ledger(path, settings=Settings(bytes_max=1_048_576, ballast_bytes=0), seed="after")
    assert file.state("salvage.ledger.db.set-aside-1") is None
    found = []
    for _ in range(50):
        found += drain(file).get("ledger.db.set-aside-1", [])
        if file.state("salvage.ledger.db.set-aside-1") is not None and run_of(file) is None:
            break
        while file.prune(interval()):
            pass
    assert found == list(range(1, 1_501)), "each once, in order"
    assert isinstance(file.commit([draft()])[0], Transaction)
    file.close()


def overtaken() -> LedgerOvertaken:
    return LedgerOvertaken(9, hashlib.sha256(b"theirs").digest())


def test_beginning_anew_keeps_the_lock_and_names_what_it_follows(tmp_path):
    path = tmp_path / "ledger.db"
    file = open_ledger(path)
    file.commit([draft(n) for n in range(3)])
    old = file.chain.ledger_id
    file.begin_anew(overtaken())
    assert file.chain.ledger_id != old
    assert file.chain.seq == 0
    assert file.commit([draft(9)])[0].seq == 1
    assert file.state(f"follows.{old.hex()}") == f"seq=9 hash={overtaken().hash.hex()}"
    assert run_of(file).ledger_id == old
    with pytest.raises(Exception, match="another process owns this ledger"):
        open_ledger(path)
    file.close()
    file = open_ledger(path)
    assert file.chain.seq == 1
    assert seqs_of(file) == [1, 2, 3]
    file.close()


def test_a_new_ledger_that_cannot_be_made_ends_the_agent_and_the_next_start_makes_it(tmp_path, monkeypatch):
    path = tmp_path / "ledger.db"
    file = open_ledger(path, seed="before")
    file.commit([draft(n) for n in range(3)])
    old = file.chain.ledger_id
    monkeypatch.setattr("agent.adapters.ledger.file.open_or_create", _fails)
    with pytest.raises(LedgerBroken, match="no new ledger could be begun"):
        file.begin_anew(overtaken())
    monkeypatch.undo()
    with pytest.raises(LedgerBroken):
        file.read(0, records_max=1, bytes_max=1)
    assert isinstance(file.commit([draft()])[0], LedgerBroken)
    file.close()
    file = open_ledger(path, seed="after")
    assert seqs_of(file) == [1, 2, 3]
    assert file.state(f"follows.{old.hex()}") == f"seq=9 hash={overtaken().hash.hex()}"
    file.close()


def _fails(*_args: object, **_kwargs: object) -> None:
    raise OSError(5, "Input/output error")
