"""When SQLite's write-ahead log is moved into the file: in idle gaps without waiting, and cut where it has grown long.

Checkpoints are never SQLite's own idea (connection.py). Errors are the owner's to translate.
"""

import logging

import apsw

from agent.adapters.ledger.connection import OWNER_BUSY_MS

log = logging.getLogger(__name__)

CHECKPOINT_PAGES_MIN = 1_000  # an idle gap is used once this much waits in the log (4 MB)
CHECKPOINT_PAGES_MAX = 4_096  # beyond this (16 MB) the log is cut, idle gap or not
_CHECKPOINT_BUSY_MS = 100  # how long cutting the log may wait for a reader


class WriteAheadLog:
    """The log of one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._pages = 0
        connection.set_wal_hook(self._count_pages)

    @property
    def is_due(self) -> bool:
        """Say whether an idle gap is worth a checkpoint."""
        return self._pages >= CHECKPOINT_PAGES_MIN

    @property
    def is_overdue(self) -> bool:
        """Say whether the log must be cut, idle gap or not."""
        return self._pages > CHECKPOINT_PAGES_MAX

    def move(self, *, is_cut: bool) -> None:
        """Move the log into the file; cut it where no reader is in the way. Raises apsw.Error."""
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        if is_cut:
            self._connection.set_busy_timeout(_CHECKPOINT_BUSY_MS)
            try:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.BusyError:
                log.info("a reader keeps the ledger's log from being cut")
            finally:
                self._connection.set_busy_timeout(OWNER_BUSY_MS)
        self._pages = 0

    def _count_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK
