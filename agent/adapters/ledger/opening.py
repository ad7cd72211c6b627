"""Opening a ledger: make a new one, check an old one, set a damaged one aside. The agent comes up by itself.

A file is only ever renamed, never deleted. What can be read of one that was set aside is taken over by salvage.py.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import apsw

from agent.adapters.ledger.ballast import Ballast
from agent.adapters.ledger.connection import connect
from agent.adapters.ledger.sql import SCHEMA, SQL, rows, value
from agent.core.transaction import Chain, empty_chain, link, record_of
from agent.ports import LedgerBroken, LedgerFull, LedgerUnusable, Randomness

log = logging.getLogger(__name__)

APPLICATION_ID = 0x53434E57  # "SCNW"
SCHEMA_VERSION = 1
CHECK_STEPS_MAX = 1_000_000  # bounds the check at start to about a second; files of about 1 GB are checked whole
SET_ASIDE_MAX = 1_000
ROOM_BYTES_MIN = 262_144  # to open a ledger: the index of its log, the tables of a new one
_STEPS_PER_LOOK = 50_000
_FAILED_SYNCS = (apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC)  # never tried again


class Damaged(Exception):
    """The file is no whole ledger. The message says what was seen first, without content."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A ledger ready for its owner."""

    connection: apsw.Connection
    chain: Chain


def open_or_create(
    path: Path, terminal: str, randomness: Randomness, ballast: Ballast, *, vfs: str | None = None
) -> Opened:
    """Open the ledger at `path`; one that is damaged is set aside and a new one made. On a full disk the ballast goes.

    Raises LedgerUnusable where the file is another terminal's, made by a later version, or no file that may be written;
    LedgerFull; LedgerBroken.
    """
    if path.is_dir():
        raise LedgerUnusable(f"{path} is a folder, and the ledger is a file: move it away, and one is made")
    try:
        try:
            return _open_or_set_aside(path, terminal, randomness, vfs)
        except apsw.Error as error:
            if not _is_for_want_of_space(error, path) or not ballast.release():
                raise
            log.warning("no space to open the ledger: its ballast is given up", extra={"why": type(error).__name__})
            return _open_or_set_aside(path, terminal, randomness, vfs)
    except apsw.Error as error:
        raise translate(error, path) from error


def translate(error: apsw.Error, path: Path) -> LedgerFull | LedgerUnusable | LedgerBroken:
    """Return what is to be raised where SQLite cannot open the ledger."""
    if _is_for_want_of_space(error, path):
        return LedgerFull(
            f"no space to open the ledger, and its reserve is used up: free some on the disk of {path.parent}; what is "
            "stored is then delivered"
        )
    if isinstance(error, apsw.CantOpenError | apsw.ReadOnlyError | apsw.PermissionsError):
        return LedgerUnusable(
            f"the ledger {path} cannot be opened ({type(error).__name__}): its user must own it, what lies beside it "
            "under its name, and the folder"
        )
    return LedgerBroken(f"the ledger cannot be opened: {type(error).__name__}")


def _is_for_want_of_space(error: apsw.Error, path: Path) -> bool:
    """Say whether it is the full disk. SQLite says so of writes only; of its log's index it says "I/O error"."""
    if isinstance(error, apsw.FullError):
        return True
    if not isinstance(error, apsw.IOError | apsw.CantOpenError) or getattr(error, "extendedresult", 0) in _FAILED_SYNCS:
        return False
    disk = os.statvfs(path.parent)
    return disk.f_bavail * disk.f_frsize < ROOM_BYTES_MIN


def _open_or_set_aside(path: Path, terminal: str, randomness: Randomness, vfs: str | None) -> Opened:
    if not path.exists():
        _finish_setting_aside(path)
    try:
        return _open(path, terminal, randomness, vfs)
    except Damaged as damage:
        log.error("the ledger is damaged and was set aside", extra={"file": set_aside(path).name, "why": str(damage)})
        return _open(path, terminal, randomness, vfs)


def set_aside(path: Path) -> Path:
    """Rename the ledger (and its log) out of the way, with its owner stopped; return its new name.

    The next `open_or_create` starts a new ledger id and takes over what can be read. Raises LedgerUnusable.
    """
    aside = name_aside(path)
    # The database goes first: a crash in between leaves a log without its database, which _finish_setting_aside mends.
    path.rename(aside)
    _sync_directory(path)
    _move_log(path, aside)
    return aside


