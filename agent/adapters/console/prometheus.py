"""Figures as Prometheus text, in a registry of their own.

Imported at the first GET /metrics: an agent that nobody scrapes never pays for the library. Names end in their unit.
"""

import sys
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from agent import __version__
from agent.adapters.console.metrics import LATENCY_S, Figures
from agent.core.trust_list import Freshness


def render(figures: Figures) -> tuple[bytes, str]:
    """Return the figures and their content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures))
    ProcessCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class _Collector(Collector):
    """prometheus_client's way of asking for figures that are kept elsewhere."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield every family of figures."""
        yield from self._decisions()
        yield from self._ledger()
        yield from self._uplinks()
        yield from self._around()

    def _decisions(self) -> Iterator[Metric]:
        counts = self._figures.counts
        decisions = CounterMetricFamily(
            "scanward_decisions", "Decisions since the start", labels=["answer", "family", "step"]
        )
        for labels, count in sorted(counts.decisions.items()):
            decisions.add_metric(labels, count)
        yield decisions
        buckets, total = list[tuple[str, float]](), 0
        for bound, count in zip([*map(str, LATENCY_S), "+Inf"], counts.latency, strict=True):
            total += count
            buckets.append((bound, total))
        latency = HistogramMetricFamily("scanward_scan_to_shown_seconds", "From a whole scan to its decision shown")
        latency.add_metric([], buckets, counts.latency_sum_s)
        yield latency

    def _ledger(self) -> Iterator[Metric]:
        figures = self._figures
        yield GaugeMetricFamily("scanward_ledger_head_seq", "Last record", value=figures.status.ledger.head_seq)
        yield CounterMetricFamily(
            "scanward_ledger_records_appended", "Records stored since the start", value=figures.ledger.appended
        )
        yield CounterMetricFamily(
            "scanward_ledger_commits_failed", "Commits that failed since the start", value=figures.ledger.commits_failed
        )
        yield GaugeMetricFamily("scanward_ledger_parked", "Records a platform rejected", value=figures.parked)
        if figures.ledger.oldest_age_s is not None:
            yield GaugeMetricFamily(
                "scanward_ledger_oldest_undelivered_age_seconds",
                "Age of the oldest record that is not delivered, at most",
                value=figures.ledger.oldest_age_s,
            )

    def _uplinks(self) -> Iterator[Metric]:
        is_up = GaugeMetricFamily("scanward_uplink_up", "1: the platform answers", labels=["uplink", "carrier"])
        cursor = GaugeMetricFamily("scanward_uplink_cursor_seq", "Last record settled", labels=["uplink"])
        waiting = GaugeMetricFamily("scanward_uplink_waiting", "Records not settled", labels=["uplink"])
        for uplink in self._figures.status.all_uplinks:
            is_up.add_metric([uplink.name, uplink.carrier or uplink.name], uplink.is_up is True)
            cursor.add_metric([uplink.name], uplink.cursor)
            waiting.add_metric([uplink.name], uplink.waiting)
        yield from (is_up, cursor, waiting)

    def _around(self) -> Iterator[Metric]:
        figures, status = self._figures, self._figures.status
        if status.trust is not None:
            yield GaugeMetricFamily("scanward_trust_version", "Of the trust list", value=status.trust.version)
            yield GaugeMetricFamily("scanward_trust_age_seconds", "Of the trust list", value=status.trust.age_s)
        freshness = GaugeMetricFamily("scanward_trust_freshness", "1 for what the trust list is now", labels=["state"])
        for state in (*Freshness, "none"):
            freshness.add_metric([state], state == ("none" if status.trust is None else status.trust.freshness))
        yield freshness
        present = GaugeMetricFamily("scanward_scanner_present", "1: plugged in", labels=["scanner"])
        for scanner in status.scanners:
            present.add_metric([scanner.id], scanner.presence == "present")
        yield present
        yield GaugeMetricFamily(
            "scanward_loop_lag_seconds", "How late the event loop was last", value=figures.counts.loop_lag_s
        )
        yield GaugeMetricFamily("scanward_listeners", "Who listens to events", value=figures.listeners)
        build = GaugeMetricFamily("scanward_build_info", "What runs", labels=["version", "python"])
        build.add_metric([__version__, ".".join(map(str, sys.version_info[:3]))], 1)
        yield build
