"""The ledger port over one LedgerFile: what the tasks append while one fsync runs goes into the next commit together.

ThreadedLedger runs the file in one thread; InlineLedger, its twin for simulation, in the caller's. A waiter that is
cancelled loses its answer, never its record.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import ParamSpec, Self, TypeVar

from agent.adapters.ledger.file import LedgerFile, StateValue
from agent.adapters.ledger.parked import parked, retry
from agent.core.decision import History
from agent.core.delivery import SalvagedRun, StoredRecord
from agent.core.time_interval import Interval
from agent.core.transaction import Draft, Transaction
from agent.ports import LedgerBroken, LedgerFull, LedgerOvertaken, LedgerRefused, ParkedRecord

APPENDS_WAITING_MAX = 1_024  # further appends wait their turn to be queued
CHECKPOINT_IDLE_S = 0.2

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Outcomes = list[Transaction | LedgerRefused | LedgerFull | LedgerBroken]


class _OwnedLedger:
    """Everything but where the file's work is done. Use as `async with`: leaving it closes the file."""

    def __init__(self, file: LedgerFile, executor: Executor) -> None:
        self._file = file
        self._executor = executor
        self._head_seq = file.chain.seq
        self._waiting = list[tuple[Draft, asyncio.Future[Transaction]]]()
        self._in_flight = list[tuple[Draft, asyncio.Future[Transaction]]]()
        self._room = asyncio.Semaphore(APPENDS_WAITING_MAX)
        self._is_busy = False  # a commit or a checkpoint runs, or is about to
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()
        self._news = asyncio.Event()  # set and replaced whenever there are records, or trouble
        self._trouble: BaseException | None = None
        self.appended = 0  # records since the start
        self.commits_failed = 0
        self._idle: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def ledger_id(self) -> bytes:
        """16 bytes, made with the file."""
        return self._file.chain.ledger_id

    @property
    def head_seq(self) -> int:
        """Seq of the last durable record that waiters know of; 0 in an empty ledger."""
        return self._head_seq

    async def append(self, draft: Draft) -> Transaction:
        """Store a draft; return once it is durable. Raises LedgerFull, LedgerRefused, LedgerBroken."""
        await self._room.acquire()
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Transaction] = loop.create_future()
        self._waiting.append((draft, waiter))
        if not self._is_busy:
            self._is_busy = True
            self._is_quiet.clear()
            loop.call_soon(self._go_on, loop)  # once all who are ready to append have done so
        return await waiter

    async def signed_head(self) -> bytes:
        """Return the signed head of the whole ledger."""
        return await self._run(self._file.signed_head)

    async def sign_head_of(self, record: StoredRecord, *, ledger_id: bytes | None = None) -> bytes:
        """Return the signed head, as of that record, of the ledger, or of an earlier one of this terminal."""
        return await self._run(self._file.sign_head_of, record, ledger_id)

    async def hash_at(self, seq: int) -> bytes | None:
        """Return h(seq), or None where no such record is kept."""
        return await self._run(self._file.hash_at, seq)

    async def first_seq(self) -> int:
        """Return the seq behind the last one pruned: from there on nothing is missing; 1 in a ledger never pruned."""
        return await self._run(self._file.first_seq)

    async def cursor(self, uplink: str) -> int:
        """Return the last seq settled with that uplink; 0 at first."""
        return await self._run(self._file.cursor, uplink)

    async def read(self, after: int, *, records_max: int, bytes_max: int) -> Sequence[StoredRecord]:
        """Return the records behind seq `after` in order, within both limits (at least one, if there is one)."""
        return await self._run(self._file.read, after, records_max=records_max, bytes_max=bytes_max)

    async def settle(
        self, uplink: str, cursor: int, parked: Sequence[tuple[int, str]], *, resent: Sequence[int] = ()
    ) -> None:
        """Move the uplink's cursor, park records and take answered ones off the resend list, in one commit.

        Raises ValueError for numbers this ledger has not given yet.
        """
        await self._run(self._file.settle, uplink, cursor, parked, resent)

    async def resend(self, uplink: str) -> Sequence[StoredRecord]:
        """Return the parked records a person wants sent again."""
        return await self._run(self._file.resend, uplink)

    async def salvaged(self, uplink: str, *, records_max: int, bytes_max: int) -> SalvagedRun | None:
        """Return the next consecutive records of ledgers set aside that this uplink has not settled."""
        return await self._run(self._file.salvaged, uplink, records_max=records_max, bytes_max=bytes_max)

    async def settle_salvaged(self, uplink: str, run: SalvagedRun, parked: Sequence[tuple[int, str]]) -> None:
        """Move the uplink's cursor behind the run and park what it rejected. Raises LedgerFull."""
        await self._run(self._file.settle_salvaged, uplink, run, parked)

    async def begin_anew(self, overtaken: LedgerOvertaken) -> None:
        """Set the ledger aside and go on in a new one: behind appends in flight, and before those that come now."""
        await self._run(self._file.begin_anew, overtaken)
        self._head_seq = self._file.chain.seq
        self._announce()

    async def wait_for_records(self, after: int) -> None:
        """Return as soon as there is a record behind seq `after`. Raises LedgerBroken as soon as the ledger is."""
        while self._head_seq <= after:
            if self._trouble is not None:
                raise LedgerBroken("the ledger failed") from self._trouble
            await self._news.wait()

    async def parked(self, records_max: int) -> tuple[int, Sequence[ParkedRecord]]:
        """Return how many records a platform rejected, and the first of them (ports.ParkedRecords)."""
        return await self._run(self._file.on_connection, lambda connection: parked(connection, records_max))

    async def retry_parked(self, seq: int) -> bool:
        """Have a parked record sent again after the next hello. Raises LedgerFull."""
        return await self._run(self._file.on_connection, lambda connection: retry(connection, seq))

    async def history(self, now: Interval) -> History:
        """Return what this terminal has used up and may not do again."""
        return await self._run(self._file.history, now)

    async def state(self, key: str) -> StateValue | None:
        """Return what was kept under a key."""
        return await self._run(self._file.state, key)

    async def put_state(self, key: str, value: StateValue) -> None:
        """Keep a value durably under a key. Raises LedgerFull."""
        await self._run(self._file.put_state, key, value)

    async def prune(self, now: Interval) -> int:
        """Delete what is certainly past its time, in small ranges between other work; return how many rows.

        now: its lower end must be backed by signed time, not by this machine's clock alone (LedgerFile.prune).
        """
        total = 0
        while (count := await self._run(self._file.prune, now)) > 0:
            total += count
        return total

    async def answer(self) -> None:
        """Return once the owner has done nothing, behind what was given to it before: it is alive."""
        await self._run(_nothing)

    async def close(self) -> None:
        """Finish what was appended, then close the file."""
        await self._is_quiet.wait()
        if self._idle is not None:
            self._idle.cancel()
        try:
            await self._run(self._file.close)
        finally:
            self._executor.shutdown(wait=False)

    async def _run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do work on the file behind what was given to it before."""
        try:
            return await asyncio.wrap_future(self._executor.submit(work, *args, **kwargs))
        except LedgerBroken as error:
            self._report(error)
            raise

    def _commit(self, loop: asyncio.AbstractEventLoop) -> None:
        self._in_flight, self._waiting = self._waiting, []
        future = self._executor.submit(self._file.commit, [draft for draft, _ in self._in_flight])
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._committed, loop, done))

    def _committed(self, loop: asyncio.AbstractEventLoop, done: "Future[_Outcomes]") -> None:
        """Give all waiters of one commit their answers: one wake-up of the loop for the whole list."""
        batch, self._in_flight = self._in_flight, []
        trouble = done.exception()
        outcomes = [trouble] * len(batch) if trouble is not None else done.result()
        self.appended += sum(isinstance(outcome, Transaction) for outcome in outcomes)
        self.commits_failed += any(isinstance(outcome, LedgerFull | LedgerBroken) for outcome in outcomes)
        for (_, waiter), outcome in zip(batch, outcomes, strict=True):
            self._room.release()
            if isinstance(outcome, LedgerBroken):
                trouble = outcome
            if waiter.done():  # cancelled: the record is stored all the same
                continue
            if isinstance(outcome, Transaction):
                waiter.set_result(outcome)
            else:
                waiter.set_exception(outcome)
        if trouble is not None:
            self._report(trouble)
        elif self._file.chain.seq != self._head_seq:
            self._head_seq = self._file.chain.seq
            self._announce()
        loop.call_soon(self._go_on, loop)  # behind those just answered, who may append at once

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start what is next for the file, or rest."""
        if self._file.is_checkpoint_overdue:
            self._checkpoint(loop)
        elif self._waiting:
            self._commit(loop)
        else:
            self._is_busy = False
            self._is_quiet.set()
            if self._idle is None and self._file.is_checkpoint_due:
                self._idle = loop.call_later(CHECKPOINT_IDLE_S, self._checkpoint_if_idle, loop)

    def _checkpoint_if_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        self._idle = None
        if not self._is_busy:
            self._is_busy = True
            self._is_quiet.clear()
            self._checkpoint(loop)

    def _checkpoint(self, loop: asyncio.AbstractEventLoop) -> None:
        future = self._executor.submit(self._file.checkpoint)
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._checkpointed, loop, done))

    def _checkpointed(self, loop: asyncio.AbstractEventLoop, done: "Future[None]") -> None:
        if (trouble := done.exception()) is not None:
            self._report(trouble)
        self._go_on(loop)

    def _report(self, trouble: BaseException) -> None:
        self._trouble = trouble
        self._announce()

    def _announce(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _nothing() -> None:
    pass


class ThreadedLedger(_OwnedLedger):
    """The ledger of the running agent (ports.Ledger): one thread owns the file."""

    def __init__(self, file: LedgerFile) -> None:
        super().__init__(file, ThreadPoolExecutor(1, thread_name_prefix="ledger"))


class InlineLedger(_OwnedLedger):
    """The same without a thread, for simulation and tests: work is done at once, where it is asked for."""

    def __init__(self, file: LedgerFile) -> None:
        super().__init__(file, _AtOnce())


class _AtOnce(Executor):
    """Does the work inside `submit`."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        future: Future[_T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits for the result
            future.set_exception(error)
        return future
