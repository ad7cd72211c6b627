"""`scanward queue`: list, retry and export what has not been delivered. Works beside the running agent.

Shows numbers, reasons and sealed bytes, never personal data. Only `retry` writes: one small commit that moves parked
records to the resend list, which delivery reads after its next hello; numbers and chain stay the owner's.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO

import apsw

from agent.adapters.ledger.connection import connect_beside, connect_to_read
from agent.adapters.ledger.opening import APPLICATION_ID, SCHEMA_VERSION
from agent.adapters.ledger.sql import SQL, rows, value
from agent.composition.ledger import Paths
from agent.config import ConfigInvalid, load
from agent.core.legible import legible
from agent.core.transaction import record_of

PARKED_SHOWN_MAX = 200
_EXPORT_ROWS = 500


class _Unreadable(Exception):
    """The ledger cannot be read; the message is for a person."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="what is waiting and what was rejected, by uplink")
    retry = actions.add_parser("retry", help="send rejected records again")
    export = actions.add_parser("export", help="write records as JSON lines; sealed fields are left out or stay sealed")
    for action in (listing, retry, export):
        where = action.add_mutually_exclusive_group(required=True)
        where.add_argument("--ledger", type=Path, metavar="FILE", help="the ledger's file")
        where.add_argument("--config", type=Path, metavar="FILE", help="the configuration, for its state directory")
    for action in (retry, export):
        action.add_argument("--uplink", metavar="NAME", help="only what concerns this uplink")
    retry.add_argument("seqs", nargs="*", type=int, metavar="SEQ", help="which records; with --all none")
    retry.add_argument("--all", action="store_true", help="all that were rejected, of ledgers set aside too")
    export.add_argument("--out", type=Path, metavar="FILE", help="a new file; standard output otherwise")
    what = export.add_mutually_exclusive_group()
    what.add_argument("--pending", action="store_true", help="only what is not settled with all, or with --uplink")
    what.add_argument("--parked", action="store_true", help="only what a platform rejected")


def run(args: argparse.Namespace) -> int:
    """Do one action; return 0 where it could be done, 1 where not, 2 for wrong usage."""
    if args.action == "retry" and bool(args.seqs) == args.all:
        print("error: name the records to send again, or --all", file=sys.stderr)
        return 2
    try:
        path = args.ledger or Paths(load(args.config).state_directory).ledger
        if not path.is_file():
            raise _Unreadable(f"there is no ledger at {path}")
        with closing(connect_beside(path) if args.action == "retry" else connect_to_read(path)) as connection:
            _require_ledger(connection, path)
            match args.action:
                case "list":
                    return _list(connection)
                case "retry":
                    return _retry(connection, args)
                case _:
                    return _export(connection, args)
    except (ConfigInvalid, _Unreadable) as error:
        print(f"error: {error}", file=sys.stderr)
    except apsw.BusyError:
        print("error: the ledger is busy: try again", file=sys.stderr)
    except apsw.Error as error:
        print(f"error: the ledger cannot be read ({type(error).__name__})", file=sys.stderr)
    return 1


def _require_ledger(connection: apsw.Connection, path: Path) -> None:
    if connection.pragma("application_id") != APPLICATION_ID:
        raise _Unreadable(f"{path} is not a ledger of Scanward")
    if connection.pragma("user_version") > SCHEMA_VERSION:
        raise _Unreadable(f"{path} was made by a later version of Scanward")


def _list(connection: apsw.Connection) -> int:
    head = value(connection, "head_seq")
    print(f"terminal  {value(connection, 'meta', ('terminal',))}")
    print(f"ledger    {value(connection, 'meta', ('ledger_id',)).hex()}, {head} records so far")
    cursors: dict[str, int] = dict(rows(connection, "cursors"))
    resending: dict[str, int] = dict(rows(connection, "resend_waiting"))
    if not cursors:
        print(f"uplinks   none has settled anything: {head} waiting{_oldest(connection, 0)}")
    for uplink, cursor in cursors.items():
        again = f", {resending[uplink]} to be sent again" if uplink in resending else ""
        print(f"uplink    {uplink}: {head - cursor} waiting behind {cursor}{_oldest(connection, cursor)}{again}")
    parked = rows(connection, "parked")
    for uplink, seq, reason, at_ms in parked[:PARKED_SHOWN_MAX]:
        print(f"parked    {uplink}: record {seq} of {_instant(at_ms)}: {legible(reason)}")
    if len(parked) > PARKED_SHOWN_MAX:
        print(f"parked    and {len(parked) - PARKED_SHOWN_MAX} more")
    for source, count in rows(connection, "salvaged_counts"):
        print(f"salvaged  {count} undelivered records of {source}")
    rejected = rows(connection, "salvaged_parked")
    for uplink, source, seq, reason, is_resend in rejected[:PARKED_SHOWN_MAX]:
        what = "to be sent again" if is_resend else legible(reason)
        print(f"parked    {uplink}: record {seq} of {source}: {what}")
    if len(rejected) > PARKED_SHOWN_MAX:
        print(f"parked    and {len(rejected) - PARKED_SHOWN_MAX} more of ledgers set aside")
    return 0


