"""The verdict: the driver's journal against what the scanners emitted. Pure; it asks neither kernel nor agent.

Every scan that was sent has come out exactly, or was refused aloud, or is silently wrong. What came out and was never
sent is silently wrong. The floors below make a run fail that proved nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.journal import Expect, Heard, Sent

SCANS_MIN = 350
LAYOUTS = ("us", "uk", "de", "fr", "es", "it", "jp", "cn")
ROWS_MIN: Mapping[str, int] = {
    **{f"keyboard.{layout}": 7 for layout in LAYOUTS},
    "keyboard.usb": 3,
    "hid": 9,
    "hid.usb": 4,
    "serial": 18,
    "serial.aim": 3,
    "camera": 6,
    "camera.next": 4,
    "keyboard.caps": 3,
    "keyboard.dead": 6,
    "keyboard.alt": 2,
    "two at once": 14,
    "eight at once": 56,
    "hot-plug": 1,
    "unplug.serial": 4,
    "unplug.keyboard": 4,
    "unplug.hid": 4,
    "unplug.camera": 2,
    "stall.serial": 4,
    "stall.keyboard": 4,
    "stall.hid": 4,
    "flood.serial": 100,
    "flood.keyboard": 100,
    "flood.hid": 100,
    "agent": 4,
}
KINDS_MIN: Mapping[str, int] = {
    **dict.fromkeys(("ehc1", "hc1", "shc", "vds-nc", "gs1", "aim", "url"), 12),
    "utf-8": 4,
    "gb18030": 2,
    "half": 6,
}
FAULTS_MIN: Mapping[tuple[str, str], int] = {  # what was done to these rows has to have had its effect
    ("flood.serial", "flood"): 1,
    ("flood.keyboard", "flood"): 1,
    ("flood.hid", "flood"): 1,
    ("stall.keyboard", "lost"): 4,
}
EXACT_MIN = 0.95  # of what had to come out exactly: refusing everything aloud is no scanner
COVERS_MANY = frozenset({"lost", "flood"})  # one such fault speaks for every scan since the last one that came out


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. needless: refused though nothing was done to it; faults: as what it was refused."""

    scans: int = 0
    exact: int = 0
    refused: int = 0
    silent: int = 0
    needless: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The table, and in words what is wrong. invented: what came out and was never sent."""

    rows: Mapping[str, Row]
    invented: int
    faults: tuple[str, ...]

    @property
    def scans(self) -> int:
        """How many scans were judged, those that nobody sent among them."""
        return sum(row.scans for row in self.rows.values()) + self.invented

    @property
    def silent(self) -> int:
        """How many were silently wrong."""
        return sum(row.silent for row in self.rows.values()) + self.invented

    @property
    def is_good(self) -> bool:
        """Say whether enough was sent and nothing was silently wrong."""
        return self.scans > 0 and self.silent == 0 and not self.faults

    def __str__(self) -> str:
        """Return the last line of the laboratory."""
        return f"lab: {self.scans - self.silent} of {self.scans} exact or refused aloud, {self.silent} silently wrong"


def judge(
    sent: Sequence[Sent],
    heard: Iterable[Heard],
    rows_min: Mapping[str, int] = ROWS_MIN,
    kinds_min: Mapping[str, int] = KINDS_MIN,
    scans_min: int = SCANS_MIN,
    faults_min: Mapping[tuple[str, str], int] = FAULTS_MIN,
) -> Verdict:
    """Compare what was sent with what came out, scanner by scanner, in order."""
    by_scanner: dict[str, tuple[list[Sent], list[Heard]]] = {}
    for one in sent:
        by_scanner.setdefault(one.scanner, ([], []))[0].append(one)
    for came in heard:
        by_scanner.setdefault(came.scanner, ([], []))[1].append(came)
    outcomes: list[Outcome] = []
    invented, words = 0, list[str]()
    for name, (those_sent, those_heard) in by_scanner.items():
        found, strange = _follow(those_sent, those_heard)
        outcomes += found
        invented += len(strange)
        words += [f"{name} emitted {len(came.data)} bytes that nobody sent" for came in strange]
    rows = _table(outcomes)
    words += [f"{one.scanner}, {one.kind} ({one.row}): {what}" for one, what, _ in outcomes if what in WRONG]
    words += _below_floors(rows, Counter(one.kind for one in sent), rows_min, kinds_min, scans_min)
    words += [
        f"row {name}: {rows[name].faults.get(fault, 0)} refused as {fault}, {least} at least"
        for (name, fault), least in faults_min.items()
        if name in rows and rows[name].faults.get(fault, 0) < least
    ]
    must = [what for one, what, _ in outcomes if one.expect is Expect.EXACT]
    if must and must.count(EXACT) < EXACT_MIN * len(must):
        words.append(f"only {must.count(EXACT)} of {len(must)} scans that nothing was done to came out exactly")
    return Verdict(rows, invented, tuple(words))


EXACT, REFUSED, NEEDLESS = "exact", "refused", "refused without need"
MISSING, WHOLE, TWICE = "neither came out nor was refused", "came out whole though it was cut", "came out twice"
WRONG = frozenset({MISSING, WHOLE, TWICE})
Outcome = tuple[Sent, str, str | None]  # a scan, what came of it, the fault it was refused with


def _follow(sent: Sequence[Sent], heard: Iterable[Heard]) -> tuple[list[Outcome], list[Heard]]:
    """Follow one scanner: what came of each scan, and what came that was never sent, or sent before another one."""
    outcomes: list[Outcome] = []
    strange: list[Heard] = []
    faults: list[str] = []
    next_sent = 0
    for came in heard:
        if came.fault is not None:
            faults.append(came.fault)
            continue
        at = next((i for i in range(next_sent, len(sent)) if _is_it(came, sent[i])), None)
        if at is None:
            strange.append(came)
            continue
        outcomes += _passed_over(sent[next_sent:at], faults)
        outcomes.append((sent[at], WHOLE if sent[at].expect is Expect.REFUSED else EXACT, None))
        faults, next_sent = [], at + 1
    return outcomes + _passed_over(sent[next_sent:], faults), strange


def _is_it(came: Heard, sent: Sent) -> bool:
    return came.data == sent.data and (sent.aim is None or came.aim == sent.aim)


def _passed_over(sent: Sequence[Sent], faults: Sequence[str]) -> list[Outcome]:
    """Say what came of scans that did not come out: each needs a fault, unless one fault speaks for many."""
    many = next((fault for fault in faults if fault in COVERS_MANY), None)
    spoken = [*faults, *[many] * len(sent)] if many is not None else faults
    refused = [
        (one, NEEDLESS if one.expect is Expect.EXACT else REFUSED, fault)
        for one, fault in zip(sent, spoken, strict=False)
    ]
    return [*refused, *((one, MISSING, None) for one in sent[len(refused) :])]


def _table(outcomes: Iterable[Outcome]) -> dict[str, Row]:
    counts: dict[str, Counter[str]] = {}
    faults: dict[str, Counter[str]] = {}
    for one, what, fault in outcomes:
        counts.setdefault(one.row, Counter())[what] += 1
        faults.setdefault(one.row, Counter()).update([fault] if fault else [])
    return {
        row: Row(
            scans=count.total(),
            exact=count[EXACT],
            refused=count[REFUSED] + count[NEEDLESS],
            silent=sum(count[what] for what in WRONG),
            needless=count[NEEDLESS],
            faults=dict(faults[row]),
        )
        for row, count in counts.items()
    }


def _below_floors(
    rows: Mapping[str, Row],
    kinds: Mapping[str, int],
    rows_min: Mapping[str, int],
    kinds_min: Mapping[str, int],
    scans_min: int,
) -> list[str]:
    scans = sum(row.scans for row in rows.values())
    words = [f"{scans} scans were sent, {scans_min} at least prove something"] if scans < scans_min else []
    words += [
        f"row {name}: {rows[name].scans if name in rows else 0} scans, {least} at least"
        for name, least in rows_min.items()
        if (rows[name].scans if name in rows else 0) < least
    ]
    return words + [
        f"kind {kind}: {kinds.get(kind, 0)} scans, {least} at least"
        for kind, least in kinds_min.items()
        if kinds.get(kind, 0) < least
    ]
