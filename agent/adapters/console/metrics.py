"""Figures of the running agent: counts kept in plain numbers, and what else is read when somebody asks.

The law: counting costs nothing to speak of, label sets are bounded, and no label or value is a person's. How they are
written for Prometheus is prometheus.py's.
"""

from bisect import bisect_left
from collections import Counter

import msgspec

from agent.core.decision import Decision

LABELS_MAX = 128  # combinations of answer, family and step; what comes beyond is counted under "other"
LATENCY_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Counts:
    """What has happened since the start."""

    def __init__(self) -> None:
        self.decisions = Counter[tuple[str, str, str]]()
        self.latency = [0] * (len(LATENCY_S) + 1)  # by bucket; the last is beyond all
        self.latency_sum_s = 0.0
        self.loop_lag_s = 0.0

    def decided(self, decision: Decision) -> None:
        """Count a decision."""
        labels = (decision.answer.name.lower(), decision.verdict.family, decision.step)
        if labels not in self.decisions and len(self.decisions) >= LABELS_MAX:
            labels = (labels[0], "other", "other")
        self.decisions[labels] += 1

    def passed(self, took_ms: int) -> None:
        """Count how long a scan took until its decision was shown."""
        self.latency[bisect_left(LATENCY_S, took_ms / 1000)] += 1
        self.latency_sum_s += took_ms / 1000


class _Uplink(msgspec.Struct, frozen=True):
    name: str
    is_up: bool | None = None
    cursor: int = 0
    waiting: int = 0
    carrier: str | None = None


class _Trust(msgspec.Struct, frozen=True):
    version: int
    age_s: float
    freshness: str


class _Scanner(msgspec.Struct, frozen=True):
    id: str
    presence: str | None = None
    scans: int | None = None
    faults: dict[str, int] = {}
    repeats: int = 0
    dropped: int = 0


class _Ledger(msgspec.Struct, frozen=True):
    head_seq: int


class Status(msgspec.Struct, frozen=True):
    """What the figures take from GET /v1/status; what else is in it is left alone."""

    ledger: _Ledger
    uplink: _Uplink | None = None
    uplinks: tuple[_Uplink, ...] = ()
    trust: _Trust | None = None
    scanners: tuple[_Scanner, ...] = ()

    @property
    def all_uplinks(self) -> tuple[_Uplink, ...]:
        """Every way to a platform."""
        return self.uplinks or ((self.uplink,) if self.uplink is not None else ())


class LedgerFigures(msgspec.Struct, frozen=True):
    """What only the ledger knows. oldest_age_s: of the oldest record that is not delivered; None: there is none."""

    appended: int = 0
    commits_failed: int = 0
    oldest_age_s: float | None = None


class Figures(msgspec.Struct, frozen=True):
    """Everything of one instant."""

    counts: Counts
    status: Status
    ledger: LedgerFigures
    parked: int
    listeners: int


def read_status(status: dict[str, object]) -> Status:
    """Take the figures out of what GET /v1/status says."""
    return msgspec.convert(status, Status)
