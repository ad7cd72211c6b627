"""The page: terminals, commands, ledgers, records and alerts as HTML. Everything from outside is escaped.

The law: nothing personal but the first hex digits of a card id, opened for the moment of showing and not kept.
"""

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import x25519

from platform_stub.storage import archive, statements, terminal_statements
from platform_stub.storage.database import Database, Row
from platform_stub.web.tables import Cell, table, time_of
from platform_stub.web.terminal_rows import COMMANDS_COLUMNS, TERMINALS_COLUMNS, command_cells, terminal_cells
from platform_stub.wire.receipt import Status
from platform_stub.wire.record import ATTEMPT, DATA_KEY, REQUEST, Record, RecordMalformed, read_record
from platform_stub.wire.sealing import SealBroken, open_data_key, open_fields

RECORDS_SHOWN_MAX = 30
ALERTS_SHOWN_MAX = 20
COMMANDS_SHOWN_MAX = 20
TERMINALS_SHOWN_MAX = 50
LEDGERS_SHOWN_MAX = 50
DATA_KEYS_KEPT_MAX = 256
REQUEST_EVENTS = ("opened", "scanned", "confirmed", "cancelled", "items added", "lapsed")  # record.cddl, 25
CARD_DIGITS_SHOWN = 4
_ANSWERS = ("accept", "provisional", "ask", "refuse")
_VERDICTS = ("verified", "unverifiable", "refused", "verified online")
_log = logging.getLogger(__name__)


class Page:
    """Renders the state of the platform."""

    def __init__(self, database: Database, seal_key: x25519.X25519PrivateKey, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._seal_key = seal_key
        self._data_keys: dict[tuple[str, bytes, bytes], bytes | None] = {}

    async def whole(self, nonce: str) -> str:
        """Return the page; `nonce` is what its Content-Security-Policy allows."""
        return _template().replace("{nonce}", nonce).replace("{state}", await self.state())

    async def state(self) -> str:
        """Return the part that changes."""
        now_ms = self._now_ms()
        terminals = await self._database.read(terminal_statements.TERMINALS_SHOWN, (TERMINALS_SHOWN_MAX,))
        commands = await self._database.read(terminal_statements.COMMANDS_SHOWN, (COMMANDS_SHOWN_MAX,))
        ledgers = await self._database.read(statements.LEDGERS_SHOWN, (LEDGERS_SHOWN_MAX,))
        records = await self._database.read(statements.RECORDS_SHOWN, (RECORDS_SHOWN_MAX,))
        alerts = await self._database.read(statements.ALERTS_SHOWN, (ALERTS_SHOWN_MAX,))
        return "".join([
            table("Terminals", TERMINALS_COLUMNS, [terminal_cells(t, now_ms) for t in terminals]),
            table("Commands", COMMANDS_COLUMNS, [command_cells(c, now_ms) for c in commands]),
            table(
                "Ledgers",
                ("terminal", "ledger", "held without a hole", "known", "missing", "last heard"),
                [await self._ledger_cells(ledger) for ledger in ledgers],
            ),
            table(
                "Alerts",
                ("what", "terminal", "record", "other terminal", "other record", "when"),
                [_alert_cells(alert) for alert in alerts],
            ),
            table(
                "Latest records",
                ("terminal", "no.", "step", "answer", "why", "verdict", "family", "card", "scanner", "here", "when"),
                [await self._record_cells(record) for record in records],
            ),
        ])  # fmt: skip

    async def _ledger_cells(self, row: Row) -> tuple[Cell, ...]:
        terminal, ledger_id, head_seq, max_seq, known_seq, last_at_ms = row
        missing = "–"
        if max(max_seq, known_seq) > head_seq:
            runs = await archive.gaps(self._database, terminal, ledger_id)
            missing = ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in runs) or "–"
        return terminal, ledger_id.hex()[:8], str(head_seq), str(known_seq), missing, time_of(last_at_ms)

    async def _record_cells(self, row: Row) -> tuple[Cell, ...]:
        terminal, _, seq, kind, step, answer, reason, verdict, family, scanner, _, status, why, _, at_ms = row
        here = Status(status).name.lower() + ("" if why == "ok" else f": {why}")
        if kind == DATA_KEY:
            return terminal, str(seq), "data key", "", "", "", "", "", "", here, time_of(at_ms)
        if kind == REQUEST:
            event = REQUEST_EVENTS[read_record(row[13]).fields[25]]
            return terminal, str(seq), step, "request", event, "", "", "", "", here, time_of(at_ms)
        if kind == ATTEMPT:
            return terminal, str(seq), step, "attempt", "asked online", "", family, "", scanner, here, time_of(at_ms)
        return (
            terminal,
            str(seq),
            step or "",
            _ANSWERS[answer] if answer is not None else "",
            reason or "",
            _VERDICTS[verdict] if verdict is not None else "",
            family or "",
            await self._masked_card(row),
            scanner or "",
            here,
            time_of(at_ms),
        )

    async def _masked_card(self, row: Row) -> str:
        terminal, ledger_id, epoch, envelope = row[0], row[1], row[10], row[13]
        if epoch is None:
            return ""
        data_key = await self._data_key(terminal, ledger_id, epoch)
        if data_key is None:
            return "sealed"
        try:
            card = open_fields(read_record(envelope).fields, data_key).card
        except SealBroken:
            return "sealed"
        return card.hex()[:CARD_DIGITS_SHOWN] + "…" if card is not None else ""

    async def _data_key(self, terminal: str, ledger_id: bytes, epoch: bytes) -> bytes | None:
        """Return a data key from memory, or open it once. None is not remembered: its record may be under way."""
        place = (terminal, ledger_id, epoch)
        if place not in self._data_keys:
            rows = await self._database.read(statements.DATA_KEY, place)
            record = _readable(rows[0][0]) if rows else None
            if record is None:
                return None
            if len(self._data_keys) >= DATA_KEYS_KEPT_MAX:
                self._data_keys.clear()
            try:
                self._data_keys[place] = open_data_key(record.fields, self._seal_key)
            except SealBroken:
                _log.warning("a data key of %s does not open", terminal)
                self._data_keys[place] = None
        return self._data_keys[place]


def _readable(envelope: bytes) -> Record | None:
    try:
        return read_record(envelope)
    except RecordMalformed:
        return None


@cache
def _template() -> str:
    return Path(__file__).with_name("page.html").read_text(encoding="utf-8")


def _alert_cells(row: Row) -> tuple[Cell, ...]:
    kind, terminal, seq, other_terminal, other_seq, raised_at_ms = row
    other = (other_terminal, str(other_seq)) if other_terminal else ("–", "–")
    return kind, terminal, str(seq), *other, time_of(raised_at_ms)
