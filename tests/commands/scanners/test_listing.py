"""`scanward scanners list` over invented machines: what is there, what is configured, what to paste."""

import json
import tomllib
from pathlib import Path

import pytest

from agent.adapters.scanners.devices import list_devices
from agent.cli import main
from agent.commands.scanners import naming
from agent.commands.scanners.listing import Row, absent, as_json, lines_of, rows_of
from agent.config import Config, Environment, parse
from fakes.usb_tree import UsbTree


@pytest.fixture
def tree(tmp_path: Path) -> UsbTree:
    return UsbTree(tmp_path)


def config_of(*paths: tuple[str, str]) -> Config:
    text = "".join(f'[[scanners]]\nid = "s{at}"\ntype = "{t}"\npath = "{p}"\n' for at, (t, p) in enumerate(paths))
    return parse(text.encode(), Environment("kiosk", None, None))


def listed(tree: UsbTree, config: Config | None = None) -> list[Row]:
    return rows_of(list_devices(tree.root), config, tree.root)


def test_a_scanner_is_listed_with_its_lasting_path_and_a_section_that_can_be_pasted(tree: UsbTree) -> None:
    node = tree.plug_in("serial", serial="G123", by_id="usb-Maker_Gryphon_G123-if00")
    (row,) = listed(tree)
    assert row.device.node.name == node.name
    assert (row.is_lasting, row.configured_as) == (True, None)
    assert row.path.endswith("/dev/serial/by-id/usb-Maker_Gryphon_G123-if00")
    (section,) = tomllib.loads(row.section)["scanners"]
    assert section == {"id": "serial", "type": "serial", "path": row.path}
    text = "\n".join(lines_of([row], []))
    assert "(usb:05f9:2206:G123)" in text
    assert row.section.splitlines()[0] in text


def test_without_a_lasting_name_the_usb_ids_are_the_path(tree: UsbTree) -> None:
    tree.plug_in("serial", serial="G123")
    (row,) = listed(tree)
    assert (row.path, row.is_lasting) == ("usb:05f9:2206:G123", True)


def test_two_scanners_that_cannot_be_told_apart_are_listed_by_node_with_a_warning(tree: UsbTree) -> None:
    tree.plug_in("serial")
    tree.plug_in("serial")
    rows = listed(tree)
    assert [row.path.rpartition("/")[2] for row in rows] == ["ttyACM0", "ttyACM1"]
    assert all("may mean another device" in "\n".join(lines_of([row], [])) for row in rows if not row.is_lasting)


def test_a_configured_scanner_is_told_by_its_id_however_its_path_is_written(tree: UsbTree) -> None:
    node = tree.plug_in("serial", serial="A", by_id="usb-a")
    tree.plug_in("serial", serial="B")
    config = config_of(("serial", f"/{node.relative_to(tree.root)}"), ("serial", "usb:05F9:2206:B"))
    assert [row.configured_as for row in listed(tree, config)] == ["s0", "s1"]
    assert absent(config, tree.root) == []


def test_a_configured_scanner_that_is_not_there_is_told(tree: UsbTree) -> None:
    config = config_of(("serial", "/dev/serial/by-id/usb-gone"), ("serial", "usb:dead:beef"), ("replay", "-"))
    gone = absent(config, tree.root)
    assert [s.id for s in gone] == ["s0", "s1"]
    assert "s1: usb:dead:beef is not there: plug it in" in "\n".join(lines_of([], gone))


def test_a_path_of_another_kind_of_device_is_not_taken_for_configured(tree: UsbTree) -> None:
    tree.plug_in("keyboard", serial="A")
    config = config_of(("serial", "usb:05f9:2206:A"))
    assert [row.configured_as for row in listed(tree, config)] == [None]


def test_every_kind_is_listed_with_the_best_way_first(tree: UsbTree) -> None:
    for kind in ("camera", "keyboard", "hid", "serial"):
        tree.plug_in(kind, serial=f"S-{kind}")
    kinds = [row.device.kind.value for row in listed(tree)]
    assert sorted(kinds) == ["camera", "hid", "keyboard", "serial"]
    assert kinds[0] == "serial"
    assert kinds.index("hid") < kinds.index("keyboard")


def test_a_suggested_id_is_free(tree: UsbTree) -> None:
    tree.plug_in("serial", serial="A")
    tree.plug_in("serial", serial="B")
    config = parse(b'[[scanners]]\nid = "serial"\ntype = "replay"\npath = "-"\n', Environment("kiosk", None, None))
    ids = [tomllib.loads(row.section)["scanners"][0]["id"] for row in listed(tree, config)]
    assert ids == ["serial-2", "serial-3"]


def test_what_a_device_says_of_itself_cannot_break_the_list(tree: UsbTree) -> None:
    tree.plug_in("serial", name='Evil "]\x1b[2J\n[[x]]' + "y" * 5_000, serial='a"b\x1b')
    (row,) = listed(tree)
    assert tomllib.loads(row.section)["scanners"][0]["path"] == row.path
    text = "".join(lines_of([row], []))
    assert "\x1b" not in text
    assert len(text) < 2_000


@pytest.mark.parametrize("text", ["plain", 'a"b\\c', "a\nb\x7f\x00", "深圳"])
def test_a_path_is_quoted_as_toml(text: str) -> None:
    assert tomllib.loads(f"path = {naming.quoted(text)}")["path"] == text


def test_the_list_for_programs_says_the_same(tree: UsbTree) -> None:
    tree.plug_in("serial", serial="A")
    config = config_of(("serial", "usb:05f9:2206:A"), ("serial", "usb:dead:beef"))
    told = json.loads(as_json(listed(tree, config), absent(config, tree.root)))
    assert told["format"] == "scanward-scanners-1"
    assert [(d["configured_as"], d["vendor"], d["product"], d["serial"]) for d in told["devices"]] == [
        ("s0", "05f9", "2206", "A")
    ]
    assert told["absent"] == [{"id": "s1", "type": "serial", "path": "usb:dead:beef"}]


def test_the_command_lists_this_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scanners", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("scanners: ")
    assert main(["scanners", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "scanward-scanners-1"
    (tmp_path / "agent.toml").write_text("nonsense")
    assert main(["scanners", "list", "--config", str(tmp_path / "agent.toml")]) == 1
    assert "error: " in capsys.readouterr().err
