"""Which rows go when their time is over or space is short, and the disk they give back.

The law: nothing goes because of its age or of want of space alone: every platform has settled it first. Never what is
parked, never the last record, never a one-time code that might still be accepted. Errors are the owner's to translate.
"""

import apsw

from agent.adapters.ledger.sql import SQL, rows, value
from agent.core.time_interval import Interval

PRUNE_ROWS_MAX = 500  # in one commit, so that no scan waits long behind it
FREE_PAGES_KEPT = 256  # what pruning frees beyond this goes back to the disk
_DAY_MS = 86_400_000


def prune(connection: apsw.Connection, now: Interval, *, settled_seq: int, head_seq: int, keep_days: int) -> int:
    """Delete a small range of what is past its time, in one commit; return how many rows. Raises apsw.Error.

    now: backed by signed time (LedgerFile.prune). settled_seq: the last seq that every platform has settled.
    """
    run = connection.execute
    run(SQL["begin"])
    run(SQL["expired_replays"], (now.earliest_ms, PRUNE_ROWS_MAX))
    count = connection.changes()
    last = _old_enough(connection, min(settled_seq, head_seq - 1), now.earliest_ms - keep_days * _DAY_MS)
    count += _delete_prefix(connection, last)
    run(SQL["commit"])
    if value(connection, "freelist_count") > FREE_PAGES_KEPT:
        rows(connection, "give_pages_back")
    return count


def delete_delivered(connection: apsw.Connection, last: int) -> int:
    """Delete the oldest delivered records, a small range up to seq `last`, whatever their age; return how many.

    last: settled by every platform, and not the last record. Raises apsw.Error.
    """
    connection.execute(SQL["begin"])
    count = _delete_prefix(connection, last)
    connection.execute(SQL["commit"])
    return count


def first_seq(connection: apsw.Connection) -> int:
    """Return the seq behind the last one pruned; before it there may still be what was parked. Raises apsw.Error."""
    return int(value(connection, "meta", ("pruned_seq",)) or 0) + 1


def give_back(connection: apsw.Connection) -> bool:
    """Give some free pages back to the disk; say whether there were any. Raises apsw.Error."""
    if value(connection, "freelist_count") == 0:
        return False
    rows(connection, "give_pages_back")
    return True


def _delete_prefix(connection: apsw.Connection, last: int) -> int:
    delivered = rows(connection, "delivered_prefix", (last, PRUNE_ROWS_MAX))
    for row in delivered:
        connection.execute(SQL["delete_record"], row)
    if delivered:
        connection.execute(SQL["put_pruned_seq"], delivered[-1])
    return len(delivered)


def _old_enough(connection: apsw.Connection, last: int, limit_ms: int) -> int:
    """Return the last seq, of a small range, that is certainly past its time.

    A record without an upper bound of its time is as old as the next one that has one: it came before it. The first
    that is not old enough ends the range: one written while the clock was behind makes nobody before it old.
    """
    old = 0
    for seq, at_ms in rows(connection, "delivered_dated", (last, PRUNE_ROWS_MAX)):
        if at_ms >= limit_ms:
            break
        old = int(seq)
    return old
