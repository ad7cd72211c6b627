"""The verdict: the driver's journal against what the display showed and what the platform's database holds.

Nothing here asks the agent. A floor on the number of scans makes an empty run fail.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from demo.journal import Journal, Presented

SCANS_MIN = 26

ANSWERS = ("accept", "provisional", "ask", "refuse")  # record.cddl, answer

RECORDS = "SELECT ledger_id, seq, hash, answer, reason, step, scanner, replay_id FROM records WHERE kind = 0"


@dataclass(frozen=True, slots=True)
class Held:
    """One decision as the platform's database holds it."""

    identity: tuple[str, int]
    hash: str
    answer: str
    reason: str
    step: str
    scanner: str
    replay_id: bytes | None

    def is_what_was_shown(self, one: Presented) -> bool:
        """Say whether it is the very record and decision that the display showed for that scan."""
        shown = one.shown or {}
        return (
            self.hash == shown.get("hash")
            and (self.answer, self.reason, self.step) == (shown.get("answer"), shown.get("reason"), shown.get("step"))
            and self.scanner == one.scanner
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The counts behind the last line; faults says in words what was wrong."""

    scans: int
    as_expected: int
    delivered: int
    lost: int
    twice: int
    faults: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Say whether every scan went as it had to and arrived once."""
        is_whole = self.scans == self.as_expected == self.delivered and self.scans >= SCANS_MIN
        return is_whole and self.lost == 0 and self.twice == 0 and not self.faults

    def __str__(self) -> str:
        """Return the last line of the demonstration."""
        return (
            f"demo: {self.scans} scans, {self.as_expected} as expected, {self.delivered} delivered, "
            f"{self.lost} lost, {self.twice} twice"
        )


def judge(journal: Journal, database: Path, logs: list[Path]) -> Verdict:
    """Compare the journal with the platform's database, and look for secrets in the logs."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = [
            Held((bytes(ledger_id).hex(), seq), bytes(hash_).hex(), ANSWERS[answer], *rest)
            for ledger_id, seq, hash_, answer, *rest in connection.execute(RECORDS)
        ]
        alerts = [kind for (kind,) in connection.execute("SELECT kind FROM alerts")]
    held: dict[tuple[str, int], list[Held]] = {}
    for row in rows:
        held.setdefault(row.identity, []).append(row)
    faults = [f"the platform raised {kind} for a terminal that did nothing wrong" for kind in alerts]
    faults += journal.faults + _race_faults(journal) + _leaks(journal, logs)
    shown = {one.identity for one in journal.presented if one.identity is not None}
    if len(shown) != sum(one.identity is not None for one in journal.presented):
        faults.append("two scans were shown as the same record")
    if journal.unasked:
        faults.append(f"{len(journal.unasked)} decisions were shown that nothing was presented for")
    delivered = sum(_is_held(one, held) for one in journal.presented)
    return Verdict(
        scans=len(journal.presented),
        as_expected=sum(one.is_as_expected for one in journal.presented) - len(_race_faults(journal)),
        delivered=delivered,
        lost=len(journal.presented) - delivered,
        twice=_twice(rows, held, shown),
        faults=tuple(faults),
    )


def identities_held(database: Path) -> set[tuple[str, int]]:
    """Return (ledger id, seq) of every record that the platform holds."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT ledger_id, seq FROM records").fetchall()
    return {(bytes(ledger_id).hex(), seq) for ledger_id, seq in rows}


def _is_held(one: Presented, held: dict[tuple[str, int], list[Held]]) -> bool:
    """Say whether the platform holds exactly what was shown."""
    return one.identity is not None and any(row.is_what_was_shown(one) for row in held.get(one.identity, ()))


def _twice(rows: list[Held], held: dict[tuple[str, int], list[Held]], shown: set[tuple[str, int]]) -> int:
    """Count records held twice, decisions nobody saw, and one-time codes accepted more than once."""
    copies = sum(len(same) - 1 for same in held.values())
    unseen = len(held.keys() - shown)
    uses = [row.replay_id for row in rows if row.replay_id is not None and row.answer != "refuse"]
    return copies + unseen + len(uses) - len(set(uses))


def _race_faults(journal: Journal) -> list[str]:
    """Return a fault for each race that did not end with exactly one acceptance and one replay."""
    faults = list[str]()
    for number, pair in journal.races().items():
        outcomes = sorted(str(one.shown["answer"]) if one.shown else "nothing" for one in pair)
        reasons = sorted(str(one.shown["reason"]) if one.shown else "" for one in pair)
        if outcomes != ["accept", "refuse"] or reasons != ["ok", "replay.used"]:
            faults.append(f"race {number} ended with {' and '.join(outcomes)}")
    return faults


def _leaks(journal: Journal, logs: list[Path]) -> list[str]:
    """Look for each planted secret in each log, in any case of letters; nothing to look at is a fault, too."""
    faults = list[str]()
    if not journal.secrets:
        faults.append("no secret was planted, so none could be found")
    for log in logs:
        text = log.read_text(errors="replace").upper()
        if not text:
            faults.append(f"{log.name} is empty, so it proves nothing")
        faults += [f"{log.name} holds secret {n}" for n, s in enumerate(journal.secrets) if s.upper() in text]
    return faults
