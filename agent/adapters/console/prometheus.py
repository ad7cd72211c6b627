"""Figures as Prometheus text, version 0.0.4, written here: the library would cost a megabyte for as long as it runs.

The law: names end in their unit, a family is written once with its help and type, and what cannot be read is left out.
What is counted is metrics.py's.
"""

import os
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from agent import __version__
from agent.adapters.console.metrics import LATENCY_S, Figures
from agent.core.scan import ScanFault
from agent.core.trust_list import Freshness

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PROCESS = Path("/proc/self")
_AT_VSIZE, _AT_RSS, _AT_START, _AT_USER, _AT_SYSTEM = 20, 21, 19, 11, 12  # of /proc/self/stat after the name, proc(5)


def render(figures: Figures) -> tuple[bytes, str]:
    """Return the figures and their content type."""
    text = Text()
    _decisions(text, figures)
    _ledger(text, figures)
    _uplinks(text, figures)
    _around(text, figures)
    _process(text)
    return text.encode(), CONTENT_TYPE


class Text:
    """Families one after another, each with the samples that follow it."""

    def __init__(self) -> None:
        self._lines = list[str]()

    def family(self, kind: str, name: str, explained: str) -> None:
        """Begin a family. kind: counter, gauge or histogram; a counter's name ends in _total."""
        escaped = explained.replace("\\", "\\\\").replace("\n", "\\n")
        self._lines += [f"# HELP {name} {escaped}", f"# TYPE {name} {kind}"]

    def sample(self, name: str, value: float, labels: Iterable[tuple[str, str]] = ()) -> None:
        """Write one sample; a label's value may be any text."""
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        self._lines.append(f"{name}{{{inside}}} {float(value)!r}" if inside else f"{name} {float(value)!r}")

    def gauge(self, name: str, explained: str, value: float) -> None:
        """Write a gauge of one sample."""
        self.family("gauge", name, explained)
        self.sample(name, value)

    def counter(self, name: str, explained: str, value: float) -> None:
        """Write a counter of one sample."""
        self.family("counter", name, explained)
        self.sample(name, value)

    def encode(self) -> bytes:
        """Return all of it."""
        return ("\n".join(self._lines) + "\n").encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _decisions(text: Text, figures: Figures) -> None:
    counts = figures.counts
    name = "scanward_decisions_total"
    text.family("counter", name, "Decisions since the start")
    for labels, count in sorted(counts.decisions.items()):
        text.sample(name, count, zip(("answer", "family", "step"), labels, strict=True))
    name, total = "scanward_scan_to_shown_seconds", 0
    text.family("histogram", name, "From a whole scan to its decision shown")
    for bound, count in zip([*map(str, LATENCY_S), "+Inf"], counts.latency, strict=True):
        total += count
        text.sample(f"{name}_bucket", total, [("le", bound)])
    text.sample(f"{name}_count", total)
    text.sample(f"{name}_sum", counts.latency_sum_s)


def _ledger(text: Text, figures: Figures) -> None:
    ledger = figures.ledger
    text.gauge("scanward_ledger_head_seq", "Last record", figures.status.ledger.head_seq)
    text.counter("scanward_ledger_records_appended_total", "Records stored since the start", ledger.appended)
    text.counter("scanward_ledger_commits_failed_total", "Commits that failed since the start", ledger.commits_failed)
    text.gauge("scanward_ledger_parked", "Records a platform rejected", figures.parked)
    if ledger.oldest_age_s is not None:
        name = "scanward_ledger_oldest_undelivered_age_seconds"
        text.gauge(name, "Age of the oldest record that is not delivered, at most", ledger.oldest_age_s)


def _uplinks(text: Text, figures: Figures) -> None:
    uplinks = figures.status.all_uplinks
    text.family("gauge", "scanward_uplink_up", "1: the platform answers")
    for uplink in uplinks:
        labels = [("uplink", uplink.name), ("carrier", uplink.carrier or uplink.name)]
        text.sample("scanward_uplink_up", uplink.is_up is True, labels)
    text.family("gauge", "scanward_uplink_cursor_seq", "Last record settled")
    for uplink in uplinks:
        text.sample("scanward_uplink_cursor_seq", uplink.cursor, [("uplink", uplink.name)])
    text.family("gauge", "scanward_uplink_waiting", "Records not settled")
    for uplink in uplinks:
        text.sample("scanward_uplink_waiting", uplink.waiting, [("uplink", uplink.name)])


def _around(text: Text, figures: Figures) -> None:
    status = figures.status
    if status.trust is not None:
        text.gauge("scanward_trust_version", "Of the trust list", status.trust.version)
        text.gauge("scanward_trust_age_seconds", "Of the trust list", status.trust.age_s)
    text.family("gauge", "scanward_trust_freshness", "1 for what the trust list is now")
    now = "none" if status.trust is None else status.trust.freshness
    for state in (*Freshness, "none"):
        text.sample("scanward_trust_freshness", state == now, [("state", state)])
    text.family("gauge", "scanward_scanner_present", "1: plugged in")
    for scanner in status.scanners:
        text.sample("scanward_scanner_present", scanner.presence == "present", [("scanner", scanner.id)])
    _scanned(text, figures)
    text.gauge("scanward_loop_lag_seconds", "How late the event loop was last", figures.counts.loop_lag_s)
    text.gauge("scanward_listeners", "Who listens to events", figures.listeners)
    text.family("gauge", "scanward_build_info", "What runs")
    python = ".".join(map(str, sys.version_info[:3]))
    text.sample("scanward_build_info", 1, [("version", __version__), ("python", python)])


def _scanned(text: Text, figures: Figures) -> None:
    counted = [(scanner, [("scanner", scanner.id)]) for scanner in figures.status.scanners if scanner.scans is not None]
    name = "scanward_scans_total"
    text.family("counter", name, "Scans handed on since the start, faulty ones among them")
    for scanner, label in counted:
        text.sample(name, scanner.scans or 0, label)
    name = "scanward_scan_faults_total"
    text.family("counter", name, "Scans that were not whole, by kind of fault")
    for scanner, label in counted:
        for fault in ScanFault:
            text.sample(name, scanner.faults.get(fault.value, 0), [*label, ("fault", fault.value)])
    name = "scanward_scan_repeats_total"
    text.family("counter", name, "Codes that were still in sight")
    for scanner, label in counted:
        text.sample(name, scanner.repeats, label)
    name = "scanward_scan_dropped_total"
    text.family("counter", name, "Scans lost to floods")
    for scanner, label in counted:
        text.sample(name, scanner.dropped, label)


def _process(text: Text) -> None:
    """Write what every Prometheus client says of its process."""
    try:
        fields = (_PROCESS / "stat").read_text().rpartition(")")[2].split()
        open_fds = sum(1 for _ in (_PROCESS / "fd").iterdir())
    except OSError:
        return
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    booted_s = time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_BOOTTIME)
    cpu_s = (int(fields[_AT_USER]) + int(fields[_AT_SYSTEM])) / ticks_per_s
    text.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", int(fields[_AT_VSIZE]))
    resident = int(fields[_AT_RSS]) * resource.getpagesize()
    text.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", resident)
    started_s = booted_s + int(fields[_AT_START]) / ticks_per_s
    text.gauge("process_start_time_seconds", "Start time of the process since the epoch in seconds.", started_s)
    text.counter("process_cpu_seconds_total", "User and system CPU time in seconds.", cpu_s)
    text.gauge("process_open_fds", "Open file descriptors.", open_fds)
    text.gauge("process_max_fds", "Most file descriptors it may open.", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
