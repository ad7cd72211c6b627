"""platform.sqlite: one connection writes, another reads what is committed.

The law: trouble with the file (disk, corruption) is never retried: it ends the platform, and the next start finds
exactly what was committed.
"""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite

from platform_stub.storage import statements_sqlite as sql
from platform_stub.storage.database import Database, DatabaseBroken, Outcome, Row, StatementRefused, Waiting
from platform_stub.storage.schema import Schema, bring_up_to_date, read_schema

BUSY_TIMEOUT_S = 5.0
# Primary result codes that blame the statement; every other one is the file's or the machine's trouble.
_STATEMENTS_FAULT = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
    }
)


class SqliteTransaction:
    """Implements database.Transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement; return how many rows it wrote."""
        return (await self._connection.execute(sql, tuple(parameters))).rowcount

    async def executemany(self, sql: str, rows: Sequence[Sequence[object]]) -> int:
        """Run one statement for each row; return how many rows it wrote."""
        return (await self._connection.executemany(sql, [tuple(row) for row in rows])).rowcount

    async def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query."""
        return [tuple(row) for row in await self._connection.execute_fetchall(sql, tuple(parameters))]


class SqliteDatabase(Database):
    """Implements database.Database over one file."""

    def __init__(self, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        super().__init__()
        self._writer = writer
        self._reader = reader
        self._transaction = SqliteTransaction(writer)

    @classmethod
    @asynccontextmanager
    async def at(cls, path: Path, schema: Schema | None = None) -> AsyncIterator["Database"]:
        """Open or create the file. Raises DatabaseBroken."""
        try:
            async with (
                aiosqlite.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S) as writer,
                aiosqlite.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S) as reader,
            ):
                await writer.executescript(sql.CONFIGURE)
                try:
                    await _prepare(writer, schema or read_schema())
                except DatabaseBroken as error:
                    raise DatabaseBroken(f"{path}: {error}") from error
                await reader.execute(sql.READ_ONLY)
                yield cls(writer, reader)
        except sqlite3.Error as error:
            raise DatabaseBroken(f"{path}: {error}") from error

    async def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query over what is committed. Raises DatabaseBroken."""
        try:
            return await SqliteTransaction(self._reader).rows(sql, parameters)
        except sqlite3.Error as error:
            raise DatabaseBroken(str(error)) from error

    async def _commit(self, group: list[Waiting]) -> list[Outcome]:
        try:
            await self._writer.execute(sql.BEGIN)
            if len(group) == 1:
                outcomes = [await self._try(group[0], sql.ROLLBACK)]
            else:
                outcomes = [await self._try_among_others(waiting) for waiting in group]
            if self._writer.in_transaction:
                await self._writer.execute(sql.COMMIT)
        except sqlite3.Error as error:
            raise DatabaseBroken(str(error)) from error
        return outcomes

    async def _try_among_others(self, waiting: Waiting) -> Outcome:
        await self._writer.execute(sql.SAVEPOINT)
        outcome = await self._try(waiting, sql.ROLLBACK_TO)
        await self._writer.execute(sql.RELEASE)
        return outcome

    async def _try(self, waiting: Waiting, undo: str) -> Outcome:
        try:
            return Outcome(await waiting.job(self._transaction))
        except sqlite3.Error as error:
            if not _blames_the_statement(error):
                raise
            refused = StatementRefused(f"SQLite refuses a statement: {error}")
            refused.__cause__ = error
            outcome = Outcome(error=refused)
        except Exception as error:  # noqa: BLE001 - it goes to whoever asked; the other jobs go on
            outcome = Outcome(error=error)
        await self._writer.execute(undo)
        return outcome


async def _prepare(writer: aiosqlite.Connection, schema: Schema) -> None:
    await writer.execute(sql.BEGIN)
    transaction = SqliteTransaction(writer)
    is_new = (await transaction.rows(sql.TABLES))[0][0] == 0
    await bring_up_to_date(transaction, schema, transaction.execute, is_new=is_new)
    await writer.execute(sql.COMMIT)


def _blames_the_statement(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)  # absent where Python itself refuses (wrong parameters)
    return code is None or (code & 0xFF) in _STATEMENTS_FAULT
