"""The guard around all work on the file: SQLite's trouble translated, and no commit left open.

The law: a full disk costs the ballast and the commit it stopped, nothing else. After any other trouble nothing is known
and nothing more is done with the file: an fsync is never tried again.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from agent.adapters.ledger.ballast import Ballast
from agent.adapters.ledger.sql import SQL
from agent.adapters.ledger.write_ahead_log import WriteAheadLog
from agent.ports import LedgerBroken, LedgerFull

log = logging.getLogger(__name__)


class Guard:
    """Guards one connection. `with guard():` may be nested."""

    def __init__(self, connection: apsw.Connection, write_ahead_log: WriteAheadLog, ballast: Ballast) -> None:
        self._connection = connection
        self._log = write_ahead_log
        self._ballast = ballast
        self.is_dead = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Do work on the file. Raises LedgerFull, LedgerBroken."""
        if self.is_dead:
            raise LedgerBroken("the ledger failed before: it is checked at the next start")
        try:
            yield
        except (LedgerFull, LedgerBroken):  # of a guard within, or before anything was begun
            raise
        except apsw.FullError as error:
            self._make_room()
            raise LedgerFull("no space for new records") from error
        except apsw.Error as error:
            self.is_dead = True
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
            self._log.move(is_cut=True)
        except apsw.FullError:
            log.warning("no space to shorten the ledger's log")
        except apsw.Error as error:
            self.is_dead = True
            raise LedgerBroken(f"the ledger failed: {type(error).__name__}") from error
