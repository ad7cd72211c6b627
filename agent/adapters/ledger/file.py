"""The ledger file: one synchronous owner of one SQLite file. Everything about when a record exists is decided here.

The law: seq and prev are given, fields sealed and records signed inside the SQL commit; what memory holds of the chain
moves only after that commit returned, so whatever fails leaves it where it was. After an I/O error nothing is known and
nothing more is done with the file: an fsync is never tried again. Threads are left to owner.py.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import apsw

from agent.adapters.ledger import cursors, pruning, salvaged
from agent.adapters.ledger.ballast import Ballast
from agent.adapters.ledger.connection import WriterLock
from agent.adapters.ledger.guard import Guard
from agent.adapters.ledger.opening import (
    Opened,
    files_set_aside,
    name_aside,
    open_or_create,
    set_aside,
    translate,
)
from agent.adapters.ledger.room import Room
from agent.adapters.ledger.salvage import STATE_PREFIX, salvage
from agent.adapters.ledger.settings import PAGE_BYTES, Settings
from agent.adapters.ledger.sql import SQL, rows, value
from agent.adapters.ledger.write_ahead_log import WriteAheadLog
from agent.core.decision import History
from agent.core.delivery import BATCH_RECORDS_MAX, SalvagedRun, StoredRecord
from agent.core.time_interval import Interval
from agent.core.transaction import (
    Chain,
    DataKey,
    Draft,
    Recipient,
    Signer,
    Transaction,
    draft_data_key,
    empty_chain,
    extend,
    seal,
    sign_head,
)
from agent.ports import LedgerBroken, LedgerFull, LedgerOvertaken, LedgerRefused, LedgerUnusable, Randomness

log = logging.getLogger(__name__)

FOLLOWS_PREFIX = "follows."  # state row: follows.LEDGER-ID = "seq=N hash=H": the head at the platform that overtook it
_NONCE_BYTES = 12
_COMMIT_TRIES_MAX = 3  # with more room each time, where there is any to make

DataKeyMaker = Callable[[Sequence[Recipient], bytes, Randomness], DataKey]
"""(recipients, ledger id, randomness) -> a new data key wrapped for each."""

StateValue = int | str | bytes
_T = TypeVar("_T")


class LedgerFile:
    """The open ledger. Not for two threads at once, and never for two processes: `open` takes the lock."""

    def __init__(
        self,
        path: Path,
        opened: Opened,
        lock: WriterLock,
        ballast: Ballast,
        *,
        vfs: str | None,
        signer: Signer,
        new_data_key: DataKeyMaker,
        randomness: Randomness,
        uplinks: Sequence[str],
        settings: Settings,
    ) -> None:
        self._path = path
        self._vfs = vfs
        self._lock = lock
        self._ballast = ballast
        self._signer = signer
        self._new_data_key = new_data_key
        self._randomness = randomness
        self._uplinks = tuple(uplinks)
        self._settings = settings
        self._use(opened)

    def _use(self, opened: Opened) -> None:
        self._connection = opened.connection
        self._chain = opened.chain
        self._data_key: DataKey | None = None
        self._log = WriteAheadLog(opened.connection)
        self._guarded = Guard(opened.connection, self._log, self._ballast)
        self._room = Room(
            opened.connection,
            self._log,
            self._guarded,
            self._ballast,
            uplinks=self._uplinks,
            pages_max=self._settings.bytes_max // PAGE_BYTES,
        )

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        terminal: str,
        signer: Signer,
        new_data_key: DataKeyMaker,
        randomness: Randomness,
        uplinks: Sequence[str],
        settings: Settings | None = None,
        vfs: str | None = None,
    ) -> "LedgerFile":
        """Open the ledger, made where there is none; a damaged one is set aside and what can be read taken over.

        uplinks: the names of all platforms this terminal delivers to: nothing leaves the file before all have it.
        Raises LedgerUnusable, LedgerFull, LedgerBroken.
        """
        settings = settings or Settings()
        lock = WriterLock(path)
        opened: Opened | None = None
        try:
            ballast = Ballast(path.with_name(f"{path.name}.ballast"), settings.ballast_bytes)
            opened = open_or_create(path, terminal, randomness, ballast, vfs=vfs)
            if not ballast.hold():
                log.error("the disk is full: nothing new is accepted", extra={"ballast_bytes": settings.ballast_bytes})
            ledger = cls(
                path,
                opened,
                lock,
                ballast,
                vfs=vfs,
                signer=signer,
                new_data_key=new_data_key,
                randomness=randomness,
                uplinks=uplinks,
                settings=settings,
            )
            ledger.take_over()
        except BaseException as error:
            if opened is not None:
                opened.connection.close(True)
            lock.release()
            if isinstance(error, apsw.Error):
                raise translate(error, path) from error
            raise
        return ledger

    def take_over(self) -> None:
        """Salvage what can be read of files that were set aside, each once, as far as there is space now."""
        for aside in reversed(files_set_aside(self._path)):
            if self.state(STATE_PREFIX + aside.name) is None:
                try:
                    with self._guarded():
                        salvage(aside, self._connection, self._uplinks, self._is_full)
                except LedgerFull:
                    log.error("no space yet to take over all of a ledger set aside", extra={"file": aside.name})
                    return

    def begin_anew(self, overtaken: LedgerOvertaken) -> None:
        """Set this ledger aside and go on in a new one, under the same lock (ports.Ledger)."""
        name_aside(self._path)
        chain = self._chain
        follows = (FOLLOWS_PREFIX + chain.ledger_id.hex(), f"seq={overtaken.seq} hash={overtaken.hash.hex()}")
        try:
            self.put_state(*follows)  # before anything moves: salvage takes it over, also after a power cut
        except LedgerFull:
            log.warning("no space to note what the next ledger follows")
        self.checkpoint(is_forced=True)
        self._guarded.is_dead = True
        try:
            self._connection.close(True)
            aside = set_aside(self._path)
            opened = open_or_create(self._path, chain.terminal, self._randomness, self._ballast, vfs=self._vfs)
            self._use(opened)
        except (apsw.Error, OSError, LedgerUnusable, LedgerFull, LedgerBroken) as error:
            raise LedgerBroken(f"no new ledger could be begun: {type(error).__name__}") from error
        log.error("the ledger was overtaken and set aside", extra={"file": aside.name, "platform_seq": overtaken.seq})
        self.take_over()

    @property
    def chain(self) -> Chain:
        """Where the ledger durably stands."""
        return self._chain

    def commit(self, drafts: Sequence[Draft]) -> list[Transaction | LedgerRefused | LedgerFull | LedgerBroken]:
        """Store all drafts in one SQL commit; return for each its transaction, or why it was not stored.

        One that is refused (its one-time code is used) does not touch the others.
        """
        try:
            is_enough = self._room.is_enough()
            for _ in range(_COMMIT_TRIES_MAX):
                if not is_enough and not self._room.make(self._chain.seq):
                    break
                try:
                    with self._guarded():
                        return list(self._commit(drafts))
                except LedgerFull:
                    is_enough = False
            raise LedgerFull("no space for new records")
        except (LedgerFull, LedgerBroken) as error:
            return [type(error)(*error.args) for _ in drafts]

    def signed_head(self) -> bytes:
        """Return the signed head of the whole ledger."""
        return sign_head(self._chain, self._signer)

    def sign_head_of(self, record: StoredRecord, ledger_id: bytes | None = None) -> bytes:
        """Return the signed head, as of that record, of the ledger, or of an earlier one of this terminal."""
        ledger_id = ledger_id or self._chain.ledger_id
        return sign_head(Chain(self._chain.terminal, ledger_id, record.seq, record.hash), self._signer)

    def hash_at(self, seq: int) -> bytes | None:
        """Return h(seq), or None where no such record is kept."""
        if seq == 0:
            return empty_chain(self._chain.terminal, self._chain.ledger_id).hash
        with self._guarded():
            if seq > self._chain.seq:  # whatever number a platform says: SQLite's end at 2^63
                return None
            found: bytes | None = value(self._connection, "hash_at", (seq,))
            return found

    def first_seq(self) -> int:
        """Return the seq behind the last one pruned: from there on nothing is missing; 1 in a ledger never pruned."""
        with self._guarded():
            return pruning.first_seq(self._connection)

    def cursor(self, uplink: str) -> int:
        """Return the last seq settled with that uplink; 0 at first."""
        with self._guarded():
            return int(value(self._connection, "cursor", (uplink,)) or 0)

    def read(self, after: int, *, records_max: int, bytes_max: int) -> list[StoredRecord]:
        """Return the records behind seq `after` in order, within both limits (at least one, if there is one)."""
        with self._guarded():
            records, size = list[StoredRecord](), 0
            after = min(after, self._chain.seq)
            for seq, envelope, hash_ in rows(self._connection, "records_after", (after, records_max)):
                size += len(envelope)
                if records and size > bytes_max:
                    break
                records.append(StoredRecord(seq, envelope, hash_))
            return records

    def resend(self, uplink: str) -> list[StoredRecord]:
        """Return the parked records a person wants sent again (`scanward queue retry`), at most 200."""
        with self._guarded():
            found = rows(self._connection, "resend", (uplink, BATCH_RECORDS_MAX))
            return [StoredRecord(seq, envelope, hash_) for seq, envelope, hash_ in found]

    def settle(self, uplink: str, cursor: int, parked: Sequence[tuple[int, str]], resent: Sequence[int] = ()) -> None:
        """Move a cursor and park records, in one commit. Raises ValueError for numbers this ledger has not given yet.

        What was parked and is passed by the cursor once more, without being parked again, is settled.
        On a full disk the cursor stays where it was: what was settled is sent again after a restart, which the platform
        answers with "duplicate". Nothing is lost by it, so it is no error.
        """
        if not 0 <= cursor <= self._chain.seq:
            raise ValueError(f"a cursor of {cursor} in a ledger of {self._chain.seq} records")
        if not all(1 <= seq <= self._chain.seq for seq in (*(seq for seq, _ in parked), *resent)):
            raise ValueError(f"a record is parked or answered that a ledger of {self._chain.seq} records has not")
        for is_last in (False, True):  # the first try may cost the ballast, and so make room for the second
            try:
                with self._guarded():
                    cursors.settle(self._connection, self._uplinks, uplink, cursor, parked, resent)
                break
            except LedgerFull:
                if is_last:
                    log.warning("no space to store a cursor: records may be sent again", extra={"uplink": uplink})
                    return
        if not self._ballast.is_held:
            self.checkpoint(is_forced=True)

    def salvaged(self, uplink: str, *, records_max: int, bytes_max: int) -> SalvagedRun | None:
        """Return the next records of ledgers set aside that the uplink has not settled (ports.Ledger)."""
        with self._guarded():
            return salvaged.next_run(self._connection, uplink, records_max=records_max, bytes_max=bytes_max)

    def settle_salvaged(self, uplink: str, run: SalvagedRun, parked: Sequence[tuple[int, str]]) -> None:
        """Move the uplink's cursor behind the run, park what it rejected, delete what all have. Raises LedgerFull."""
        with self._guarded():
            salvaged.settle(self._connection, self._uplinks, uplink, run, parked)

    def history(self, now: Interval) -> History:
        """Return what this terminal has used up and may not do again."""
        with self._guarded():
            return cursors.history(self._connection, self._uplinks, now)

    def state(self, key: str) -> StateValue | None:
        """Return what was kept under a key, e.g. a floor; None where nothing was."""
        with self._guarded():
            kept: StateValue | None = value(self._connection, "state", (key,))
            return kept

    def put_state(self, key: str, value: StateValue) -> None:
        """Keep a value durably under a key. Raises LedgerFull."""
        with self._guarded():
            self._connection.execute(SQL["put_state"], (key, value))

    def prune(self, now: Interval) -> int:
        """Delete a small range of what is past its time, for certain; return how many rows, 0 when there is no more.

        now: the caller must pass an interval whose lower end is backed by signed time, never the word of this machine's
        clock alone: one that runs ahead would forget one-time codes that are still accepted, and records too early.
        Nothing else deletes by time. Only the lower end counts; the upper may be unbounded. Also takes over what there
        was no space for before.
        """
        self.take_over()
        try:
            with self._guarded():
                count = pruning.prune(
                    self._connection,
                    now,
                    settled_seq=cursors.settled_by_all(self._connection, self._uplinks),
                    head_seq=self._chain.seq,
                    keep_days=self._settings.keep_delivered_days,
                )
            self._room.look()
            return count
        except LedgerFull:
            return 0

    def on_connection(self, work: Callable[[apsw.Connection], _T]) -> _T:
        """Do other work of this folder on the open file. Raises LedgerFull, LedgerBroken."""
        with self._guarded():
            return work(self._connection)

    @property
    def is_checkpoint_due(self) -> bool:
        """Say whether an idle gap is worth a checkpoint."""
        return self._log.is_due and not self._guarded.is_dead

    @property
    def is_checkpoint_overdue(self) -> bool:
        """Say whether the log must be cut, idle gap or not."""
        return self._log.is_overdue and not self._guarded.is_dead

    def checkpoint(self, *, is_forced: bool = False) -> None:
        """Move the log into the file: without waiting for anyone, or cutting the log where it has grown long."""
        is_cut = is_forced or self.is_checkpoint_overdue
        try:
            with self._guarded():
                self._log.move(is_cut=is_cut)
        except LedgerFull:
            log.warning("no space to shorten the ledger's log")

    def close(self) -> None:
        """Close the file; a sound one is left without a log."""
        try:
            if not self._guarded.is_dead:
                self.checkpoint(is_forced=True)
        finally:
            self._guarded.is_dead = True
            self._connection.close(True)
            self._lock.release()

    def _commit(self, drafts: Sequence[Draft]) -> list[Transaction | LedgerRefused]:
        chain, key = self._chain, self._data_key
        outcomes = list[Transaction | LedgerRefused]()
        run = self._connection.execute
        run(SQL["begin"])
        for draft in drafts:
            is_sealed = draft.sealed_fields is not None and bool(draft.recipients)
            if is_sealed and (key is None or not _is_for(key, draft.recipients)):
                key = self._new_data_key(draft.recipients, chain.ledger_id, self._randomness)
                chain = self._insert(chain, draft_data_key(draft.at, key), None)
            if draft.claim is not None:
                # The one thing that can be wrong with a single record is asked before anything of it is written.
                run(SQL["insert_replay"], (draft.claim.replay_id, chain.seq + 1, draft.claim.keep_until_ms))
                if self._connection.changes() == 0:
                    outcomes.append(LedgerRefused("its one-time code is already used"))
                    continue
            chain = self._insert(chain, draft, key if is_sealed else None)
            if draft.provisional:
                run(SQL["insert_provisional"], (chain.seq,))
            outcomes.append(Transaction(chain.ledger_id, chain.seq, chain.hash))
        run(SQL["commit"])
        self._chain, self._data_key = chain, key
        return outcomes

    def _insert(self, chain: Chain, draft: Draft, key: DataKey | None) -> Chain:
        sealed = None if key is None else seal(draft, chain, key, self._randomness.bytes(_NONCE_BYTES))
        envelope, chain = extend(chain, draft, sealed, self._signer)
        row = (chain.seq, int(draft.kind), draft.at.now.latest_ms, chain.hash, envelope)
        self._connection.execute(SQL["insert_record"], row)
        return chain

    def _is_full(self) -> bool:
        """Say whether the budget is used up, by what is not delivered."""
        return self._room.is_over_budget() and not self._room.make(self._chain.seq)


def _is_for(key: DataKey, recipients: Sequence[Recipient]) -> bool:
    return [key_id for key_id, _ in key.wraps] == [recipient.key_id for recipient in recipients]
