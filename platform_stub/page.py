"""The page: terminals, ledgers, records and alerts as HTML. Everything from outside is escaped.

The law: nothing personal but the first hex digits of a card id, opened for the moment of showing and not kept.
"""

import logging
import sqlite3
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import x25519

from platform_stub import archive, statements
from platform_stub.database import Database
from platform_stub.receipt import Status
from platform_stub.record import DATA_KEY, Record, RecordMalformed, read_record
from platform_stub.sealing import SealBroken, open_data_key, open_fields

RECORDS_SHOWN_MAX = 30
ALERTS_SHOWN_MAX = 20
TERMINALS_SHOWN_MAX = 50
LEDGERS_SHOWN_MAX = 50
DATA_KEYS_KEPT_MAX = 256
CARD_DIGITS_SHOWN = 4
_ANSWERS = ("accept", "provisional", "ask", "refuse")
_VERDICTS = ("verified", "unverifiable", "refused", "verified online")
_log = logging.getLogger(__name__)


class Page:
    """Renders the state of the platform."""

    def __init__(self, database: Database, seal_key: x25519.X25519PrivateKey) -> None:
        self._database = database
        self._seal_key = seal_key
        self._data_keys: dict[tuple[str, bytes, bytes], bytes | None] = {}

    async def whole(self, nonce: str) -> str:
        """Return the page; `nonce` is what its Content-Security-Policy allows."""
        return _template().replace("{nonce}", nonce).replace("{state}", await self.state())

    async def state(self) -> str:
        """Return the part that changes."""
        terminals = await self._database.read(statements.TERMINALS_SHOWN, (TERMINALS_SHOWN_MAX,))
        ledgers = await self._database.read(statements.LEDGERS_SHOWN, (LEDGERS_SHOWN_MAX,))
        records = await self._database.read(statements.RECORDS_SHOWN, (RECORDS_SHOWN_MAX,))
        alerts = await self._database.read(statements.ALERTS_SHOWN, (ALERTS_SHOWN_MAX,))
        return "".join([
            _table("Terminals", ("terminal", "site", "software", "last seen"), [_terminal_cells(t) for t in terminals]),
            _table(
                "Ledgers",
                ("terminal", "ledger", "held without a hole", "known", "missing", "last heard"),
                [await self._ledger_cells(ledger) for ledger in ledgers],
            ),
            _table(
                "Alerts",
                ("what", "terminal", "record", "other terminal", "other record", "when"),
                [_alert_cells(alert) for alert in alerts],
            ),
            _table(
                "Latest records",
                ("terminal", "no.", "step", "answer", "why", "verdict", "family", "card", "scanner", "here", "when"),
                [await self._record_cells(record) for record in records],
            ),
        ])  # fmt: skip

    async def _ledger_cells(self, row: sqlite3.Row) -> tuple[str, ...]:
        terminal, ledger_id, head_seq, max_seq, known_seq, last_at_ms = row
        missing = "–"
        if max(max_seq, known_seq) > head_seq:
            runs = await archive.gaps(self._database, terminal, ledger_id)
            missing = ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in runs) or "–"
        return terminal, ledger_id.hex()[:8], str(head_seq), str(known_seq), missing, _time(last_at_ms)

    async def _record_cells(self, row: sqlite3.Row) -> tuple[str, ...]:
        terminal, _, seq, kind, step, answer, reason, verdict, family, scanner, _, status, why, _, at_ms = row
        here = Status(status).name.lower() + ("" if why == "ok" else f": {why}")
        if kind == DATA_KEY:
            return terminal, str(seq), "data key", "", "", "", "", "", "", here, _time(at_ms)
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
            _time(at_ms),
        )

    async def _masked_card(self, row: sqlite3.Row) -> str:
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


def _terminal_cells(row: sqlite3.Row) -> tuple[str, ...]:
    terminal, site, last_seen_at_ms, software = row
    return terminal, site, software or "–", _time(last_seen_at_ms) if last_seen_at_ms else "never"


def _alert_cells(row: sqlite3.Row) -> tuple[str, ...]:
    kind, terminal, seq, other_terminal, other_seq, raised_at_ms = row
    other = (other_terminal, str(other_seq)) if other_terminal else ("–", "–")
    return kind, terminal, str(seq), *other, _time(raised_at_ms)


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    if not rows:
        body = f'<tr><td class="none" colspan="{len(columns)}">none</td></tr>'
    return f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
