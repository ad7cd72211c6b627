"""Records of ledgers that were set aside, on their way to the platforms: one cursor per uplink and file.

What every platform has settled is deleted: no platform asks for an old ledger id again, the space is needed for new
records, and the file set aside keeps them. Filling the table is salvage.py's; errors are the owner's to translate.
"""

from collections.abc import Sequence

import apsw

from agent.adapters.ledger.cursors import PARK_REASON_CHARS_MAX
from agent.adapters.ledger.sql import SQL, rows
from agent.core.delivery import SalvagedRun, StoredRecord
from agent.core.transaction import record_of


def next_run(connection: apsw.Connection, uplink: str, *, records_max: int, bytes_max: int) -> SalvagedRun | None:
    """Return the first consecutive records of one ledger that the uplink has not settled, within both limits.

    What a person wants sent again goes alone: it was rejected before. Raises apsw.Error.
    """
    found = rows(connection, "salvaged_waiting", {"uplink": uplink, "records_max": records_max})
    if not found:
        return None
    source, ledger_id = found[0][0], _ledger_id_of(found[0][2])
    records, size = list[StoredRecord](), 0
    for row_source, seq, envelope, hash_, is_resend in found:
        size += len(envelope)
        is_next = not records or (
            row_source == source
            and seq == records[-1].seq + 1
            and not is_resend
            and size <= bytes_max
            and _ledger_id_of(envelope) == ledger_id
        )
        if not is_next:
            break
        records.append(StoredRecord(seq, envelope, hash_))
        if is_resend:
            break
    return SalvagedRun(source, ledger_id, tuple(records))


def settle(
    connection: apsw.Connection,
    uplinks: Sequence[str],
    uplink: str,
    run: SalvagedRun,
    parked: Sequence[tuple[int, str]],
) -> None:
    """Move the uplink's cursor behind the run, park what it rejected, delete what all have. Raises apsw.Error."""
    first, last = run.records[0].seq, run.records[-1].seq
    execute = connection.execute
    execute(SQL["begin"])
    execute(SQL["put_salvaged_cursor"], (uplink, run.source, last))
    execute(SQL["salvaged_answered"], (uplink, run.source, first, last))
    for seq, reason in parked:
        execute(SQL["put_salvaged_parked"], (uplink, run.source, seq, reason[:PARK_REASON_CHARS_MAX], 0))
    settled = settled_by_all(connection, uplinks, run.source)
    execute(SQL["delete_salvaged"], {"source": run.source, "first": first, "last": last, "settled": settled})
    execute(SQL["commit"])


def settled_by_all(connection: apsw.Connection, uplinks: Sequence[str], source: str) -> int:
    """Return the last seq of that file that every platform has settled. Raises apsw.Error."""
    cursors: dict[str, int] = dict(rows(connection, "salvaged_cursors_of", (source,)))
    return min((cursors.get(uplink, 0) for uplink in uplinks), default=0)


def _ledger_id_of(envelope: bytes) -> bytes:
    ledger_id = record_of(envelope).get(2)
    return ledger_id if isinstance(ledger_id, bytes) else b""
