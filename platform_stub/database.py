"""platform.sqlite: one writer that commits what has gathered, and readers that see only what is committed.

The law: a write's answer is given after the commit returned. A database error is never retried: it ends the platform,
and the next start finds exactly what was committed.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from platform_stub import statements

JOBS_WAITING_MAX = 64
JOBS_PER_COMMIT_MAX = 16
BUSY_TIMEOUT_S = 5.0
SCHEMA = Path(__file__).with_name("schema.sql")
SCHEMA_ONLINE = Path(__file__).with_name("schema_online.sql")

T = TypeVar("T")
Job = Callable[[aiosqlite.Connection], Awaitable[Any]]


class DatabaseBroken(Exception):
    """The database cannot be used any more; the message says what SQLite said."""


class Database:
    """The platform's database. `run` must be running for `write` to return."""

    def __init__(self, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self._writer = writer
        self._reader = reader
        self._jobs: asyncio.Queue[tuple[Job, asyncio.Future[Any]]] = asyncio.Queue(JOBS_WAITING_MAX)
        self._is_stopped = False

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator["Database"]:
        """Open or create the file. Raises DatabaseBroken."""
        try:
            async with (
                aiosqlite.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S) as writer,
                aiosqlite.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S) as reader,
            ):
                await writer.executescript(statements.CONFIGURE)
                await writer.executescript(SCHEMA.read_text(encoding="utf-8"))
                await writer.executescript(SCHEMA_ONLINE.read_text(encoding="utf-8"))
                await reader.execute(statements.READ_ONLY)
                yield cls(writer, reader)
        except sqlite3.Error as error:
            raise DatabaseBroken(f"{path}: {error}") from error

    async def write(self, job: Callable[[aiosqlite.Connection], Awaitable[T]]) -> T:
        """Run a job in the writer and return its answer once it is durable. Raises DatabaseBroken."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if not self._is_stopped:
            await self._jobs.put((job, answer))
        if self._is_stopped and not answer.done():  # it may have stopped while this job waited for its place
            raise DatabaseBroken("the writer has stopped")
        return await answer

    async def read(self, sql: str, parameters: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query over what is committed. Raises DatabaseBroken."""
        try:
            return list(await self._reader.execute_fetchall(sql, parameters))
        except sqlite3.Error as error:
            raise DatabaseBroken(str(error)) from error

    async def run(self) -> None:
        """Write until cancelled: everything that waits goes into one commit. Raises DatabaseBroken."""
        group: list[tuple[Job, asyncio.Future[Any]]] = []
        try:
            while True:
                group = [await self._jobs.get()]
                while len(group) < JOBS_PER_COMMIT_MAX and not self._jobs.empty():
                    group.append(self._jobs.get_nowait())
                await self._commit(group)
                group = []
        except sqlite3.Error as error:
            raise DatabaseBroken(str(error)) from error
        finally:
            self._is_stopped = True
            while not self._jobs.empty():
                group.append(self._jobs.get_nowait())
            for _, answer in group:
                if not answer.done():
                    answer.set_exception(DatabaseBroken("the writer has stopped"))

    async def _commit(self, group: list[tuple[Job, asyncio.Future[Any]]]) -> None:
        await self._writer.execute(statements.BEGIN)
        answers = [(answer, await job(self._writer)) for job, answer in group]
        await self._writer.execute(statements.COMMIT)
        for answer, value in answers:
            if not answer.done():  # the client may have gone; what it sent is stored all the same
                answer.set_result(value)