def name_aside(path: Path) -> Path:
    """Return the name under which the ledger would be set aside next. Raises LedgerUnusable where all are taken."""
    taken = files_set_aside(path)
    number = 1 + (int(taken[-1].name.rpartition("-")[2]) if taken else 0)
    if number > SET_ASIDE_MAX:
        raise LedgerUnusable(f"{len(taken)} ledgers were set aside beside {path}: find out why, and move them away")
    return _name_aside(path, number)


def files_set_aside(path: Path) -> list[Path]:
    """Return the files set aside beside this ledger, oldest first."""
    names = (_name_aside(path, number) for number in range(1, SET_ASIDE_MAX + 1))
    return [name for name in names if name.exists()]


def _name_aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.set-aside-{number}")


def _finish_setting_aside(path: Path) -> None:
    if _log_of(path).exists() and (aside := files_set_aside(path)):
        _move_log(path, aside[-1])


def _move_log(path: Path, aside: Path) -> None:
    if _log_of(path).exists():
        _log_of(path).rename(_log_of(aside))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    _sync_directory(path)


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path, terminal: str, randomness: Randomness, vfs: str | None) -> Opened:
    connection: apsw.Connection | None = None
    try:
        connection = connect(path, vfs=vfs)
        if value(connection, "is_empty_file"):
            _create(connection, path, terminal, randomness)
        _require_version(connection)
        _quick_check(connection)
        return Opened(connection, _read_chain(connection, terminal))
    except (apsw.CorruptError, apsw.NotADBError) as error:
        if connection is not None:
            connection.close(True)
        raise Damaged(type(error).__name__) from error
    except (apsw.Error, Damaged, LedgerUnusable):
        if connection is not None:
            connection.close(True)
        raise


def _create(connection: apsw.Connection, path: Path, terminal: str, randomness: Randomness) -> None:
    connection.execute(SQL["begin"])
    connection.execute(SCHEMA)
    connection.execute(SQL["insert_meta"], ("ledger_id", randomness.bytes(16)))
    connection.execute(SQL["insert_meta"], ("terminal", terminal))
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", SCHEMA_VERSION)
    connection.execute(SQL["commit"])
    _sync_directory(path)


def _require_version(connection: apsw.Connection) -> None:
    if connection.pragma("application_id") != APPLICATION_ID:
        raise Damaged("application id")
    version = connection.pragma("user_version")
    if version > SCHEMA_VERSION:
        raise LedgerUnusable(
            f"this ledger was made by a later version of Scanward (format {version}, this one reads {SCHEMA_VERSION}): "
            "install that version again, or move the file away"
        )


def _quick_check(connection: apsw.Connection) -> None:
    looks_left = CHECK_STEPS_MAX // _STEPS_PER_LOOK

    def is_enough() -> bool:
        nonlocal looks_left
        looks_left -= 1
        return looks_left < 0

    connection.set_progress_handler(is_enough, _STEPS_PER_LOOK)
    try:
        if value(connection, "quick_check") != "ok":
            raise Damaged("quick check")
    except apsw.InterruptError:
        log.info("the ledger is large: only its beginning was checked at start")
    finally:
        connection.set_progress_handler(None)


def _read_chain(connection: apsw.Connection, terminal: str) -> Chain:
    """Return where the chain stands, after checking that its last link holds."""
    ledger_id = value(connection, "meta", ("ledger_id",))
    owner = value(connection, "meta", ("terminal",))
    if not isinstance(ledger_id, bytes) or len(ledger_id) != 16 or not isinstance(owner, str):
        raise Damaged("identity")
    if owner != terminal:
        raise LedgerUnusable(
            f"this ledger belongs to terminal {owner!r}, and the configuration names {terminal!r}: "
            "give the terminal its name back, or move the ledger away once it is delivered"
        )
    chain = empty_chain(terminal, ledger_id)
    last = rows(connection, "last_records")
    if not last:
        return chain
    seq, envelope, hash_ = last[0]
    try:
        record = record_of(envelope)
    except ValueError as error:
        raise Damaged("last record") from error
    previous = chain.hash if seq == 1 else record.get(4)
    if len(last) == 2 and last[1][0] == seq - 1:  # pruning leaves holes behind what is parked
        previous = last[1][2]
    is_whole = record.get(2) == ledger_id and record.get(3) == seq and record.get(4) == previous
    if not is_whole or not isinstance(previous, bytes) or link(previous, seq, envelope) != hash_:
        raise Damaged("last link of the chain")
    return Chain(terminal, ledger_id, seq, hash_)
