"""The platform's database: what its jobs may ask of it, and the one writer that commits what has gathered.

The law: a write's answer is given after its commit is durable. A job that fails leaves nothing behind and takes no
other job with it. What a particular database wants is left to database_sqlite.py and database_postgresql.py.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

JOBS_WAITING_MAX = 64
JOBS_PER_COMMIT_MAX = 16

T = TypeVar("T")
Row = tuple[Any, ...]


class DatabaseBroken(Exception):
    """The database cannot be used any more; the message says what it said."""


class DatabaseAway(DatabaseBroken):
    """Nothing can be stored or read now; the same may be asked again later."""


class Contended(DatabaseAway):
    """Another worker wrote what this job was about to write: the job must look again."""


class StatementRefused(Exception):
    """A statement of a job is refused for what it says: an error of the program. Names no value."""


class Transaction(Protocol):
    """What a job may do. Statements are written in the portable SQL of dialect.py."""

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement; return how many rows it wrote."""

    async def executemany(self, sql: str, rows: Sequence[Sequence[object]]) -> int:
        """Run one statement for each row; return how many rows it wrote. An INSERT without DO UPDATE is fast."""

    async def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query; it sees what this commit wrote so far."""


Job = Callable[[Transaction], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job in the queue. subject: jobs about the same one never run at the same time, in whatever process."""

    job: Job[Any]
    subject: str
    answer: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job: its answer, or its error."""

    value: Any = None
    error: Exception | None = None


class Database(ABC):
    """The platform's database. `run` must be running for `write` to return."""

    def __init__(self) -> None:
        self._jobs: asyncio.Queue[Waiting] = asyncio.Queue(JOBS_WAITING_MAX)
        self._is_stopped = False

    async def write(self, job: Job[T], subject: str = "") -> T:
        """Run a job in the writer and return its answer once it is durable.

        A job must be ready to be run more than once, and touch nothing but its transaction. Jobs about the same subject
        (a terminal) never run at the same time, however many workers there are; those without one count as one subject.
        Raises DatabaseBroken, DatabaseAway (ask again later), StatementRefused, and what the job itself raises.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if not self._is_stopped:
            await self._jobs.put(Waiting(job, subject, answer))
        if self._is_stopped and not answer.done():  # it may have stopped while this job waited for its place
            raise DatabaseBroken("the writer has stopped")
        return await answer

    @abstractmethod
    async def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query over what is committed. Raises DatabaseBroken, DatabaseAway."""

    async def run(self) -> None:
        """Write until cancelled: everything that waits goes into one commit. Raises DatabaseBroken."""
        group: list[Waiting] = []
        try:
            while True:
                group = [await self._jobs.get()]
                while len(group) < JOBS_PER_COMMIT_MAX and not self._jobs.empty():
                    group.append(self._jobs.get_nowait())
                for waiting, outcome in zip(group, await self._commit(group), strict=True):
                    _settle(waiting.answer, outcome)
                group = []
        finally:
            self._is_stopped = True
            while not self._jobs.empty():
                group.append(self._jobs.get_nowait())
            for waiting in group:
                _settle(waiting.answer, Outcome(error=DatabaseBroken("the writer has stopped")))

    def _refuse_waiting(self, error: DatabaseAway) -> None:
        """Answer all that waits: none of it would fare better."""
        while not self._jobs.empty():
            _settle(self._jobs.get_nowait().answer, Outcome(error=error))

    @abstractmethod
    async def _commit(self, group: list[Waiting]) -> list[Outcome]:
        """Run the jobs in one commit; return what came of each, in their order. Raises DatabaseBroken."""


def _settle(answer: asyncio.Future[Any], outcome: Outcome) -> None:
    if answer.done():
        return  # the client has gone; what it sent is stored all the same
    if outcome.error is not None:
        answer.set_exception(outcome.error)
    else:
        answer.set_result(outcome.value)
