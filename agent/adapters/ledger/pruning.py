"""Which rows go when their time is over, and the disk they give back.

The law: nothing goes because of its age alone: every platform has settled it first. Never what is parked, never the
last record, never a one-time code that might still be accepted. Errors are the owner's to translate.
"""

import apsw

from agent.adapters.ledger.sql import SQL, rows, value
from agent.core.time_interval import Interval

PRUNE_ROWS_MAX = 500  # in one commit, so that no scan waits long behind it
FREE_PAGES_KEPT = 256  # what pruning frees beyond this goes back to the disk
_DAY_MS = 86_400_000


def prune(connection: apsw.Connection, now: Interval, *, settled_seq: int, head_seq: int, keep_days: int) -> int:
    """Delete a small range of what is past its time, in one commit; return how many rows. Raises apsw.Error.

    settled_seq: the last seq that every platform has settled.
    """
    run = connection.execute
    run(SQL["begin"])
    run(SQL["expired_replays"], (now.earliest_ms, PRUNE_ROWS_MAX))
    count = connection.changes()
    last = _old_enough(connection, min(settled_seq, head_seq - 1), now.earliest_ms - keep_days * _DAY_MS)
    for (seq,) in rows(connection, "delivered_prefix", (last, PRUNE_ROWS_MAX)):
        run(SQL["delete_record"], (seq,))
        count += 1
    run(SQL["commit"])
    if value(connection, "freelist_count") > FREE_PAGES_KEPT:
        rows(connection, "give_pages_back")
    return count


def _old_enough(connection: apsw.Connection, last: int, limit_ms: int) -> int:
    """Return the last seq, of a small range, that is certainly past its time.

    A record without an upper bound of its time is as old as the next one that has one: it came before it.
    """
    dated = rows(connection, "delivered_dated", (last, PRUNE_ROWS_MAX))
    return max((int(seq) for seq, at_ms in dated if at_ms < limit_ms), default=0)
