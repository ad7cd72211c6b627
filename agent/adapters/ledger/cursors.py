"""How far each platform has settled the live records, what it rejected, and what therefore still counts against limits.

One cursor row per uplink, parked records beside it. Errors are the owner's to translate.
"""

from collections.abc import Sequence

import apsw

from agent.adapters.ledger.sql import SQL, rows
from agent.core.decision import History
from agent.core.time_interval import Interval

PARK_REASON_CHARS_MAX = 200


def settle(
    connection: apsw.Connection,
    uplinks: Sequence[str],
    uplink: str,
    cursor: int,
    parked: Sequence[tuple[int, str]],
    resent: Sequence[int],
) -> None:
    """Move a cursor, park records and take answered ones off the resend list, in one commit. Raises apsw.Error.

    What the cursor passes was sent again since it was parked (the cursor had gone back), and so was what is `resent`.
    It is parked no longer, unless it is in `parked` once more.
    """
    run = connection.execute
    run(SQL["begin"])
    run(SQL["unpark_between"], {"uplink": uplink, "cursor": cursor})  # before the cursor moves: from the old one on
    run(SQL["put_cursor"], (uplink, cursor))
    for seq in resent:
        run(SQL["resent"], (uplink, seq))
        run(SQL["unpark"], (uplink, seq))
    for seq, reason in parked:
        run(SQL["park"], {"uplink": uplink, "seq": seq, "reason": reason[:PARK_REASON_CHARS_MAX]})
    run(SQL["settle_provisional"], (settled_by_all(connection, uplinks),))
    run(SQL["commit"])


def settled_by_all(connection: apsw.Connection, uplinks: Sequence[str]) -> int:
    """Return the last seq that every platform has settled; one that never answered has settled nothing."""
    cursors: dict[str, int] = dict(rows(connection, "cursors"))
    return min((cursors.get(uplink, 0) for uplink in uplinks), default=0)


def history(connection: apsw.Connection, uplinks: Sequence[str], now: Interval) -> History:
    """Return the one-time codes that might still be accepted, and the provisional acceptances nobody has settled."""
    claims = {r: until for r, until in rows(connection, "replays") if not now.is_certainly_after(until)}
    provisional = rows(connection, "provisional_behind", (settled_by_all(connection, uplinks),))
    return History(claims, [seq for (seq,) in provisional])
