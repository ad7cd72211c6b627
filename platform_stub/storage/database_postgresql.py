"""A database of a PostgreSQL server, perhaps shared with other workers: one connection writes, a few read.

The law: when the server is away, what was asked is answered "later" and forgotten, never half done; the next job finds
the server by itself. Messages of the server name no value: its details could hold what a terminal sent.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from platform_stub.storage import statements_postgresql as sql
from platform_stub.storage.database import (
    Contended,
    Database,
    DatabaseAway,
    DatabaseBroken,
    Outcome,
    Row,
    StatementRefused,
    Waiting,
)
from platform_stub.storage.dialect import (
    rows_insert_for_postgresql,
    rows_insert_of,
    schema_for_postgresql,
    statement_for_postgresql,
)
from platform_stub.storage.place import PlaceInvalid, Server
from platform_stub.storage.schema import Schema, bring_up_to_date, read_schema

CONNECT_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0
READERS_MAX = 4
TRIES_MAX = 8  # of a group that lost a race against another worker
SETTINGS = {
    "application_name": "scanward-platform",
    "jit": "off",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "60s",  # a worker that hangs does not hold the others up for ever
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
SCHEMA_SUBJECT = "\0schema"
_LOST_RACES = (Contended, asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.UniqueViolationError)
# The server or the way to it, not the statement: SQLSTATE classes 08, 28, 3D, 53, 57, 58, XX and a few single codes.
_AWAY = (
    OSError,
    TimeoutError,
    PlaceInvalid,
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.InternalClientError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    *_LOST_RACES,
)
_Inserts = dict[str, tuple[str, list[str]]]  # by the INSERT of one row: that of many, and the types of its columns
_log = logging.getLogger(__name__)


class PostgresqlTransaction:
    """Implements database.Transaction. inserts: those of one row, as those of many, known once prepared."""

    def __init__(self, connection: Any, inserts: _Inserts) -> None:
        self._connection = connection
        self._inserts = inserts

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement; return how many rows it wrote."""
        return _count(await self._connection.execute(statement_for_postgresql(sql), *map(_storable, parameters)))

    async def executemany(self, sql: str, rows: Sequence[Sequence[object]]) -> int:
        """Run one statement for each row; return how many rows it wrote. A plain INSERT goes in one statement."""
        if rows_insert_of(sql) is None or len(rows) < 2:
            return sum([await self.execute(sql, row) for row in rows])
        if sql not in self._inserts:
            prepared = await self._connection.prepare(statement_for_postgresql(sql))
            types = [found.name for found in prepared.get_parameters()]
            self._inserts[sql] = rows_insert_for_postgresql(sql, types), types
        insert, types = self._inserts[sql]
        columns = [
            list(map(_storable, column)) if name == "text" else list(column)
            for name, column in zip(types, zip(*rows, strict=True), strict=True)
        ]
        return _count(await self._connection.execute(insert, *columns))

    async def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query."""
        found = await self._connection.fetch(statement_for_postgresql(sql), *map(_storable, parameters))
        return [tuple(row) for row in found]


class PostgresqlDatabase(Database):
    """Implements database.Database over two pools: one writer, and readers that cannot write."""

    def __init__(self, writer: Any, readers: Any) -> None:
        super().__init__()
        self._writer = writer
        self._readers = readers
        self._inserts: _Inserts = {}
        self._is_away = False

    @classmethod
    @asynccontextmanager
    async def at(cls, server: Server, schema: Schema | None = None) -> AsyncIterator["Database"]:
        """Connect, and bring the schema up to date under a lock. Raises DatabaseBroken."""
        writer, readers = _pool(server, 1, SETTINGS), _pool(server, READERS_MAX, SETTINGS | _READ_ONLY)
        try:
            try:
                await writer  # connects to nothing yet
                await readers
                await _prepare(writer, schema or read_schema())
            except DatabaseBroken as error:
                raise DatabaseBroken(f"{server}: {error}") from error
            except (*_AWAY, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                raise DatabaseBroken(f"{server}: {_why_not(error)}") from error
            yield cls(writer, readers)
        finally:
            for pool in (writer, readers):
                await _close(pool)

    async def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query over what is committed. Raises DatabaseAway."""
        try:
            async with self._readers.acquire(timeout=STATEMENT_TIMEOUT_S) as connection:
                return await PostgresqlTransaction(connection, self._inserts).rows(sql, parameters)
        except Exception as error:  # noqa: BLE001
            raise _translated(error) from None  # the driver's error quotes values

    async def _commit(self, group: list[Waiting]) -> list[Outcome]:
        for _ in range(TRIES_MAX):
            try:
                outcomes = await self._commit_once(group)
            except _LOST_RACES:
                continue
            except Exception as error:  # noqa: BLE001 - it goes to whoever asked
                return self._failed(group, _translated(error))
            if self._is_away:
                _log.info("the database is back")
            self._is_away = False
            return outcomes
        if len(group) == 1:
            return [Outcome(error=DatabaseAway("other workers came in between, again and again"))]
        return [outcome for waiting in group for outcome in await self._commit([waiting])]

    async def _commit_once(self, group: list[Waiting]) -> list[Outcome]:
        """Run the jobs in the order of their subjects, so that two workers never wait for each other."""
        order = sorted(range(len(group)), key=lambda number: _lock_of(group[number].subject))
        outcomes = [Outcome()] * len(group)
        async with self._writer.acquire(timeout=CONNECT_TIMEOUT_S) as connection, connection.transaction():
            await connection.execute(sql.LOCK, sorted({_lock_of(waiting.subject) for waiting in group}))
            transaction = PostgresqlTransaction(connection, self._inserts)
            if len(group) == 1:
                return [Outcome(await group[0].job(transaction))]
            for number in order:
                outcomes[number] = await self._try(connection, transaction, group[number])
        return outcomes

    async def _try(self, connection: Any, transaction: PostgresqlTransaction, waiting: Waiting) -> Outcome:
        """Run a job so that it can be undone alone. Raises what concerns the others too."""
        for _ in range(TRIES_MAX):
            try:
                async with connection.transaction():  # a savepoint
                    return Outcome(await waiting.job(transaction))
            except (Contended, asyncpg.UniqueViolationError):
                continue  # what the other worker wrote is committed now, and seen at the next try
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                raise
            except Exception as error:
                translated = _translated(error)
                if isinstance(translated, DatabaseAway):
                    raise
                return Outcome(error=translated)
        return Outcome(error=DatabaseAway("other workers came in between, again and again"))

    def _failed(self, group: list[Waiting], error: Exception) -> list[Outcome]:
        if isinstance(error, DatabaseAway):
            if not self._is_away:
                _log.warning("the database is away, terminals are told to try later: %s", error)
            self._is_away = True
            self._refuse_waiting(error)
        return [Outcome(error=error)] * len(group)


