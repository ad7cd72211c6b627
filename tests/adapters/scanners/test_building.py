import subprocess
import sys

import pytest

from agent.adapters.clock import SystemClock
from agent.adapters.console.console import Console
from agent.adapters.scanners.hid import HidScanner
from agent.adapters.scanners.hotplug import KernelEvents
from agent.composition.scanners import build_scanners
from agent.config import Environment, parse

CONFIG = b"""
[[scanners]]
id = "front"
type = "hid"
path = "usb:0c2e:0b6a"
padding = "nul"

[[scanners]]
id = "back"
type = "serial"
path = "/dev/scanward/by-id/serial-Maker_1-if00"
"""


def test_all_scanners_of_a_configuration_share_the_kernels_events() -> None:
    config = parse(CONFIG, Environment("host", None, None))
    events = KernelEvents()
    scanners = build_scanners(config, SystemClock(), Console(lines_to=None), events)
    assert isinstance(scanners["front"][0], HidScanner)
    assert [scanner._lookout._hot_plug for scanner, _ in scanners.values()] == [events, events]  # type: ignore[attr-defined]


NOT_LOADED = {
    "agent.adapters.scanners.hid", "agent.adapters.scanners.keyboard", "agent.adapters.scanners.camera",
    "agent.adapters.scanners.network", "agent.adapters.scanners.evdev", "agent.adapters.scanners.network_line",
    "agent.adapters.scanners.capture", "agent.adapters.vision.reader", "agent.core.reading.report_descriptor",
    "agent.core.reading.keystrokes", "agent.core.reading.layouts.board", "zxingcpp", "PIL",
}  # fmt: skip


@pytest.mark.parametrize("module", ["agent.config", "agent.app"])
def test_what_reads_a_kind_of_scanner_is_loaded_only_where_it_is_configured(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert module in loaded.split()
    assert set(loaded.split()).isdisjoint(NOT_LOADED)
