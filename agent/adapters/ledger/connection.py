"""SQLite connections with the ledger's settings, and the lock that keeps the ledger to one owner.

WAL with synchronous=FULL and psow=0: a commit that returned is on the disk, also where a write may tear its sector.
Checkpoints are never SQLite's own idea: they would fall into someone's commit.
"""

import fcntl
import os
from pathlib import Path
from urllib.parse import quote

import apsw

from agent.ports import LedgerUnusable

OWNER_BUSY_MS = 5_000  # how long the owner waits for `scanward queue retry` to finish its one small commit
READER_BUSY_MS = 10_000
PAGES_CACHED_KIB = 512  # SQLite's own default, 2 MiB, fills within a day's scans; the kernel caches the file as well
_STATEMENTS_CACHED = 100


def connect(path: Path, *, vfs: str | None = None) -> apsw.Connection:
    """Open the file for its owner, made where there is none. Raises apsw.Error."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
    connection = _connection(path, "psow=0", flags, vfs)
    try:
        connection.set_busy_timeout(OWNER_BUSY_MS)
        connection.pragma("cache_size", -PAGES_CACHED_KIB)
        connection.pragma("auto_vacuum", 2)  # incremental; takes effect in a new file only
        connection.pragma("journal_mode", "wal")
        _make_durable(connection)
    except apsw.Error:
        connection.close(True)
        raise
    return connection


def connect_to_read(path: Path) -> apsw.Connection:
    """Open the file read-only; works beside its running owner. Raises apsw.Error."""
    connection = _connection(path, "mode=ro", apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, None)
    connection.set_busy_timeout(READER_BUSY_MS)
    return connection


def connect_beside(path: Path) -> apsw.Connection:
    """Open an existing file for a small commit beside its running owner. Raises apsw.Error."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
    connection = _connection(path, "psow=0", flags, None)
    connection.set_busy_timeout(READER_BUSY_MS)
    _make_durable(connection)
    return connection


class WriterLock:
    """An advisory lock beside the ledger, held until `release` or the end of the process."""

    def __init__(self, ledger: Path) -> None:
        """Take the lock, in a folder made where there is none. Raises LedgerUnusable where another process has it."""
        path = ledger.with_name(f"{ledger.name}.lock")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerUnusable(f"the ledger's folder {path.parent} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise LedgerUnusable(f"another process owns this ledger (it holds {path})") from error

    def release(self) -> None:
        """Give the lock up."""
        os.close(self._descriptor)


def _connection(path: Path, query: str, flags: int, vfs: str | None) -> apsw.Connection:
    return apsw.Connection(
        f"file:{quote(str(path.absolute()))}?{query}", flags=flags, vfs=vfs, statementcachesize=_STATEMENTS_CACHED
    )


def _make_durable(connection: apsw.Connection) -> None:
    connection.pragma("synchronous", "full")
    connection.pragma("wal_autocheckpoint", 0)
    # Closing must not write: after a failed fsync nothing may be tried again.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
