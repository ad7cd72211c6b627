"""What was sent and what came out, as two files of JSON lines: the driver's word, and the listening scanners'.

The driver writes what it is about to send before it sends it. Payloads are made up (lab/payloads.py).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

LINES_MAX = 100_000


class Expect(StrEnum):
    """What has to come of a scan: EXACT: itself. EITHER: itself or a fault. REFUSED: a fault, since it was cut."""

    EXACT = "exact"
    EITHER = "either"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Sent:
    """One scan as the driver sent it. data, aim: what has to come out; kind: of payload."""

    row: str
    kind: str
    scanner: str
    data: bytes
    aim: str | None = None
    expect: Expect = Expect.EXACT


@dataclass(frozen=True, slots=True)
class Heard:
    """One scan as a scanner of the agent emitted it; fault: the scan was refused."""

    scanner: str
    data: bytes
    aim: str | None = None
    fault: str | None = None


def sent_line(sent: Sent) -> str:
    """Return the journal's line."""
    fields = (sent.row, sent.kind, sent.scanner, sent.data.hex(), sent.aim, sent.expect.value)
    return json.dumps(fields) + "\n"


def heard_line(heard: Heard) -> str:
    """Return the journal's line."""
    return json.dumps((heard.scanner, heard.data.hex(), heard.aim, heard.fault)) + "\n"


def read_sent(path: Path) -> list[Sent]:
    """Read the driver's journal; one that is not there is empty."""
    return [Sent(r, k, s, bytes.fromhex(d), a, Expect(e)) for r, k, s, d, a, e in _lines(path)]


def read_heard(path: Path) -> list[Heard]:
    """Read what came out; a file that is not there is empty."""
    return [Heard(s, bytes.fromhex(d), a, f) for s, d, a, f in _lines(path)]


def _lines(path: Path) -> Iterator[list[str]]:
    if path.exists():
        lines = path.read_text(encoding="ascii").splitlines()
        if len(lines) > LINES_MAX:
            raise ValueError(f"{path.name} has {len(lines)} lines: nobody sent that many scans")
        yield from (json.loads(line) for line in lines)
