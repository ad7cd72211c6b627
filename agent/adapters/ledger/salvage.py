"""Taking over what can be read of a ledger that was set aside: one-time codes, floors, undelivered records.

Rows are found by bisecting the range of seq around what cannot be read, and each is held against its own hash before it
is believed. Records keep their old ledger id. Safe to repeat: what was settled since is not taken over again.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from agent.adapters.ledger.connection import connect_to_read
from agent.adapters.ledger.salvaged import settled_by_all
from agent.adapters.ledger.sql import SQL, Row, rows, value
from agent.core.decision import REPLAY_KEEP_UNDATED_MS
from agent.core.delivery import StoredRecord
from agent.core.transaction import Kind, link, record_of

log = logging.getLogger(__name__)

STATE_PREFIX = "salvage."  # state row: salvage.FILE = "undelivered=N unreadable=N"
PROBES_MAX = 50_000  # reads of ranges; bounds the time spent on a file that is damaged all over
_RANGE_MAX = 512
_COMMIT_ROWS = 500
_RECORD_BYTES_MIN = 250  # no record is smaller: bounds the last seq where it cannot be read


@dataclass(frozen=True, slots=True)
class Salvage:
    """What was found. undelivered: rows taken over; unreadable: numbers in their range that could not be."""

    undelivered: int
    unreadable: int


def salvage(source: Path, target: apsw.Connection, uplinks: Sequence[str], is_full: Callable[[], bool]) -> Salvage:
    """Take over what can be read of `source` into the new ledger. Raises apsw.Error for trouble with the target.

    Of several files the newest comes first: its floors are the highest, and it knows what was settled of older ones.
    is_full: asked before each commit of records; then apsw.FullError is raised, and the rest is taken over next time.
    """
    found = Salvage(0, 0)
    try:
        old = connect_to_read(source)
    except apsw.Error:
        old = None
    if old is not None:
        try:
            old.pragma("writable_schema", True)  # lets SQLite read a file that is shorter than its header says
            _take_over_values(old, source.name, target)
            found = _take_over_records(old, source, target, uplinks, is_full)
        finally:
            old.close(True)
    _in_one_commit(
        target,
        SQL["put_state"],
        [(STATE_PREFIX + source.name, f"undelivered={found.undelivered} unreadable={found.unreadable}")],
    )
    log.error(
        "a ledger was set aside: its undelivered records are kept and will be sent",
        extra={"file": source.name, "undelivered": found.undelivered, "unreadable": found.unreadable},
    )
    return found


def _take_over_values(old: apsw.Connection, name: str, target: apsw.Connection) -> None:
    """Take over one-time codes, floors, and what is known of which record was settled or rejected where."""
    _in_one_commit(target, SQL["insert_replay"], [(r, 0, until) for r, until in _readable(old, "replays")])
    states = [(key, kept) for key, kept in _readable(old, "states") if not key.startswith(STATE_PREFIX)]
    _in_one_commit(target, SQL["adopt_state"], states)
    cursors = [(uplink, name, seq) for uplink, seq in _readable(old, "cursors")]
    _in_one_commit(target, SQL["put_salvaged_cursor"], cursors + _readable(old, "salvaged_cursors"))
    parked = [(uplink, name, seq, reason, 0) for uplink, seq, reason, _ in _readable(old, "parked")]
    parked += [(uplink, name, seq, "", 1) for uplink, seq in _readable(old, "resends")]
    _in_one_commit(target, SQL["adopt_salvaged_parked"], parked + _readable(old, "salvaged_parked"))


def _take_over_records(
    old: apsw.Connection, source: Path, target: apsw.Connection, uplinks: Sequence[str], is_full: Callable[[], bool]
) -> Salvage:
    after = settled_by_all(target, uplinks, source.name)
    parked = [seq for (seq,) in rows(target, "salvaged_parked_of", (source.name,)) if seq <= after]
    first = max(after + 1, _first_seq(old))
    last = _last_seq(old, source, after)
    count, reached = 0, first - 1
    for part in _parts(_whole_records(old, [*((seq, seq) for seq in parked), *_ranges(first, last)])):
        if is_full():
            raise apsw.FullError("the ledger's budget is used up")
        _in_one_commit(target, SQL["salvage_record"], [(source.name, r.seq, r.hash, r.envelope) for r in part])
        _in_one_commit(target, SQL["insert_replay"], [claim for r in part if (claim := _claim_of(r)) is not None])
        count += sum(r.seq >= first for r in part)
        reached = max(reached, part[-1].seq)
    return Salvage(count, reached - first + 1 - count)


def _parts(records: Iterable[StoredRecord]) -> Iterator[list[StoredRecord]]:
    """Cut into what goes into one commit, so that a long backlog is never in memory at once."""
    part = list[StoredRecord]()
    for record in records:
        part.append(record)
        if len(part) == _COMMIT_ROWS:
            yield part
            part = []
    if part:
        yield part


def _whole_records(old: apsw.Connection, ranges: list[tuple[int, int]]) -> Iterator[StoredRecord]:
    return (row for row in _records(old, ranges) if _is_whole(row))


def _readable(old: apsw.Connection, name: str) -> list[Row]:
    """Return the rows of a small table up to the first that cannot be read."""
    found = list[Row]()
    try:
        for row in old.execute(SQL[name]):
            found.append(row)
    except apsw.Error:
        log.warning("a table of the ledger set aside is not whole", extra={"table": name})
    return found


def _first_seq(old: apsw.Connection) -> int:
    try:
        first = rows(old, "records_after", (0, 1))
    except apsw.Error:
        return 1
    return int(first[0][0]) if first else 1


def _last_seq(old: apsw.Connection, source: Path, after: int) -> int:
    try:
        return int(value(old, "head_seq"))
    except apsw.Error:
        log_file = source.with_name(f"{source.name}-wal")
        size = source.stat().st_size + (log_file.stat().st_size if log_file.exists() else 0)
        return after + size // _RECORD_BYTES_MIN


def _ranges(first: int, last: int) -> Iterator[tuple[int, int]]:
    return ((low, min(low + _RANGE_MAX - 1, last)) for low in range(first, last + 1, _RANGE_MAX))


def _records(old: apsw.Connection, ranges: list[tuple[int, int]]) -> Iterator[StoredRecord]:
    """Yield what can be read in the ranges, in order, halving each that cannot be read as a whole."""
    left = ranges[::-1]
    for _ in range(PROBES_MAX):
        if not left:
            return
        low, high = left.pop()
        try:
            found = rows(old, "records_between", (low, high))
        except apsw.Error:
            if low < high:
                middle = (low + high) // 2
                left += [(middle + 1, high), (low, middle)]
            continue
        yield from (StoredRecord(seq, envelope, hash_) for seq, envelope, hash_ in found)
    if left:
        log.error("the ledger set aside is damaged all over: it was not read to its end")


def _is_whole(row: StoredRecord) -> bool:
    """Hold a row against its own hash: the envelope names the link before it."""
    try:
        record = record_of(row.envelope)
    except ValueError:
        return False
    ledger_id, previous = record.get(2), record.get(4)
    if not isinstance(ledger_id, bytes) or not isinstance(previous, bytes) or record.get(3) != row.seq:
        return False
    return link(previous, row.seq, row.envelope) == row.hash


def _claim_of(row: StoredRecord) -> Row | None:
    """Return the one-time code a record used up, for the replay table: the record does not say how long to keep it."""
    record = record_of(row.envelope)
    stamp = record.get(6)
    if record.get(5) != Kind.DECISION or 18 not in record or not isinstance(stamp, list) or len(stamp) != 5:
        return None
    return record[18], 0, (stamp[3] or stamp[2]) + REPLAY_KEEP_UNDATED_MS


def _in_one_commit(target: apsw.Connection, statement: str, changes: Sequence[Row]) -> None:
    if not changes:
        return
    with target:
        target.executemany(statement, changes)