def _oldest(connection: apsw.Connection, after: int) -> str:
    oldest = rows(connection, "oldest_pending", (after,))
    return f", the oldest of {_instant(oldest[0][1])}" if oldest else ""


def _retry(connection: apsw.Connection, args: argparse.Namespace) -> int:
    connection.execute(SQL["begin"])  # one commit: a record is parked or on the resend list, never neither
    parked = [(u, seq) for u, seq, _, _ in rows(connection, "parked") if args.uplink in (None, u)]
    chosen = [key for key in parked if args.all or key[1] in args.seqs]
    salvaged = [row for row in rows(connection, "salvaged_parked") if args.all and args.uplink in (None, row[0])]
    for key in chosen:
        connection.execute(SQL["ask_resend"], key)
        connection.execute(SQL["unpark"], key)
    for uplink, source, seq, reason, _ in salvaged:
        connection.execute(SQL["put_salvaged_parked"], (uplink, source, seq, reason, 1))
    connection.execute(SQL["commit"])
    for uplink, seq in chosen:
        print(f"record {seq} will be sent to {uplink} again")
    for uplink, source, seq, _, _ in salvaged:
        print(f"record {seq} of {source} will be sent to {uplink} again")
    missing = sorted(set(args.seqs) - {seq for _, seq in chosen})
    for seq in missing:
        print(f"error: record {seq} is not parked", file=sys.stderr)
    return 1 if missing else 0


def _export(connection: apsw.Connection, args: argparse.Namespace) -> int:
    if args.out is None:
        _write(connection, args, sys.stdout)
        return 0
    try:
        with args.out.open("x", encoding="utf-8") as file:
            args.out.chmod(0o600)
            count = _write(connection, args, file)
    except OSError as error:
        raise _Unreadable(f"{args.out} cannot be written: {error.strerror}") from error
    print(f"{count} records in {args.out}")
    return 0


def _write(connection: apsw.Connection, args: argparse.Namespace, out: IO[str]) -> int:
    """Write records in short reads, so that the running agent is never held up by a reader."""
    count = 0
    for line in chain(_salvaged_lines(connection, args), _live_lines(connection, args)):
        print(json.dumps(line, ensure_ascii=True), file=out)
        count += 1
    return count


def _live_lines(connection: apsw.Connection, args: argparse.Namespace) -> Iterator[dict[str, object]]:
    cursors: dict[str, int] = dict(rows(connection, "cursors"))
    parked: dict[int, str] = {s: reason for u, s, reason, _ in rows(connection, "parked") if args.uplink in (None, u)}
    after = (cursors.get(args.uplink, 0) if args.uplink else min(cursors.values(), default=0)) if args.pending else 0
    while batch := rows(connection, "records_after", (after, _EXPORT_ROWS)):
        after = batch[-1][0]
        for seq, envelope, hash_ in batch:
            if seq in parked or not args.parked:
                yield _line(seq, envelope, hash_, parked.get(seq))


def _salvaged_lines(connection: apsw.Connection, args: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield what is left of ledgers that were set aside; "source" names the file, "ledger_id" the ledger."""
    wanted = [row for row in rows(connection, "salvaged_parked") if args.uplink in (None, row[0])]
    parked = {(source, seq): reason for _, source, seq, reason, _ in wanted}
    settled_seq: dict[str, int] = {s: seq for u, s, seq in rows(connection, "salvaged_cursors") if u == args.uplink}
    after: tuple[str, int] = ("", 0)
    while batch := rows(connection, "salvaged_after", (*after, _EXPORT_ROWS)):
        after = (batch[-1][0], batch[-1][1])
        for source, seq, envelope, hash_ in batch:
            is_parked = (source, seq) in parked
            is_pending = seq > settled_seq.get(source, 0) and not is_parked
            if (is_parked or not args.parked) and (is_pending or not args.pending):
                about = {"source": source, "ledger_id": _ledger_id_of(envelope)}
                yield about | _line(seq, envelope, hash_, parked.get((source, seq)))


def _line(seq: int, envelope: bytes, hash_: bytes, parked: str | None) -> dict[str, object]:
    line = {"seq": seq, "hash": hash_.hex(), **_shown(envelope), "envelope": envelope.hex()}
    return line if parked is None else line | {"parked": legible(parked)}


def _ledger_id_of(envelope: bytes) -> str:
    ledger_id = record_of(envelope).get(2)
    return ledger_id.hex() if isinstance(ledger_id, bytes) else ""


def _shown(envelope: bytes) -> dict[str, object]:
    """Return what may be read of a record: what was decided and when, nothing of whom."""
    record = record_of(envelope)
    names = {5: "kind", 10: "step", 11: "answer", 12: "reason", 13: "verdict", 15: "family", 23: "scanner"}
    shown: dict[str, object] = {name: record[number] for number, name in names.items() if number in record}
    stamp = record[6]
    if isinstance(stamp, list):
        shown |= {"earliest_ms": stamp[2], "latest_ms": stamp[3]}
    return shown | {"sealed": 8 in record}


def _instant(at_ms: int | None) -> str:
    if at_ms is None:
        return "unknown time"
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError):
        return "unknown time"
