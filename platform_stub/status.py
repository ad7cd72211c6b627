"""What a terminal says of itself (command.cddl, status): the newest is kept, with its time and carrier.

The law: a last will speaks of one connection only. It never takes the place of what was said outside that connection
later, and being lost never takes the place of having stopped in order.
"""

from dataclasses import dataclass
from enum import IntEnum

from platform_stub.storage import terminal_statements
from platform_stub.storage.database import Transaction
from platform_stub.wire.cose import Signed
from platform_stub.wire.fields import MILLISECONDS, SITE_ID, TERMINAL_ID, Check, one_of, short_text, text_up_to
from platform_stub.wire.message import read_signed_fields

STATUS_AAD = "scanward-status-1"
STATUS_BYTES_MAX = 9_216
REPORT_BYTES_MAX = 8_192
MQTT, HTTP = "mqtt", "http"


class State(IntEnum):
    """command.cddl, status."""

    ONLINE = 0
    OFFLINE = 1
    LOST = 2


@dataclass(frozen=True, slots=True)
class Status:
    """A status as signed. since_ms: when the connection it speaks of was made, where the terminal says so."""

    signed: Signed
    terminal: str
    site: str
    state: State
    at_ms: int
    software: str
    report: str
    since_ms: int | None


@dataclass(frozen=True, slots=True)
class HeldStatus:
    """What is kept. at_ms: when it was said, or came, whichever is earlier. lost_at_ms: the same of the last will.

    since_ms: a will from before this speaks of an earlier connection.
    """

    state: State
    at_ms: int
    since_ms: int
    lost_at_ms: int


_STATUS: dict[int, Check] = {
    1: TERMINAL_ID,
    2: SITE_ID,
    3: one_of(*State),
    4: MILLISECONDS,
    5: short_text(64),
    6: text_up_to(REPORT_BYTES_MAX),
    7: MILLISECONDS,
}


def read_status(data: bytes) -> Status:
    """Read a status; its signature is checked by the caller. Raises MessageInvalid."""
    signed, f = read_signed_fields("status", data, _STATUS, STATUS_BYTES_MAX, optional={7})
    return Status(signed, f[1], f[2], State(f[3]), f[4], f[5], f[6], f.get(7))


def is_news(said: Status, held: HeldStatus | None) -> bool:
    """Say whether a status tells more than the one held."""
    if held is None:
        return True
    if said.state is not State.LOST:
        return (said.at_ms, said.state) > (held.at_ms, held.state)
    if held.state is State.OFFLINE and said.at_ms <= held.at_ms:
        return False
    return said.at_ms >= max(held.since_ms, held.lost_at_ms)


async def store_status(db: Transaction, said: Status, carrier: str, at_ms: int) -> bool:
    """Keep a status where it is news, and say whether it was."""
    rows = list(await db.rows(terminal_statements.STATUS, (said.terminal,)))
    held = HeldStatus(State(rows[0][0]), *rows[0][1:4]) if rows else None
    if not is_news(said, held):
        return False
    # A clock that ran ahead must not silence the terminal once it is right again.
    came_ms = min(said.at_ms, at_ms)
    if held is not None and said.state is State.LOST:  # what it last said of itself stays the last that is known
        await db.execute(terminal_statements.LOST, (int(said.state), came_ms, said.terminal))
        return True
    instants = (came_ms, _since(said, carrier), held.lost_at_ms if held is not None else 0)
    if said.state is State.LOST:
        instants = (0, 0, came_ms)
    row = (said.terminal, int(said.state), *instants, at_ms, carrier)
    await db.execute(terminal_statements.UPSERT_STATUS, (*row, _storable(said.software), _storable(said.report)))
    return True


async def store_carrier(db: Transaction, terminal: str, carrier: str, at_ms: int) -> None:
    """Take note of how a terminal's last hello came."""
    await db.execute(terminal_statements.UPSERT_CARRIER, (terminal, carrier, at_ms))


def _since(said: Status, carrier: str) -> int:
    """Return when the connection was made. Unsaid: over HTTP no will can belong to it; over MQTT any may."""
    if said.since_ms is not None:
        return said.since_ms
    return said.at_ms if carrier == HTTP else 0


def _storable(text: str) -> str:
    """Return the text without NUL, which a database may not be able to hold."""
    return text.replace("\x00", "\ufffd")
