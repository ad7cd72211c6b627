"""The figures as Prometheus text, read back by Prometheus' own library."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.adapters.console.metrics import Counts, Figures, LedgerFigures, read_status
from agent.adapters.console.prometheus import Text, render
from agent.core.scan import ScanFault

STATUS = {
    "ledger": {"head_seq": 41},
    "uplinks": [{"name": "clinic", "is_up": True, "cursor": 39, "waiting": 2, "carrier": "mqtt"}],
    "trust": {"version": 3, "age_s": 12.5, "freshness": "fresh"},
    "scanners": [{"id": "front", "presence": "present"}, {"id": "back", "presence": "absent"}],
}


LEDGER = LedgerFigures(appended=3, oldest_age_s=1.25)


def families(status=STATUS, counts=None, ledger=LEDGER):
    figures = Figures(counts=counts or Counts(), status=read_status(status), ledger=ledger, parked=1, listeners=2)
    text, _ = render(figures)
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


def value(found, name):
    (sample,) = found[name].samples
    return sample.value


def test_every_figure_is_read_back_with_its_type_help_and_value():
    counts = Counts()
    counts.decisions["accept", "ehc", "payment"] = 3
    counts.decisions["refuse", "ehc", "payment"] = 1
    counts.passed(12)
    counts.passed(99_999)
    found = families(counts=counts)
    assert all(family.documentation for family in found.values())
    assert {s.labels["answer"]: s.value for s in found["scanward_decisions"].samples} == {"accept": 3, "refuse": 1}
    assert found["scanward_decisions"].type == "counter"
    latency = found["scanward_scan_to_shown_seconds"]
    assert latency.type == "histogram"
    buckets = [s.value for s in latency.samples if s.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert {s.name.rpartition("_")[2]: s.value for s in latency.samples if "le" not in s.labels} == {
        "count": 2,
        "sum": pytest.approx(100.011),
    }
    assert value(found, "scanward_ledger_head_seq") == 41
    assert value(found, "scanward_ledger_records_appended") == 3
    assert value(found, "scanward_ledger_oldest_undelivered_age_seconds") == 1.25
    assert found["scanward_uplink_up"].samples[0].labels == {"uplink": "clinic", "carrier": "mqtt"}
    assert value(found, "scanward_uplink_cursor_seq") == 39
    assert value(found, "scanward_uplink_waiting") == 2
    assert value(found, "scanward_trust_version") == 3
    assert [s.labels["state"] for s in found["scanward_trust_freshness"].samples if s.value] == ["fresh"]
    assert {s.labels["scanner"]: s.value for s in found["scanward_scanner_present"].samples} == {"front": 1, "back": 0}


def test_what_each_scanner_read_is_counted_by_scanner_and_kind_of_fault_and_by_nothing_else():
    scanners = [
        {
            "id": "front",
            "presence": "present",
            "scans": 7,
            "repeats": 3,
            "dropped": 2,
            "faults": {"cut": 1, "flood": 1},
        },
        {"id": "file", "presence": "present"},
    ]
    found = families(STATUS | {"scanners": scanners})
    assert {s.labels["scanner"]: s.value for s in found["scanward_scans"].samples} == {"front": 7}
    faults = {(s.labels["scanner"], s.labels["fault"]): s.value for s in found["scanward_scan_faults"].samples}
    assert faults == {("front", fault.value): float(fault.value in {"cut", "flood"}) for fault in ScanFault}
    assert [value(found, f"scanward_scan_{name}") for name in ("repeats", "dropped")] == [3, 2]


def test_what_is_not_known_is_left_out():
    found = families(status={"ledger": {"head_seq": 0}}, ledger=LedgerFigures())
    assert "scanward_trust_version" not in found
    assert "scanward_ledger_oldest_undelivered_age_seconds" not in found
    assert found["scanward_uplink_up"].samples == []
    assert [s.labels["state"] for s in found["scanward_trust_freshness"].samples if s.value] == ["none"]


@pytest.mark.parametrize("text", ['"', "\\", "\n", '\\n"\\', "步骤", "a,b={}", ""])
def test_any_text_of_a_label_comes_back_as_it_was(text):
    counts = Counts()
    counts.decisions["accept", "ehc", text] = 1
    (sample,) = families(counts=counts)["scanward_decisions"].samples
    assert sample.labels["step"] == text


@pytest.mark.parametrize("number", [0, 1e-9, 2**53, 1.5e300, float("inf"), True])
def test_any_number_comes_back_as_it_was(number):
    text = Text()
    text.gauge("x", "a \\ and\na line", number)
    (family,) = text_string_to_metric_families(text.encode().decode())
    assert family.samples[0].value == number
    assert family.documentation == "a \\ and\na line"


def test_the_process_tells_the_same_of_itself_as_prometheus_own_client_would():
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    theirs = {f.name: f for f in text_string_to_metric_families(generate_latest(registry).decode())}
    ours = {name: family for name, family in families().items() if name.startswith("process_")}
    assert ours.keys() == theirs.keys()
    assert {name: family.type for name, family in ours.items()} == {name: f.type for name, f in theirs.items()}
    assert value(ours, "process_max_fds") == value(theirs, "process_max_fds")
    assert value(ours, "process_resident_memory_bytes") == pytest.approx(
        value(theirs, "process_resident_memory_bytes"), rel=0.1
    )
    started = "process_start_time_seconds"
    assert value(ours, started) == pytest.approx(value(theirs, started), abs=2)
    assert value(ours, "process_open_fds") == pytest.approx(value(theirs, "process_open_fds"), abs=2)
