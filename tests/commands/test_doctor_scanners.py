"""The doctor on invented machines whose scanners are wired, set or configured wrong in every way a technician meets."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.commands.doctor import devices, scanners, status
from agent.commands.doctor.finding import Finding
from agent.commands.doctor.machine import Machine, service_user
from agent.commands.doctor.status import Scanner
from agent.config import Config, Environment, parse
from agent.core.scan import ScanFault
from fakes.usb_tree import UsbTree

CDC = "usb-Maker_Gryphon_G1-if00"


@pytest.fixture
def tree(tmp_path: Path) -> UsbTree:
    return UsbTree(tmp_path / "machine")


def config_of(*sections: str, folder: Path = Path("/nowhere"), more: str = "") -> Config:
    text = "".join(f'[[scanners]]\nid = "s{at}"\n{section}\n' for at, section in enumerate(sections))
    return parse(f'{text}[state]\ndirectory = "{folder}"\n{more}'.encode(), Environment("kiosk", None, None))


def serial(path: str) -> str:
    return f'type = "serial"\npath = "{path}"'


def nobody() -> None:
    return None


def looked_at(tree: UsbTree, section: str) -> Sequence[Finding]:
    where = Machine(tree.root)
    (tree.root / "proc").mkdir(parents=True, exist_ok=True)
    return devices.scanner(config_of(section).scanners[0], where, service_user("none"), nobody)


def said(findings: Sequence[Finding]) -> str:
    return "\n".join(f"{f.level}: {f.what}: {f.do}" for f in findings)


def levels(findings: Sequence[Finding]) -> list[str]:
    return [finding.level.value for finding in findings]


def test_a_scanner_at_its_lasting_path_and_awake_is_ok(tree: UsbTree) -> None:
    tree.plug_in("serial", by_id=CDC)
    assert levels(looked_at(tree, serial(f"/dev/serial/by-id/{CDC}"))) == ["ok"]
    assert levels(looked_at(tree, serial("usb:05f9:2206"))) == ["ok"]


def test_a_path_that_changes_with_every_plugging_is_a_warning_with_the_better_one(tree: UsbTree) -> None:
    node = tree.plug_in("serial", by_id=CDC)
    found = looked_at(tree, serial(f"/dev/{node.name}"))
    assert levels(found) == ["warning"]
    assert "may be another device after the next start" in said(found)
    assert f'/dev/serial/by-id/{CDC}"' in said(found)


def test_a_scanner_without_a_lasting_link_gets_its_usb_ids_as_the_better_path(tree: UsbTree) -> None:
    node = tree.plug_in("serial", serial="G1")
    assert 'path = "usb:05f9:2206:G1"' in said(looked_at(tree, serial(f"/dev/{node.name}")))


def test_two_that_cannot_be_told_apart_are_a_fault_that_asks_for_the_serial_number_or_the_socket(tree: UsbTree) -> None:
    tree.plug_in("serial")
    tree.plug_in("serial")
    found = looked_at(tree, serial("usb:05f9:2206"))
    assert levels(found) == ["fault"]
    assert "serial number" in said(found)
    assert "by-path" in said(found)


@pytest.mark.parametrize(("mode", "word"), [("keyboard", "USB serial"), ("hid", "USB serial")])
def test_a_scanner_in_another_mode_is_named_with_both_cures(tree: UsbTree, mode: str, word: str) -> None:
    tree.plug_in(mode, serial="G1")
    found = looked_at(tree, serial("/dev/serial/by-id/usb-gone"))
    assert levels(found) == ["fault", "warning"]
    assert f"is plugged in as {mode}, not as serial" in said(found)
    assert f"scan the setting code for {word}" in said(found)
    assert f'set type = "{mode}" and path = "usb:05f9:2206:G1"' in said(found)


def test_an_ordinary_keyboard_is_no_scanner_in_another_mode(tree: UsbTree) -> None:
    tree.plug_in("keyboard", ids="046d:c31c", name="Logitech Keyboard K120")
    assert levels(looked_at(tree, serial("/dev/serial/by-id/usb-gone"))) == ["fault"]


def test_a_scanner_that_usb_may_put_to_sleep_is_a_warning_with_the_switch(tree: UsbTree) -> None:
    tree.plug_in("serial", by_id=CDC, power="auto")
    found = looked_at(tree, serial(f"/dev/serial/by-id/{CDC}"))
    assert levels(found) == ["warning"]
    assert "/sys/bus/usb/devices/1-1/power/control" in said(found)


def test_a_device_that_never_sleeps_by_its_delay_is_ok(tree: UsbTree) -> None:
    tree.plug_in("serial", by_id=CDC, power="auto")
    (tree.root / "sys/devices/pci0000:00/usb1/1-1/power/autosuspend_delay_ms").write_text("-1000\n")
    assert levels(looked_at(tree, serial(f"/dev/serial/by-id/{CDC}"))) == ["ok"]


@pytest.mark.parametrize(
    ("kind", "names", "agent", "says"),
    [
        ("keyboard", ["Xorg"], None, "start the agent"),
        ("keyboard", ["Xorg", "wedge-tool"], None, "a grab"),
        ("keyboard", ["gnome-shell"], 7, ""),
        ("keyboard", ["wedge-tool"], 7, "a grab"),
        ("camera", ["cheese"], 7, "one program only"),
        ("hid", ["pos-daemon"], None, "every scan goes to that program as well"),
        ("serial", ["getty"], None, "keep it from coming back"),
    ],
)
def test_who_else_has_a_device_matters_by_its_kind(kind: str, names: list[str], agent: int | None, says: str) -> None:
    holders = [(100 + at, name) for at, name in enumerate(names)]
    found = list(devices._held("t", "/dev/x", devices.Kind(kind), iter(holders), agent))
    assert [says in f.do and names[0] in f.what for f in found] == ([True] if says else [])


def test_two_scanners_on_one_device_are_a_fault(tree: UsbTree) -> None:
    tree.plug_in("serial", serial="G1", by_id=CDC)
    config = config_of(serial(f"/dev/serial/by-id/{CDC}"), serial("usb:05f9:2206:G1"))
    found = scanners.together(config, Machine(tree.root))
    assert levels(found) == ["fault"]
    assert "s0 and s1 are one device" in said(found)


def test_a_scanner_that_nobody_configured_is_a_hint(tree: UsbTree) -> None:
    tree.plug_in("serial", serial="G1")
    tree.plug_in("serial", serial="G2")
    tree.plug_in("keyboard", ids="046d:c31c", name="Logitech Keyboard K120")
    found = scanners.together(config_of(serial("usb:05f9:2206:G1")), Machine(tree.root))
    assert levels(found) == ["ok"]
    assert "usb:05f9:2206:G2" in said(found)
    assert "Logitech" not in said(found)


def test_the_other_interfaces_of_a_configured_scanner_are_no_hint(tree: UsbTree) -> None:
    tree.plug_in("serial", serial="G1")
    tree.plug_in("keyboard", serial="G1")
    assert "not configured" not in said(scanners.together(config_of(serial("usb:05f9:2206:G1")), Machine(tree.root)))


# What the agent counts


def test_every_fault_that_points_at_a_setting_has_words() -> None:
    assert set(scanners.HABITS) <= {fault.value for fault in ScanFault}
    assert {"keys", "damaged", "incomplete", "lost"} <= set(scanners.HABITS)


@pytest.mark.parametrize(
    ("scans", "faults", "says"),
    [
        (10, {"keys": 8}, "wrong layout"),
        (100, {"damaged": 30}, "wrong baud"),
        (100, {"damaged": 4}, ""),
        (1_000, {"damaged": 30}, ""),
        (10, {"a-fault-of-tomorrow": 10}, ""),
    ],
)
def test_faults_that_come_again_and_again_point_at_a_setting(scans: int, faults: dict[str, int], says: str) -> None:
    found = scanners.habits_of(Scanner("window", scans=scans, faults=faults))
    assert (levels(found), says in said(found)) == (["warning"] if says else [], True)


def test_a_reader_that_the_agent_misses_is_told_with_the_agent_s_own_words() -> None:
    why = "192.0.2.20:51236 refuses connections: switch its TCP server on"
    found = scanners.habits_of(Scanner("gate", type="network", presence="absent", why=why))
    assert said(found) == f"warning: gate is absent: {why}"
    assert scanners.habits_of(Scanner("gate", type="serial", presence="absent", why=why)) == []


class _Api:
    """A local API that answers every call with one body."""

    def __init__(self, body: bytes, line: bytes = b"HTTP/1.1 200 OK") -> None:
        self.asked = b""
        self._answer = line + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked = await reader.readuntil(b"\r\n\r\n")
        writer.write(self._answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


def _token(folder: Path) -> None:
    (folder / "console-token").write_text("t" * 43 + "\n")
    (folder / "console-token").chmod(0o600)


@pytest.mark.parametrize(
    ("body", "line", "scans"),
    [
        (b'{"scanners": [{"id": "window", "scans": 9, "faults": {"keys": 9}, "presence": "present"}]}', b"200 OK", 9),
        (b'{"scanners": "none"}', b"200 OK", None),
        (b"no json", b"200 OK", None),
        (b"{}", b"401 Unauthorized", None),
    ],
)
async def test_the_agent_s_counts_are_asked_for_with_its_token(
    tmp_path: Path, body: bytes, line: bytes, scans: int | None
) -> None:
    _token(tmp_path)
    api = _Api(body, b"HTTP/1.1 " + line)
    server = await asyncio.start_server(api, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        config = config_of(serial("/dev/null"), folder=tmp_path, more=f'[console]\nlisten = "127.0.0.1:{port}"\n')
        told = await status.read_status(config)
        found = await scanners.habits(config, os.getpid)
    assert b"Bearer " + b"t" * 43 in api.asked
    assert (None if told is None else told.scanners[0].scans) == scans
    assert levels(found) == (["warning"] if scans else ["ok"])
    assert "tttt" not in said(found)


async def test_without_an_agent_nobody_is_asked(tmp_path: Path) -> None:
    config = config_of(serial("/dev/null"), folder=tmp_path)
    assert levels(await scanners.habits(config, nobody)) == ["ok"]


# Readers on the network


class _Reader:
    """Settings of a type that this build may not have."""

    def __init__(self, path: str) -> None:
        self.id, self.path = "gate", path


async def test_a_reader_on_the_network_is_called_while_no_agent_is_connected() -> None:
    calls = list[str]()

    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append("called")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        path = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert levels(await scanners.reader(_Reader(path), os.getpid)) == ["ok"]
        assert calls == [], "the agent's own connection is not to be pushed out"
        found = await scanners.reader(_Reader(path), nobody)
        assert levels(found) == ["ok"]
    found = await scanners.reader(_Reader(path), nobody)
    assert levels(found) == ["fault"]
    assert "refuses connections" in said(found)
    assert "TCP server" in said(found)


async def test_a_reader_that_calls_us_is_not_called() -> None:
    assert "readers connect to 192.0.2.1:9004" in said(
        await scanners.reader(_Reader("listen://192.0.2.1:9004"), nobody)
    )


@pytest.mark.parametrize("path", ["tcp://nohost", "tcp://h:99999", "tcp://[::1", "x"])
async def test_an_address_that_is_none_is_a_fault_and_no_crash(path: str) -> None:
    assert levels(await scanners.reader(_Reader(path), nobody)) == ["fault"]


def test_the_counts_go_through_the_doctor_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from agent.cli import main

    (tmp_path / "agent.toml").write_text(
        f'[[scanners]]\nid = "front"\n{serial("/dev/null")}\n[state]\ndirectory = "{tmp_path / "state"}"\n'
    )
    main(["doctor", "--config", str(tmp_path / "agent.toml"), "--json"])
    topics = {finding["topic"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert topics >= {"scanner front", "scanners", "scans"}
