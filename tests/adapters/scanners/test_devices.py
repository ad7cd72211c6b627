import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.adapters.scanners.devices import (
    SCANNER_VENDORS,
    TEXT_CHARS_MAX,
    Device,
    Kind,
    devices_of,
    list_devices,
    resolve,
)
from agent.adapters.scanners.lookout import DeviceAbsent
from fakes.hid_reports import COUNTED, KEYBOARD
from fakes.sysfs import Sysfs

RULES = Path(__file__).parents[3] / "systemd/udev/60-scanward.rules"


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    return Sysfs(tmp_path)


def test_a_usb_serial_scanner_is_listed_with_its_ids_its_number_and_its_lasting_link(sysfs: Sysfs) -> None:
    usb = sysfs.usb("1-1.2", 0x1EAB, 0x1A06, serial="S123", manufacturer="Newland", product="FM430")
    sysfs.add("tty", "ttyACM0", usb)
    link = sysfs.link("dev/scanward/by-id/serial-Newland_FM430_S123-if00", "ttyACM0")
    sysfs.link("dev/serial/by-id/usb-Newland_FM430_S123-if00", "ttyACM0")
    assert list_devices(sysfs.root) == [
        Device(
            Kind.SERIAL, sysfs.root / "dev/ttyACM0", link, 0x1EAB, 0x1A06, "S123", "Newland FM430", "1-1.2",
            is_scanner=True,
        )
    ]  # fmt: skip
    assert list_devices(sysfs.root)[0].usb == "usb:1eab:1a06:S123"


def test_ports_of_the_board_count_where_there_is_hardware_behind_them(sysfs: Sysfs) -> None:
    for name, type_ in (("ttyS0", "4"), ("ttyS1", "0"), ("ttyS10", "4"), ("ttyS2", "4"), ("ttyAMA0", "32")):
        sysfs.add("tty", name, None, type=type_)
    for name in ("tty1", "console", "ptmx", "ttyprintk"):
        sysfs.add("tty", name, None)
    names = [device.node.name for device in devices_of(Kind.SERIAL, sysfs.root)]
    assert names == ["ttyAMA0", "ttyS0", "ttyS2", "ttyS10"]


def test_keyboards_have_letters_and_those_that_look_like_scanners_are_named(sysfs: Sysfs) -> None:
    scanner = sysfs.usb("1-1", 0x0C2E, 0x0B61, serial="H1")
    sysfs.keyboard("event3", "Honeywell Imaging", scanner, 0x0C2E, 0x0B61)
    sysfs.keyboard("event4", "USB Barcode Scanner", sysfs.usb("1-2", 0x1A86, 0x5456), 0x1A86, 0x5456)
    sysfs.keyboard("event5", "AT Translated Set 2 keyboard", None, 1, 1)
    sysfs.keyboard("event6", "Honeywell Consumer Control", scanner, 0x0C2E, 0x0B61, keys="10000000000000 0")
    sysfs.keyboard("event7", "hostile", None, 1, 1, keys="zz " * 1_000)
    found = devices_of(Kind.KEYBOARD, sysfs.root)
    assert [(d.node.name, d.name, d.is_scanner, d.serial) for d in found] == [
        ("event3", "Honeywell Imaging", True, "H1"),
        ("event4", "USB Barcode Scanner", True, None),
        ("event5", "AT Translated Set 2 keyboard", False, None),
    ]
    assert found[0].node == sysfs.root / "dev/input/event3"


def test_of_the_hid_devices_only_those_with_the_scanner_page_are_listed(sysfs: Sysfs) -> None:
    sysfs.hidraw("hidraw0", KEYBOARD, 0x0C2E, 0x0B61)
    sysfs.hidraw("hidraw1", COUNTED, 0x0C2E, 0x0B6A, name="Honeywell 1950", uniq="U7", phys="usb-1/input0")
    sysfs.hidraw("hidraw2", b"", 0x0C2E, 0x0001)
    (device,) = devices_of(Kind.HID, sysfs.root)
    assert (device.node.name, device.usb, device.name, device.phys) == (
        "hidraw1", "usb:0c2e:0b6a:U7", "Honeywell 1950", "usb-1/input0",
    )  # fmt: skip
    assert device.is_scanner


def test_a_camera_is_its_first_node(sysfs: Sysfs) -> None:
    usb = sysfs.usb("1-3", 0x046D, 0x0825, serial="C9")
    sysfs.add("video4linux", "video0", usb, index="0", name="HD Webcam: HD Webcam")
    sysfs.add("video4linux", "video1", usb, index="1", name="HD Webcam: HD Webcam")
    (device,) = devices_of(Kind.CAMERA, sysfs.root)
    assert (device.node.name, device.name, device.usb, device.is_scanner) == (
        "video0", "HD Webcam: HD Webcam", "usb:046d:0825:C9", False,
    )  # fmt: skip


def test_a_path_is_taken_as_it_is(sysfs: Sysfs) -> None:
    assert resolve("/dev/scanward/by-id/hid-x", Kind.HID) == Path("/dev/scanward/by-id/hid-x")
    assert resolve("some/port", Kind.SERIAL) == Path("some/port")
    assert resolve("/dev/ttyACM0", Kind.SERIAL, sysfs.root) == sysfs.root / "dev/ttyACM0"