_READ_ONLY = {"default_transaction_read_only": "on"}


def _pool(server: Server, size_max: int, settings: dict[str, str]) -> Any:
    """Return a pool that is not opened yet. It replaces connections that broke."""

    def password() -> str | None:
        return server.read_password()

    return asyncpg.create_pool(
        server.url,
        password=password if server.password_file is not None else None,
        min_size=0,
        max_size=size_max,
        reset=_nothing_to_reset,
        server_settings=settings,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=STATEMENT_TIMEOUT_S,
    )


async def _nothing_to_reset(_: Any) -> None:
    """Spare a round trip: no job changes a session. An open transaction is rolled back before this."""


async def _prepare(pool: Any, schema: Schema) -> None:
    async with pool.acquire() as connection, connection.transaction():
        fsync, full_page_writes, encoding = await connection.fetchrow(sql.SETTINGS)
        if (fsync, full_page_writes) != ("on", "on"):
            raise DatabaseBroken(
                "the server runs with fsync or full_page_writes off, and a power cut would take back what was "
                "receipted: set both on in its postgresql.conf"
            )
        if encoding != "UTF8":
            raise DatabaseBroken(
                f"its encoding is {encoding}: make the database with ENCODING 'UTF8' TEMPLATE template0"
            )
        await connection.execute(sql.LOCK, [_lock_of(SCHEMA_SUBJECT)])
        is_new = await connection.fetchval(sql.TABLES) == 0
        transaction = PostgresqlTransaction(connection, {})

        async def define(statement: str) -> None:
            await connection.execute(schema_for_postgresql(statement))

        await bring_up_to_date(transaction, schema, define, is_new=is_new)


async def _close(pool: Any) -> None:
    with suppress(TimeoutError, asyncpg.InterfaceError, OSError):  # an interface error: it was never opened
        await asyncio.wait_for(pool.close(), CLOSE_TIMEOUT_S)
        return
    pool.terminate()


def _lock_of(subject: str) -> int:
    digest = hashlib.sha256(f"scanward-subject\0{subject}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _storable(value: object) -> object:
    """Return a value PostgreSQL can hold: its texts have no NUL. The envelope keeps what was really said."""
    return value.replace("\0", "\N{SYMBOL FOR NULL}") if type(value) is str and "\0" in value else value


def _count(status: str) -> int:
    number = status.rpartition(" ")[2]
    return int(number) if number.isdigit() else 0


def _translated(error: Exception) -> Exception:
    if isinstance(error, DatabaseBroken):
        return error
    if isinstance(error, _AWAY) or (isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError)):
        return DatabaseAway(_why_not(error))
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        return StatementRefused(f"PostgreSQL refuses a statement: {_name_of(error)}")
    return error


def _name_of(error: Exception) -> str:
    parts = [type(error).__name__, getattr(error, "sqlstate", None), getattr(error, "constraint_name", None)]
    return " ".join(part for part in parts if part)


def _why_not(error: Exception) -> str:
    """Say why the server cannot be used, and what to do."""
    if isinstance(error, PlaceInvalid):
        return str(error)
    if isinstance(error, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError):
        return f"{error.args[0]}. Look at the user in the URL, at the password file, and at the server's pg_hba.conf"
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return f"{error.args[0]}. Make it: createdb --encoding UTF8 --template template0"
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return f"{error.args[0]}. The user must own the database, or may create tables in its schema"
    if isinstance(error, TimeoutError):
        return "it does not answer in time. Look at whether the server runs and can be reached"
    if isinstance(error, OSError):
        return f"{error.strerror or 'no connection'}. Look at whether the server runs and listens there"
    return f"it is not in service ({_name_of(error)}). Look at its log"
