"""Room for new records: the ballast and the byte budget, and what is given up for them.

The law: a new record is refused only where nothing delivered is left to delete. Delivered records go oldest first,
whatever their age; what a platform has not settled, what is parked and the last record never do.
"""

import logging
from collections.abc import Sequence

import apsw

from agent.adapters.ledger import cursors, pruning
from agent.adapters.ledger.ballast import Ballast
from agent.adapters.ledger.guard import Guard
from agent.adapters.ledger.sql import value
from agent.adapters.ledger.write_ahead_log import WriteAheadLog
from agent.ports import LedgerFull

log = logging.getLogger(__name__)

STEPS_MAX = 64  # small deletions for one commit (about 15 MB): the next commit goes on, so nobody waits many seconds
SPACIOUS_SHARE = 7 / 8  # of the budget: below this the want of space is over
RESERVED_PAGES = 512  # beyond the byte budget: cursors and parked records still fit when new records do not


class Room:
    """The space of one open ledger."""

    def __init__(
        self,
        connection: apsw.Connection,
        write_ahead_log: WriteAheadLog,
        guard: Guard,
        ballast: Ballast,
        *,
        uplinks: Sequence[str],
        pages_max: int,
    ) -> None:
        self._connection = connection
        self._log = write_ahead_log
        self._guard = guard
        self._ballast = ballast
        self._uplinks = uplinks
        self._pages_max = pages_max
        self._deleted = 0  # before their time, since space became short
        connection.pragma("max_page_count", pages_max + RESERVED_PAGES)

    def is_enough(self) -> bool:
        """Say whether a new record may be written. Raises LedgerBroken."""
        with self._guard():
            return self._ballast.hold() and not self.is_over_budget()

    def is_over_budget(self) -> bool:
        """Say whether the byte budget is used up. Raises apsw.Error."""
        pages: int = value(self._connection, "page_count")
        return pages >= self._pages_max and self._used_pages() >= self._pages_max

    def make(self, head_seq: int) -> bool:
        """Delete delivered records in small ranges until there is room, at least one; say whether there is.

        Also False, with all of it committed, after STEPS_MAX ranges. Raises LedgerBroken.
        """
        deleted, is_enough = 0, False
        for _ in range(STEPS_MAX):
            was_held = self._ballast.is_held
            try:
                with self._guard():
                    count = self._step(head_seq)
                    self._log.move(is_cut=True)
                    is_enough = self._ballast.hold() and not self.is_over_budget()
            except LedgerFull:
                if was_held == self._ballast.is_held:
                    break
                continue  # the ballast was given up for it: there may be space to delete now
            deleted += count or 0
            if is_enough or count is None:
                break
        self._tell(deleted, head_seq)
        return is_enough

    def look(self) -> None:
        """Take note where space is no longer short."""
        if not self._deleted or not self._ballast.is_held:
            return
        with self._guard():
            if self._used_pages() < self._pages_max * SPACIOUS_SHARE:
                log.info("there is space again in the ledger", extra={"deleted": self._deleted})
                self._deleted = 0

    def _step(self, head_seq: int) -> int | None:
        """Give free pages back to a full disk, or delete a range; return how many records, None where none is left."""
        if not self._ballast.is_held and pruning.give_back(self._connection):
            return 0
        settled_seq = cursors.settled_by_all(self._connection, self._uplinks)
        return pruning.delete_delivered(self._connection, min(settled_seq, head_seq - 1)) or None

    def _used_pages(self) -> int:
        pages: int = value(self._connection, "page_count")
        free: int = value(self._connection, "freelist_count")
        return pages - free

    def _tell(self, deleted: int, head_seq: int) -> None:
        """Say it once, at the beginning: under a budget that stays full this goes on with every few records."""
        if deleted and not self._deleted:
            with self._guard():
                first_seq = pruning.first_seq(self._connection)
            log.warning(
                "no space: delivered records are deleted before their time",
                extra={"deleted": deleted, "first_seq": first_seq, "head_seq": head_seq},
            )
        self._deleted += deleted
