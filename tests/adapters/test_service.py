import configparser
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.service import STATUS_CHARS_MAX, Service

UNIT = Path(__file__).parents[2] / "systemd" / "scanward.service"


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(10)
        yield manager


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, manager: socket.socket, tmp_path: Path) -> str:
    if request.param == "path":
        manager.bind(str(tmp_path / "notify"))
        return str(tmp_path / "notify")
    name = f"scanward-test-{os.getpid()}"
    manager.bind("\0" + name)
    return "@" + name


def test_the_service_manager_hears_ready_status_and_stopping(manager: socket.socket, address: str) -> None:
    service = Service(address)
    service.ready()
    service.status("2 scanners, 健康平台 reachable")
    service.stopping()
    heard = [manager.recv(4096).decode() for _ in range(3)]
    assert heard == ["READY=1", "STATUS=2 scanners, 健康平台 reachable", "STOPPING=1"]


def test_the_service_manager_hears_signs_of_life_and_how_long_a_start_may_take(
    manager: socket.socket, address: str
) -> None:
    service = Service(address)
    service.extend(90.5)
    service.alive()
    assert [manager.recv(4096).decode() for _ in range(2)] == ["EXTEND_TIMEOUT_USEC=90500000", "WATCHDOG=1"]


def test_a_status_stays_one_line_of_limited_length(manager: socket.socket, address: str) -> None:
    Service(address).status("a\nWATCHDOG=1\r" + "x" * 1_000)
    heard = manager.recv(4096).decode()
    assert heard == "STATUS=" + ("a WATCHDOG=1 " + "x" * 1_000)[:STATUS_CHARS_MAX]


@pytest.mark.parametrize("address", [None, ""])
def test_without_a_service_manager_nobody_is_told(address: str | None, caplog: pytest.LogCaptureFixture) -> None:
    Service(address).ready()
    assert caplog.text == ""


def test_a_service_manager_that_cannot_be_told_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Service(str(tmp_path / "gone")).ready()
    assert "cannot be told READY" in caplog.text


def read_unit() -> configparser.SectionProxy:
    unit = configparser.RawConfigParser(strict=False, comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    return unit["Service"]


def test_the_unit_checks_the_configuration_it_runs_with_and_waits_for_ready() -> None:
    service = read_unit()
    assert service["Type"] == "notify"
    assert service["ExecStartPre"].replace(" check ", " run --quiet ") == service["ExecStart"]
    assert service["StateDirectory"] == "scanward"
    assert service["Restart"] == "always", "also after an orderly end that nobody but systemd may have asked for"
    assert service["LimitCORE"] == "0", "a core dump would hold patients' data"
    assert 0 < int(service["WatchdogSec"]) <= 60
