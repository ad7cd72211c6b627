"""Rows about terminals and commands, for the page and for `scanward-platform commands`.

A terminal that says it is online and has not been heard of for long is shown as silent: only MQTT reports a lost one.
"""

import json
from collections.abc import Sequence
from typing import Any

from platform_stub.commands import Outcome
from platform_stub.status import State
from platform_stub.web.tables import Cell, Mark, span_of, time_of

SILENT_AFTER_MS = 15 * 60 * 1000  # three hellos missed
SAID_CHARACTERS_SHOWN_MAX = 120
INSTANT_MS_MAX = 253_402_300_799_000  # the year 9999: a terminal may say anything
TERMINALS_COLUMNS = ("terminal", "site", "state", "over", "software", "waiting", "trust list", "last heard")
COMMANDS_COLUMNS = ("terminal", "command", "given", "over at", "state", "what came of it")
_MISSING = Mark("–", "none")
_LOOKS = {State.ONLINE: "good", State.OFFLINE: "none", State.LOST: "bad"}
_OUTCOME_LOOKS = {Outcome.DONE: "good", Outcome.FAILED: "bad", Outcome.OVER: "none", Outcome.UNKNOWN: "bad"}


def terminal_cells(row: Sequence[Any], now_ms: int) -> tuple[Cell, ...]:
    """Return the cells of a row of terminal_statements.TERMINALS_SHOWN."""
    terminal, site, said_software, seen_at_ms, hello_carrier, state, came_at_ms, software, report, carrier = row
    heard_at_ms = max(seen_at_ms or 0, came_at_ms or 0)
    content = _content(report)
    return (
        terminal,
        site,
        _state(state, heard_at_ms, now_ms),
        hello_carrier or carrier or _MISSING,
        software or said_software or _MISSING,
        _waiting(content),
        _trust(content),
        time_of(heard_at_ms) if heard_at_ms else Mark("never", "none"),
    )


def command_cells(row: Sequence[Any], now_ms: int) -> tuple[Cell, ...]:
    """Return the cells of a row of terminal_statements.COMMANDS_SHOWN."""
    _, terminal, kind, issued_at_ms, over_at_ms, _, _, said, _ = row
    shown = said or ""
    if len(shown) > SAID_CHARACTERS_SHOWN_MAX:
        shown = shown[:SAID_CHARACTERS_SHOWN_MAX] + "…"
    times = (time_of(min(at_ms, INSTANT_MS_MAX)) for at_ms in (issued_at_ms, over_at_ms))
    return terminal, kind, *times, command_state(row, now_ms), shown


def command_state(row: Sequence[Any], now_ms: int) -> Mark:
    """Return how far a command has come."""
    over_at_ms, handed_out_at_ms, outcome = row[4], row[5], row[6]
    if outcome is not None:
        return Mark(Outcome(outcome).name.lower(), _OUTCOME_LOOKS[Outcome(outcome)])
    if over_at_ms < now_ms:
        return Mark("over, not answered", "bad")
    return Mark("handed out" if handed_out_at_ms is not None else "waiting", "open")


def _state(state: int | None, heard_at_ms: int, now_ms: int) -> Mark:
    if state is None:
        return _MISSING
    if state == State.ONLINE and now_ms - heard_at_ms > SILENT_AFTER_MS:
        return Mark("silent", "bad")
    return Mark(State(state).name.lower(), _LOOKS[State(state)])


def _content(report: str | None) -> dict[str, Any]:
    """Return a terminal's report; nothing where it is none."""
    try:
        content = json.loads(report or "{}")
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _waiting(content: dict[str, Any]) -> Cell:
    """Return how many records wait for the slowest uplink."""
    uplinks = content.get("uplinks", content.get("uplink"))
    if isinstance(uplinks, dict):
        uplinks = [uplinks, *uplinks.values()]
    if not isinstance(uplinks, list):
        return _MISSING
    counts = [count for uplink in uplinks if isinstance(uplink, dict) and type(count := uplink.get("waiting")) is int]
    return str(max(counts)) if counts else _MISSING


def _trust(content: dict[str, Any]) -> Cell:
    trust = content.get("trust")
    if not isinstance(trust, dict) or type(trust.get("version")) is not int:
        return _MISSING
    age_s = trust.get("age_s")
    age = f", {span_of(age_s)} old" if type(age_s) is int and 0 <= age_s < 10**12 else ""
    text = f"{trust['version']}{age}"
    return Mark(text, "bad") if trust.get("freshness") not in (None, "fresh") else text
