"""Live records that a platform rejected, for the running agent: `scanward queue` does the same beside it.

What is asked for goes to the resend list, which delivery reads after its next hello. Errors are the guard's to
translate.
"""

from itertools import islice

import apsw

from agent.adapters.ledger.sql import SQL
from agent.ports import ParkedRecord


def parked(connection: apsw.Connection, records_max: int) -> tuple[int, list[ParkedRecord]]:
    """Return how many records are parked, and the first of them."""
    rows = connection.execute(SQL["parked"])
    first = [ParkedRecord(uplink, seq, reason, at_ms) for uplink, seq, reason, at_ms in islice(rows, records_max)]
    return len(first) + sum(1 for _ in rows), first


def retry(connection: apsw.Connection, seq: int) -> bool:
    """Have a record sent again, in one commit; say whether it is parked, or was asked for before."""
    uplinks = [uplink for uplink, parked_seq, _, _ in connection.execute(SQL["parked"]) if parked_seq == seq]
    is_asked = any(asked == seq for _, asked in connection.execute(SQL["resends"]))
    if uplinks:
        with connection:
            for uplink in uplinks:
                connection.execute(SQL["ask_resend"], (uplink, seq))
                connection.execute(SQL["unpark"], (uplink, seq))
    return bool(uplinks) or is_asked