def test_usb_ids_mean_the_one_device_that_has_them(sysfs: Sysfs) -> None:
    for number, serial in ((0, "A"), (1, "B")):
        sysfs.add("tty", f"ttyACM{number}", sysfs.usb(f"1-{number}", 0x1EAB, 0x1A06, serial=serial))
    sysfs.add("tty", "ttyUSB0", sysfs.usb("1-9", 0x0403, 0x6001))
    assert resolve("usb:0403:6001", Kind.SERIAL, sysfs.root) == sysfs.root / "dev/ttyUSB0"
    assert resolve("usb:1EAB:1a06:B", Kind.SERIAL, sysfs.root) == sysfs.root / "dev/ttyACM1"
    with pytest.raises(DeviceAbsent, match=r"is 2 devices .*add its serial number"):
        resolve("usb:1eab:1a06", Kind.SERIAL, sysfs.root)
    for path in ("usb:1eab:1a06:C", "usb:1eab:ffff"):
        with pytest.raises(DeviceAbsent, match="plug the scanner in"):
            resolve(path, Kind.SERIAL, sysfs.root)


@pytest.mark.parametrize("path", ["usb:", "usb:12:34", "usb:xxxx:0001", "usb:\x1b[2J:0001", "usb:0001:0002:"])
def test_what_is_no_usb_name_is_said_to_be_none(sysfs: Sysfs, path: str) -> None:
    with pytest.raises(DeviceAbsent, match="write usb:VVVV:PPPP") as raised:
        resolve(path, Kind.HID, sysfs.root)
    assert str(raised.value).isprintable()


def test_two_devices_with_the_same_number_are_told_apart_by_their_sockets(sysfs: Sysfs) -> None:
    for number in (0, 1):
        sysfs.add("tty", f"ttyACM{number}", sysfs.usb(f"1-{number}", 0x1EAB, 0x1A06, serial="SAME"))
    with pytest.raises(DeviceAbsent, match="by-path"):
        resolve("usb:1eab:1a06:SAME", Kind.SERIAL, sysfs.root)


def test_a_scanner_in_keyboard_mode_is_said_to_be_in_it(sysfs: Sysfs) -> None:
    usb = sysfs.usb("1-1", 0x0C2E, 0x0B61)
    sysfs.keyboard("event3", "Honeywell", usb, 0x0C2E, 0x0B61)
    sysfs.hidraw("hidraw0", KEYBOARD, 0x0C2E, 0x0B61)
    with pytest.raises(DeviceAbsent, match="'HID POS'"):
        resolve("usb:0c2e:0b61", Kind.HID, sysfs.root)
    with pytest.raises(DeviceAbsent, match="but as keyboard"):
        resolve("usb:0c2e:0b61", Kind.SERIAL, sysfs.root)


def test_what_is_not_plugged_in_is_not_looked_for_among_all_other_devices(sysfs: Sysfs, monkeypatch) -> None:
    sysfs.add("tty", "ttyACM0", sysfs.usb("1-1", 0x1EAB, 0x1A06))
    looked = []
    monkeypatch.setattr("agent.adapters.scanners.devices.list_devices", lambda root: looked.append(root) or [])
    for path in ("usb:0c2e:0b61", "usb:1eab:1a06"):
        with pytest.raises(DeviceAbsent):
            resolve(path, Kind.HID, sysfs.root)
    assert len(looked) == 1


def test_a_hid_device_of_another_bus_is_looked_for_too(sysfs: Sysfs) -> None:
    sysfs.keyboard("event3", "Honeywell", None, 0x0C2E, 0x0B61)
    (sysfs.root / "sys/bus/hid/devices/0005:0C2E:0B61.0001").mkdir(parents=True)
    with pytest.raises(DeviceAbsent, match="'HID POS'"):
        resolve("usb:0c2e:0b61", Kind.HID, sysfs.root)


def test_a_machine_without_any_of_it_has_no_devices(tmp_path: Path) -> None:
    assert list_devices(tmp_path) == []


def test_this_machine_can_be_listed() -> None:
    assert all(device.name.isprintable() for device in list_devices())


def test_the_makers_are_those_of_the_device_rules() -> None:
    said = re.findall(r'ATTRS\{idVendor\}=="([0-9a-f]{4})", ENV', RULES.read_text().split("# Makers", 1)[1])
    assert {int(vendor, 16) for vendor in said} == SCANNER_VENDORS


@settings(deadline=None)
@given(st.binary(max_size=400).filter(lambda b: b"\0" not in b), st.binary(max_size=200))
def test_whatever_a_device_says_of_itself_is_short_and_printable(
    tmp_path_factory: pytest.TempPathFactory, said: bytes, descriptor: bytes
) -> None:
    sysfs = Sysfs(tmp_path_factory.mktemp("sys"))
    usb = sysfs.usb("1-1", 1, 2)
    for name in ("serial", "product", "manufacturer", "idVendor"):
        (usb / name).write_bytes(said)
    sysfs.add("tty", "ttyACM0", usb)
    sysfs.hidraw("hidraw0", COUNTED + descriptor, 1, 2)
    (sysfs.root / "sys/class/hidraw/hidraw0/device/uevent").write_bytes(b"HID_ID=" + said + b"\nHID_NAME=" + said)
    devices = list_devices(sysfs.root)
    assert len(devices) == 2
    for device in devices:
        for text in (device.name, device.serial or "", device.phys or ""):
            assert text.isprintable()
            assert len(text) <= 2 * TEXT_CHARS_MAX + 1


def test_links_that_lead_nowhere_or_in_circles_are_passed_over(sysfs: Sysfs) -> None:
    sysfs.add("tty", "ttyACM0", None)
    folder = sysfs.root / "dev/serial/by-id"
    folder.mkdir(parents=True)
    (folder / "circle").symlink_to("circle")
    (folder / "nowhere").symlink_to("../../gone")
    device = sysfs.root / "sys/class/tty/ttyACM0/device"
    device.symlink_to("device")
    assert [d.stable for d in list_devices(sysfs.root)] == [None]
