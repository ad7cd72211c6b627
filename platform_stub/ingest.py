"""What the platform makes of a checked batch: accepted, duplicate, conflict or rejected, record by record. Pure.

The law: whatever is authentic is kept, both sides of a contradiction too; what is held already is answered as held.
The archive reads what is held and writes what is decided here, in one commit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from platform_stub.wire.chain import BAD_SIGNATURE, CheckedBatch, Item
from platform_stub.wire.receipt import ContiguousHead, Result, Status

FORK = "ledger.fork"
USED_ELSEWHERE = "replay.used-elsewhere"
CHAIN_BROKEN = "ledger.chain-broken"


@dataclass(frozen=True, slots=True)
class Held:
    """A row the platform has. forked: off the line that came first."""

    id: int
    seq: int
    hash: bytes
    prev: bytes | None
    status: Status
    reason: str
    forked: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """Which record."""

    terminal: str
    ledger_id: bytes
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Fork:
    """Two hashes for one seq of one ledger: the one held, and the one that came."""

    seq: int
    held_hash: bytes
    other_hash: bytes


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person must look at, with the record and, where there is one, the other record."""

    kind: str
    subject: Identity
    other: Identity | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row to write: a new one, or in the place of the rejected row `instead_of`."""

    item: Item
    status: Status
    reason: str
    forked: bool
    instead_of: int | None = None


@dataclass(slots=True)
class Judged:
    """Everything one batch leads to."""

    results: list[Result] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    forks: list[Fork] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)


class Judge:
    """Judges the items of one batch in order, each in the light of those before it."""

    def __init__(
        self,
        checked: CheckedBatch,
        head: ContiguousHead,
        held: Iterable[Held],
        used: dict[bytes, Identity],
    ) -> None:
        """held: the rows from first_seq - 1 to last seq + 1; used: who used the batch's replay ids up."""
        self._checked = checked
        self._held = {(row.seq, row.hash): row for row in held}
        self._line: dict[int, tuple[bytes, bytes | None]] = {head.seq: (head.hash, None)}
        self._line |= {row.seq: (row.hash, row.prev) for row in self._held.values() if not row.forked}
        self._used = dict(used)
        self._judged = Judged()

    def judge(self) -> Judged:
        """Return what the batch leads to."""
        if not self._checked.whole:
            self._judged.alerts.append(Alert(CHAIN_BROKEN, self._identity(self._checked.items[0])))
        for item in self._checked.items:
            result = self._repeat(item) or self._first_time(item)
            self._judged.results.append(result)
        return self._judged

    def _repeat(self, item: Item) -> Result | None:
        """Answer for a record that is held already as it was answered before; look again at a rejected one."""
        held = self._held.get((item.seq, item.hash))
        if held is None or (held.status is Status.REJECTED and item.fault is None):
            return None
        if held.status is Status.ACCEPTED:
            return Result(item.seq, item.hash, Status.DUPLICATE, "ok")
        return Result(item.seq, item.hash, held.status, held.reason)

    def _first_time(self, item: Item) -> Result:
        fork = self._fork_of(item) if item.proven else None
        replay_id = item.record.replay_id if item.record is not None else None
        user = self._used.get(replay_id) if replay_id is not None else None
        status, reason = Status.ACCEPTED, "ok"
        if item.fault is not None:
            status, reason = Status.REJECTED, item.fault
        elif fork is not None:
            status, reason = Status.CONFLICT, FORK
        elif user is not None:
            status, reason = Status.CONFLICT, USED_ELSEWHERE
        if status is Status.CONFLICT and self._checked.whole and not self._checked.has_own_signature(item):
            status, reason = Status.REJECTED, BAD_SIGNATURE  # a disputed record must stand on its own
        if item.proven:
            self._keep(item, status, reason, fork)
        if fork is not None and not self._judged.forks:
            other = Identity(self._checked.batch.terminal, self._checked.batch.ledger_id, fork.seq, fork.held_hash)
            self._judged.alerts.append(Alert(FORK, self._identity(item), other))
        if fork is not None:
            self._judged.forks.append(fork)
        if reason == USED_ELSEWHERE:
            self._judged.alerts.append(Alert(USED_ELSEWHERE, self._identity(item), user))
        if replay_id is not None and status is not Status.REJECTED:
            self._used.setdefault(replay_id, self._identity(item))
        return Result(item.seq, item.hash, status, reason)

    def _keep(self, item: Item, status: Status, reason: str, fork: Fork | None) -> None:
        held = self._held.get((item.seq, item.hash))
        self._judged.rows.append(Row(item, status, reason, fork is not None, held.id if held else None))
        if fork is None:
            self._line[item.seq] = (item.hash, item.prev)

    def _fork_of(self, item: Item) -> Fork | None:
        """Find what an item contradicts: another record of its number, the one before it, or the one behind it."""
        here = self._line.get(item.seq)
        if here is not None and here[0] != item.hash:
            return Fork(item.seq, here[0], item.hash)
        before = self._line.get(item.seq - 1)
        if before is not None and item.prev is not None and before[0] != item.prev:
            return Fork(item.seq - 1, before[0], item.prev)
        behind = self._line.get(item.seq + 1)
        if behind is not None and behind[1] is not None and behind[1] != item.hash:
            return Fork(item.seq, behind[1], item.hash)
        return None

    def _identity(self, item: Item) -> Identity:
        return Identity(self._checked.batch.terminal, self._checked.batch.ledger_id, item.seq, item.hash)


def advance(head: ContiguousHead, rows: Iterable[tuple[int, bytes, bytes | None]]) -> ContiguousHead:
    """Follow rows (seq, hash, prev) on from the head as far as they link without a hole."""
    for seq, hash_, prev in rows:
        if seq == head.seq + 1 and prev == head.hash:
            head = ContiguousHead(seq, hash_)
    return head
