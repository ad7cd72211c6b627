"""What the platform asks of terminals (command.cddl): signed, kept until answered or over, handed out again till then.

The law: a command is stored before it is handed out; the first answer of its own terminal counts, later ones change
nothing. Another process gives one by leaving it, signed, in DIR/commands.
"""

import re
import secrets
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519

from platform_stub.files import write_file
from platform_stub.storage import terminal_statements
from platform_stub.storage.database import Transaction
from platform_stub.wire import cbor, cose
from platform_stub.wire.cose import Signed, is_signed_by
from platform_stub.wire.fields import MILLISECONDS, TERMINAL_ID, Check, octets, one_of, text, text_up_to
from platform_stub.wire.message import MessageInvalid, read_signed_fields

COMMAND_AAD, ANSWER_AAD = "scanward-command-1", "scanward-answer-1"
COMMAND_BYTES_MAX = 4_096
ANSWER_BYTES_MAX = 4_608
SAID_BYTES_MAX = 4_096
KINDS = ("refresh-trust", "diagnostics", "reload", "identify")
HANDED_OUT_MAX = 16  # in one answer to a hello
WAITING_MAX = 64  # for one terminal
FILES_READ_MAX = 256  # at one look
LIFE_S_DEFAULT, LIFE_S_MAX = 3_600, 604_800
SUFFIX = ".command"
_NAME = re.compile(r"[0-9a-f]{32}\.command")


class CommandInvalid(Exception):
    """A command cannot be given; the message says why."""


class Outcome(IntEnum):
    """command.cddl, answer."""

    DONE = 0
    FAILED = 1
    OVER = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Command:
    """A command and the bytes that were signed."""

    id: bytes
    terminal: str
    kind: str
    issued_at_ms: int
    over_at_ms: int
    signed: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A terminal's answer. said: what came of it, for people."""

    signed: Signed
    command_id: bytes
    terminal: str
    outcome: Outcome
    said: str
    at_ms: int


_ID = octets(16)
_COMMAND: dict[int, Check] = {
    1: _ID, 2: TERMINAL_ID, 3: text(r"[a-z][a-z-]{0,31}"), 4: MILLISECONDS, 5: MILLISECONDS,
}  # fmt: skip
_ANSWER: dict[int, Check] = {
    1: _ID, 2: TERMINAL_ID, 3: one_of(*Outcome), 4: text_up_to(SAID_BYTES_MAX), 5: MILLISECONDS,
}  # fmt: skip


def sign_command(key: ed25519.Ed25519PrivateKey, terminal: str, kind: str, at_ms: int, life_s: int) -> Command:
    """Make a command that is over after `life_s`. Raises CommandInvalid."""
    if kind not in KINDS:
        raise CommandInvalid(f"kind is one of {', '.join(KINDS)}")
    if not 1 <= life_s <= LIFE_S_MAX:
        raise CommandInvalid(f"life is 1 to {LIFE_S_MAX} seconds")
    command_id, over_at_ms = secrets.token_bytes(16), at_ms + life_s * 1000
    payload = cbor.encode({1: command_id, 2: terminal, 3: kind, 4: at_ms, 5: over_at_ms})
    return Command(command_id, terminal, kind, at_ms, over_at_ms, cose.sign(key, COMMAND_AAD, payload))


def read_command(data: bytes, key: ed25519.Ed25519PublicKey) -> Command:
    """Read a command that this key must have signed. Raises MessageInvalid."""
    signed, f = read_signed_fields("command", data, _COMMAND, COMMAND_BYTES_MAX)
    if not is_signed_by(key, COMMAND_AAD, signed):
        raise MessageInvalid("command: not signed with the platform's key for commands")
    return Command(f[1], f[2], f[3], f[4], f[5], data)


def read_answer(data: bytes) -> Answer:
    """Read an answer; its signature is checked by the caller. Raises MessageInvalid."""
    signed, f = read_signed_fields("answer", data, _ANSWER, ANSWER_BYTES_MAX)
    return Answer(signed, f[1], f[2], Outcome(f[3]), f[4], f[5])


def leave(directory: Path, command: Command) -> None:
    """Leave a command where the running platform finds it, or the next one that is started."""
    directory.mkdir(exist_ok=True)
    write_file(directory / f"{command.id.hex()}{SUFFIX}", command.signed)


def left(directory: Path) -> list[Path]:
    """Return the files that were left, at most FILES_READ_MAX of them."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name))[:FILES_READ_MAX]


def set_aside(path: Path) -> None:
    """Rename a file that holds no command that can be given: nobody reads it again, and nothing is lost."""
    path.replace(path.with_name(f"{path.name}.refused"))


def take_away(path: Path) -> None:
    """Delete the file of a command that is stored."""
    path.unlink(missing_ok=True)


async def store_command(db: Transaction, command: Command, at_ms: int) -> bool:
    """Keep a command; say whether there was room. The same one again is kept once."""
    (row,) = await db.rows(terminal_statements.COUNT_WAITING, (command.terminal, at_ms))
    if row[0] >= WAITING_MAX:
        return False
    columns = (command.id, command.terminal, command.kind, command.issued_at_ms, command.over_at_ms, command.signed)
    await db.execute(terminal_statements.INSERT_COMMAND, columns)
    return True


async def hand_out(db: Transaction, terminal: str, at_ms: int) -> list[bytes]:
    """Return the commands that wait for a terminal, oldest first, and note that they were handed out."""
    rows = await db.rows(terminal_statements.WAITING, (terminal, at_ms, HANDED_OUT_MAX))
    for row in rows:
        await db.execute(terminal_statements.HANDED_OUT, (at_ms, row[0]))
    return [row[1] for row in rows]


async def store_answer(db: Transaction, answer: Answer, at_ms: int) -> bool:
    """Keep the first answer to a command; say whether the terminal was given that command."""
    if not list(await db.rows(terminal_statements.COMMAND_OF, (answer.command_id, answer.terminal))):
        return False
    said = answer.said.replace("\x00", "\ufffd")  # which a database may not be able to hold
    row = (int(answer.outcome), said, answer.at_ms, at_ms, answer.command_id)
    await db.execute(terminal_statements.ANSWERED, row)
    return True
