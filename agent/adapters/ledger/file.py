"""The ledger file: one synchronous owner of one SQLite file. Everything about when a record exists is decided here.

The law: seq and prev are given, fields sealed and records signed inside the SQL commit; what memory holds of the chain
moves only after that commit returned, so whatever fails leaves it where it was. After an I/O error nothing is known and
nothing more is done with the file: an fsync is never tried again. Threads are left to owner.py.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from agent.adapters.ledger.ballast import Ballast
from agent.adapters.ledger.connection import OWNER_BUSY_MS, WriterLock
from agent.adapters.ledger.opening import files_set_aside, open_or_create
from agent.adapters.ledger.salvage import STATE_PREFIX, salvage
from agent.adapters.ledger.settings import PAGE_BYTES, Settings
from agent.adapters.ledger.sql import SQL, rows, value
from agent.core.decision import History
from agent.core.delivery import BATCH_RECORDS_MAX, StoredRecord
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
from agent.ports import LedgerBroken, LedgerFull, LedgerRefused, Randomness

log = logging.getLogger(__name__)

PRUNE_ROWS_MAX = 500  # in one commit, so that no scan waits long behind it
PARK_REASON_CHARS_MAX = 200
CHECKPOINT_PAGES_MIN = 1_000  # an idle gap is used once this much waits in the log (4 MB)
CHECKPOINT_PAGES_MAX = 4_096  # beyond this (16 MB) the log is cut, idle gap or not
FREE_PAGES_KEPT = 256  # what pruning frees beyond this goes back to the disk
_CHECKPOINT_BUSY_MS = 100  # how long cutting the log may wait for a reader
_RESERVED_PAGES = 512  # beyond the byte budget: cursors and parked records still fit when new records do not
_DAY_MS = 86_400_000
_NONCE_BYTES = 12

DataKeyMaker = Callable[[Sequence[Recipient], bytes, Randomness], DataKey]
"""(recipients, ledger id, randomness) -> a new data key wrapped for each."""

StateValue = int | str | bytes


class LedgerFile:
    """The open ledger. Not for two threads at once, and never for two processes: `open` takes the lock."""

    def __init__(
        self,
        connection: apsw.Connection,
        chain: Chain,
        lock: WriterLock,
        ballast: Ballast,
        *,
        signer: Signer,
        new_data_key: DataKeyMaker,
        randomness: Randomness,
        uplinks: Sequence[str],
        settings: Settings,
    ) -> None:
        self._connection = connection
        self._chain = chain
        self._lock = lock
        self._ballast = ballast
        self._signer = signer
        self._new_data_key = new_data_key
        self._randomness = randomness
        self._uplinks = tuple(uplinks)
        self._settings = settings
        self._pages_max = settings.bytes_max // PAGE_BYTES
        self._data_key: DataKey | None = None
        self._log_pages = 0
        self._is_dead = False
        connection.pragma("max_page_count", self._pages_max + _RESERVED_PAGES)
        connection.set_wal_hook(self._count_log_pages)

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
        connection: apsw.Connection | None = None
        try:
            opened = open_or_create(path, terminal, randomness, vfs=vfs)
            connection = opened.connection
            ballast = Ballast(path.with_name(f"{path.name}.ballast"), settings.ballast_bytes)
            if not ballast.hold():
                log.error("the disk is full: nothing new is accepted", extra={"ballast_bytes": settings.ballast_bytes})
            ledger = cls(
                connection,
                opened.chain,
                lock,
                ballast,
                signer=signer,
                new_data_key=new_data_key,
                randomness=randomness,
                uplinks=uplinks,
                settings=settings,
            )
            ledger.take_over(files_set_aside(path))
        except BaseException as error:
            if connection is not None:
                connection.close(True)
            lock.release()
            if isinstance(error, apsw.FullError):
                raise LedgerFull("no space to open the ledger") from error
            if isinstance(error, apsw.Error):
                raise LedgerBroken(f"the ledger cannot be opened: {type(error).__name__}") from error
            raise
        return ledger

    def take_over(self, asides: Sequence[Path]) -> None:
        """Salvage what can be read of files that were set aside, each once."""
        for aside in asides:
            if self.state(STATE_PREFIX + aside.name) is None:
                try:
                    salvage(aside, self._connection, self._uplinks)
                except apsw.FullError:
                    log.error("no space to take over the ledger set aside", extra={"file": aside.name})

    @property
    def chain(self) -> Chain:
        """Where the ledger durably stands."""
        return self._chain

    def commit(self, drafts: Sequence[Draft]) -> list[Transaction | LedgerRefused | LedgerFull | LedgerBroken]:
        """Store all drafts in one SQL commit; return for each its transaction, or why it was not stored.

        One that is refused (its one-time code is used) does not touch the others.
        """
        try:
            with self._guarded():
                if not self._ballast.hold() or self._is_over_budget():
                    raise LedgerFull("no space for new records")
                return list(self._commit(drafts))
        except (LedgerFull, LedgerBroken) as error:
            return [type(error)(*error.args) for _ in drafts]

    def signed_head(self) -> bytes:
        """Return the signed head of the whole ledger."""
        return sign_head(self._chain, self._signer)

    def sign_head_of(self, record: StoredRecord) -> bytes:
        """Return the signed head of the ledger as of that record."""
        return sign_head(Chain(self._chain.terminal, self._chain.ledger_id, record.seq, record.hash), self._signer)

    def hash_at(self, seq: int) -> bytes | None:
        """Return h(seq), or None where no such record is kept."""
        if seq == 0:
            return empty_chain(self._chain.terminal, self._chain.ledger_id).hash
        with self._guarded():
            found: bytes | None = value(self._connection, "hash_at", (seq,))
            return found

    def cursor(self, uplink: str) -> int:
        """Return the last seq settled with that uplink; 0 at first."""
        with self._guarded():
            return int(value(self._connection, "cursor", (uplink,)) or 0)

    def read(self, after: int, *, records_max: int, bytes_max: int) -> list[StoredRecord]:
        """Return the records behind seq `after` in order, within both limits (at least one, if there is one)."""
        with self._guarded():
            records, size = list[StoredRecord](), 0
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
        """Move a cursor and park records, in one commit.

        On a full disk the cursor stays where it was: what was settled is sent again after a restart, which the platform
        answers with "duplicate". Nothing is lost by it, so it is no error.
        """
        if not 0 <= cursor <= self._chain.seq:
            raise ValueError(f"a cursor of {cursor} in a ledger of {self._chain.seq} records")
        try:
            with self._guarded():
                run = self._connection.execute
                run(SQL["begin"])
                run(SQL["put_cursor"], (uplink, cursor))
                for seq in resent:
                    run(SQL["resent"], (uplink, seq))
                for seq, reason in parked:
                    run(SQL["park"], {"uplink": uplink, "seq": seq, "reason": reason[:PARK_REASON_CHARS_MAX]})
                run(SQL["settle_provisional"], (self._settled_by_all(),))
                run(SQL["commit"])
        except LedgerFull:
            log.warning("no space to store a cursor: what was delivered may be sent again", extra={"uplink": uplink})
            return
        if not self._ballast.is_held:
            self.checkpoint(is_forced=True)

    def history(self, now: Interval) -> History:
        """Return what this terminal has used up and may not do again."""
        with self._guarded():
            claims = {
                replay_id: until
                for replay_id, until in rows(self._connection, "replays")
                if not now.is_certainly_after(until)
            }
            provisional = rows(self._connection, "provisional_behind", (self._settled_by_all(),))
            return History(claims, [seq for (seq,) in provisional])

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

        Delivered to all and kept long enough; never what is parked, never the last record, never a one-time code that
        might still be accepted.
        """
        try:
            with self._guarded():
                run = self._connection.execute
                run(SQL["begin"])
                run(SQL["expired_replays"], (now.earliest_ms, PRUNE_ROWS_MAX))
                count = self._connection.changes()
                for (seq,) in rows(self._connection, "delivered_prefix", (self._old_enough(now), PRUNE_ROWS_MAX)):
                    run(SQL["delete_record"], (seq,))
                    count += 1
                run(SQL["commit"])
                if value(self._connection, "freelist_count") > FREE_PAGES_KEPT:
                    rows(self._connection, "give_pages_back")
                return count
        except LedgerFull:
            return 0

    @property
    def is_checkpoint_due(self) -> bool:
        """Say whether an idle gap is worth a checkpoint."""
        return self._log_pages >= CHECKPOINT_PAGES_MIN and not self._is_dead

    @property
    def is_checkpoint_overdue(self) -> bool:
        """Say whether the log must be cut, idle gap or not."""
        return self._log_pages > CHECKPOINT_PAGES_MAX and not self._is_dead

    def checkpoint(self, *, is_forced: bool = False) -> None:
        """Move the log into the file: without waiting for anyone, or cutting the log where it has grown long."""
        is_cut = is_forced or self.is_checkpoint_overdue
        try:
            with self._guarded():
                self._move_log(is_cut)
        except LedgerFull:
            log.warning("no space to shorten the ledger's log")

    def close(self) -> None:
        """Close the file; a sound one is left without a log."""
        try:
            if not self._is_dead:
                self.checkpoint(is_forced=True)
        finally:
            self._is_dead = True
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

    def _settled_by_all(self) -> int:
        """Return the last seq that every platform has settled; one that never answered has settled nothing."""
        cursors: dict[str, int] = dict(rows(self._connection, "cursors"))
        return min((cursors.get(uplink, 0) for uplink in self._uplinks), default=0)

    def _old_enough(self, now: Interval) -> int:
        """Return the last seq, of a small range, that is certainly past its time.

        A record without an upper bound of its time is as old as the next one that has one: it came before it.
        """
        last = min(self._settled_by_all(), self._chain.seq - 1)
        limit_ms = now.earliest_ms - self._settings.keep_delivered_days * _DAY_MS
        dated = rows(self._connection, "delivered_dated", (last, PRUNE_ROWS_MAX))
        return max((int(seq) for seq, at_ms in dated if at_ms < limit_ms), default=0)

    def _is_over_budget(self) -> bool:
        pages: int = value(self._connection, "page_count")
        if pages < self._pages_max:
            return False
        free: int = value(self._connection, "freelist_count")
        return pages - free >= self._pages_max

    def _move_log(self, is_cut: bool) -> None:
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        if is_cut:
            self._connection.set_busy_timeout(_CHECKPOINT_BUSY_MS)
            try:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.BusyError:
                log.info("a reader keeps the ledger's log from being cut")
            finally:
                self._connection.set_busy_timeout(OWNER_BUSY_MS)
        self._log_pages = 0

    def _count_log_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Translate SQLite's trouble and leave no commit open. After anything but a full disk, nothing is known."""
        if self._is_dead:
            raise LedgerBroken("the ledger failed before: it is checked at the next start")
        try:
            yield
        except apsw.FullError as error:
            self._make_room()
            raise LedgerFull("no space for new records") from error
        except apsw.Error as error:
            self._is_dead = True
            raise LedgerBroken(f"the ledger failed: {type(error).__name__}") from error
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute(SQL["rollback"])

    def _make_room(self) -> None:
        """Give the ballast up and cut the log: frames of the commit that failed must not outlive it there."""
        self._ballast.release()
        try:
            self._undo()
            self._move_log(is_cut=True)
        except apsw.FullError:
            log.warning("no space to shorten the ledger's log")
        except apsw.Error as error:
            self._is_dead = True
            raise LedgerBroken(f"the ledger failed: {type(error).__name__}") from error


def _is_for(key: DataKey, recipients: Sequence[Recipient]) -> bool:
    return [key_id for key_id, _ in key.wraps] == [recipient.key_id for recipient in recipients]
