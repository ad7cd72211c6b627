"""Which database keeps the records: a file of SQLite, or a server of PostgreSQL. Only the one asked for is loaded."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from platform_stub.storage.database import Database
from platform_stub.storage.place import Server


def open_database(place: Path | Server) -> AbstractAsyncContextManager[Database]:
    """Open the file or the server's database and bring its schema up to date. Raises DatabaseBroken."""
    if isinstance(place, Server):
        from platform_stub.storage.database_postgresql import PostgresqlDatabase  # noqa: PLC0415 - only who asks pays for it

        return PostgresqlDatabase.at(place)
    from platform_stub.storage.database_sqlite import SqliteDatabase  # noqa: PLC0415

    return SqliteDatabase.at(place)
