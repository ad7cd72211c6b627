"""The jobs of the writer: store a batch, answer a hello. Each runs inside one commit, and may be one of several in it.

Jobs about one terminal never run at the same time; two terminals with one code may, on a database with several workers.
What is decided is decided in ingest.py; here it is read and written. Also the questions about gaps.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from platform_stub.ingest import FORK, Alert, Fork, Held, Identity, Judge, Row, advance
from platform_stub.registry import Terminal
from platform_stub.storage import statements
from platform_stub.storage.database import Contended, Database, Transaction
from platform_stub.wire.chain import CheckedBatch, hash_of_nothing
from platform_stub.wire.message import Hello
from platform_stub.wire.receipt import ContiguousHead, Result, Status

RESTORED = "ledger.restored"
PLATFORM_BEHIND = "platform.behind"
WALK_ROWS_MAX = 500
GAPS_MAX = 100


@dataclass(frozen=True, slots=True)
class Stored:
    """What a batch led to, to be said in its receipt."""

    results: tuple[Result, ...]
    head: ContiguousHead


@dataclass(frozen=True, slots=True)
class _Ledger:
    """The row of one ledger."""

    head: ContiguousHead
    max_seq: int
    known_seq: int
    known_hash: bytes


async def store_batch(db: Transaction, checked: CheckedBatch, at_ms: int) -> Stored:
    """Judge and store a checked batch."""
    batch = checked.batch
    ledger = await _ledger_of(db, batch.terminal, batch.ledger_id)
    held = await _held(db, checked, ledger)
    judged = Judge(checked, ledger.head, held, await _used(db, checked)).judge()

    new = [_columns(checked, row, at_ms) for row in judged.rows if row.instead_of is None]
    again = [(*_columns(checked, row, at_ms), row.instead_of) for row in judged.rows if row.instead_of is not None]
    if new and await db.executemany(statements.INSERT_RECORD, new) < len(new):
        raise Contended("another worker stored a record or used a code of this batch meanwhile")
    if again:
        await db.executemany(statements.REPLACE_RECORD, again)
    await _note(db, batch.terminal, batch.ledger_id, judged.forks, judged.alerts, at_ms)

    on_the_line = {(row.item.seq, row.item.hash) for row in judged.rows if not row.forked}
    on_the_line |= {(row.seq, row.hash) for row in held if not row.forked}
    links = [(i.seq, i.hash, i.prev) for i in checked.items if (i.seq, i.hash) in on_the_line]
    head = advance(ledger.head, links)
    if head.seq < ledger.max_seq and head != ledger.head:
        head = await _walk(db, batch.terminal, batch.ledger_id, head)
    max_seq = max([ledger.max_seq, *(row.item.seq for row in judged.rows)])
    ledger = replace(_knowing(ledger, batch.head.seq, batch.head.hash), head=head, max_seq=max_seq)
    await _write_ledger(db, batch.terminal, batch.ledger_id, ledger, at_ms)
    await db.execute(statements.SEEN_TERMINAL, (at_ms, batch.terminal))
    return Stored(tuple(judged.results), head)


async def store_hello(db: Transaction, hello: Hello, at_ms: int) -> ContiguousHead:
    """Take note of a terminal's head, raise the alerts it gives cause for, and return the platform's head."""
    ledger = await _ledger_of(db, hello.terminal, hello.ledger_id)
    subject = Identity(hello.terminal, hello.ledger_id, hello.head.seq, hello.head.hash)
    ours = Identity(hello.terminal, hello.ledger_id, ledger.head.seq, ledger.head.hash)
    alerts, forks = [], []
    if hello.head.seq < ledger.max_seq:
        alerts.append(Alert(RESTORED, subject, replace(ours, seq=ledger.max_seq, hash=b"")))
    if hello.receipted_seq > ledger.head.seq:
        alerts.append(Alert(PLATFORM_BEHIND, replace(subject, seq=hello.receipted_seq, hash=b""), ours))
    rows = await db.rows(statements.HASH_AT, (hello.terminal, hello.ledger_id, hello.head.seq))
    if rows and rows[0][0] != hello.head.hash:
        alerts.append(Alert(FORK, subject, replace(subject, hash=rows[0][0])))
        forks.append(Fork(hello.head.seq, rows[0][0], hello.head.hash))
    await _note(db, hello.terminal, hello.ledger_id, forks, alerts, at_ms)
    ledger = _knowing(ledger, hello.head.seq, hello.head.hash)
    await _write_ledger(db, hello.terminal, hello.ledger_id, ledger, at_ms)
    await db.execute(statements.SEEN_SOFTWARE, (at_ms, hello.software, hello.terminal))
    return ledger.head


async def store_terminals(db: Transaction, terminals: Iterable[Terminal], at_ms: int) -> None:
    """Write registered terminals down."""
    rows = [(t.id, t.site, t.kid, t.alg, t.spki, at_ms) for t in terminals]
    await db.executemany(statements.UPSERT_TERMINAL, rows)


async def hash_at(database: Database, terminal: str, ledger_id: bytes, seq: int) -> bytes | None:
    """Return h(seq) where the platform holds it."""
    rows = await database.read(statements.HASH_AT, (terminal, ledger_id, seq))
    return rows[0][0] if rows else None


async def gaps(database: Database, terminal: str, ledger_id: bytes) -> list[tuple[int, int]]:
    """Return the runs of missing seq (first, last) behind the contiguous head, at most GAPS_MAX of them."""
    rows = await database.read(statements.GAPS, (terminal, ledger_id, GAPS_MAX))
    return [(row[0], row[1]) for row in rows]


async def _ledger_of(db: Transaction, terminal: str, ledger_id: bytes) -> _Ledger:
    rows = await db.rows(statements.LEDGER, (terminal, ledger_id))
    if not rows:
        nothing = hash_of_nothing(ledger_id)
        return _Ledger(ContiguousHead(0, nothing), 0, 0, nothing)
    head_seq, head_hash, max_seq, known_seq, known_hash = rows[0]
    return _Ledger(ContiguousHead(head_seq, head_hash), max_seq, known_seq, known_hash)


def _knowing(ledger: _Ledger, seq: int, hash_: bytes) -> _Ledger:
    """Take note of a signed head, where it is the highest so far."""
    return replace(ledger, known_seq=seq, known_hash=hash_) if seq > ledger.known_seq else ledger


async def _write_ledger(db: Transaction, terminal: str, ledger_id: bytes, ledger: _Ledger, at_ms: int) -> None:
    head = (ledger.head.seq, ledger.head.hash)
    row = (terminal, ledger_id, *head, ledger.max_seq, ledger.known_seq, ledger.known_hash, at_ms)
    await db.execute(statements.UPSERT_LEDGER, row)


async def _held(db: Transaction, checked: CheckedBatch, ledger: _Ledger) -> list[Held]:
    """Read the rows the batch could repeat or contradict; none where it goes on exactly from the end."""
    first, last = checked.items[0].seq, checked.items[-1].seq
    if first == ledger.head.seq + 1 and ledger.max_seq == ledger.head.seq:
        return []
    batch = checked.batch
    span = (batch.terminal, batch.ledger_id, first - 1, min(last + 1, 2**63 - 1))
    rows = await db.rows(statements.HELD, span)
    return [Held(r[0], r[1], r[2], r[3], Status(r[4]), r[5], bool(r[6])) for r in rows]


async def _used(db: Transaction, checked: CheckedBatch) -> dict[bytes, Identity]:
    ids = {item.record.replay_id for item in checked.items if item.record is not None and item.record.replay_id}
    if not ids:
        return {}
    asked = [*ids, *[next(iter(ids))] * (2 ** (len(ids) - 1).bit_length() - len(ids))]  # few lengths: few statements
    rows = await db.rows(statements.uses_of(len(asked)), asked)
    return {row[0]: Identity(row[1], row[2], row[3], row[4]) for row in rows}


async def _walk(db: Transaction, terminal: str, ledger_id: bytes, head: ContiguousHead) -> ContiguousHead:
    """Follow what was stored earlier, out of order, on from a head that just reached it."""
    while True:
        span = (terminal, ledger_id, head.seq, WALK_ROWS_MAX)
        rows = [(r[0], r[1], r[2]) for r in await db.rows(statements.BEHIND_HEAD, span)]
        further = advance(head, rows)
        if further.seq < head.seq + WALK_ROWS_MAX:
            return further
        head = further


def _columns(checked: CheckedBatch, row: Row, at_ms: int) -> tuple[object, ...]:
    item = row.item
    f = item.record.fields if item.record is not None else {}
    read = (5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 23, 7)  # kind, step, answer ... in the order of the columns
    identity = (checked.batch.terminal, checked.batch.ledger_id, item.seq, item.hash, item.prev)
    status = (int(row.status), row.reason, int(row.forked))
    return (*identity, *map(f.get, read), *status, item.envelope, at_ms)


async def _note(
    db: Transaction, terminal: str, ledger_id: bytes, forks: list[Fork], alerts: list[Alert], at_ms: int
) -> None:
    if forks:
        found = [(terminal, ledger_id, f.seq, f.held_hash, f.other_hash, at_ms) for f in forks]
        await db.executemany(statements.INSERT_FORK, found)
    if alerts:
        await db.executemany(statements.INSERT_ALERT, [_alert_columns(alert, at_ms) for alert in alerts])


def _alert_columns(alert: Alert, at_ms: int) -> tuple[object, ...]:
    subject, other = alert.subject, alert.other or Identity("", b"", 0, b"")
    return (
        alert.kind,
        *(subject.terminal, subject.ledger_id, subject.seq, subject.hash),
        *(other.terminal, other.ledger_id, other.seq, other.hash),
        at_ms,
    )
