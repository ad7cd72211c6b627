"""The scanners' devices that this machine has, and which of them a `path` setting means.

From /sys and the links in /dev alone: no device is opened, since the agent may be reading it. The law: whatever a
device says of itself is bounded and printable here.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from agent.adapters.scanners.lookout import DeviceAbsent
from agent.core.legible import legible

DEVICES_MAX = 256  # of one kind
TEXT_CHARS_MAX = 128
_ATTRIBUTE_BYTES_MAX = 4_096
_PARENTS_MAX = 16  # between a device and the USB device it belongs to
_LINKS_MAX = 1_024  # in one folder of links


class Kind(StrEnum):
    """How a scanner can be attached."""

    SERIAL = "serial"
    KEYBOARD = "keyboard"
    HID = "hid"
    CAMERA = "camera"


@dataclass(frozen=True, slots=True)
class Device:
    """A device of this machine.

    node: in /dev, as it is called until it is unplugged; stable: a link that survives that, where there is one. vendor,
    product: USB's ids; serial: the number the maker gave it; phys: the socket. is_scanner: by its maker or its name.
    """

    kind: Kind
    node: Path
    stable: Path | None
    vendor: int | None
    product: int | None
    serial: str | None
    name: str
    phys: str | None
    is_scanner: bool = False

    @property
    def usb(self) -> str | None:
        """Its name as `path` takes it: usb:VVVV:PPPP[:SERIAL]."""
        if self.vendor is None or self.product is None:
            return None
        return f"usb:{self.vendor:04x}:{self.product:04x}" + (f":{self.serial}" if self.serial else "")


def list_devices(root: Path = Path("/")) -> list[Device]:
    """Return every device that may be a scanner, in the order of kinds and names."""
    return [device for kind in Kind for device in devices_of(kind, root)]


def devices_of(kind: Kind, root: Path = Path("/")) -> list[Device]:
    """Return the devices of one kind."""
    class_, form, is_of_kind = _CLASSES[kind]
    folder = root / "sys/class" / class_
    entries = [entry for entry in _entries(folder, DEVICES_MAX) if form.fullmatch(entry.name)]
    links = _links(root)
    return [_device(kind, entry, root, links) for entry in sorted(entries, key=_by_number) if is_of_kind(entry)]


_USB = re.compile(r"usb:([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})(?::(.+))?", re.DOTALL)
HID_POS_MODE = (
    "scan its setting code for 'HID POS' (also called 'USB HID bar code scanner'), or use type = \"keyboard\""
)


def resolve(path: str, kind: Kind, root: Path = Path("/")) -> Path:
    """Return the node that a `path` setting means now: a path as it is, usb:VVVV:PPPP[:SERIAL] by looking.

    Raises DeviceAbsent: none is there, or several are.
    """
    if not path.startswith("usb:"):
        return root / path.lstrip("/") if path.startswith("/") and root != Path("/") else Path(path)
    if (parts := _USB.fullmatch(path)) is None:
        raise DeviceAbsent(f"{_plain(path)} is no name of a device: write usb:VVVV:PPPP or usb:VVVV:PPPP:SERIAL")
    vendor, product, serial = int(parts[1], 16), int(parts[2], 16), parts[3]
    found = [
        device
        for device in devices_of(kind, root)
        if (device.vendor, device.product) == (vendor, product) and serial in {None, device.serial}
    ]
    if len(found) > 1:
        do = "add its serial number (usb:VVVV:PPPP:SERIAL)" if serial is None else "one of them must be named otherwise"
        nodes = ", ".join(str(device.node) for device in found[:4])
        raise DeviceAbsent(
            f"{_plain(path)} is {len(found)} devices ({nodes}): {do}, or set path to a link in /dev/scanward/by-path"
        )
    if not found:
        raise DeviceAbsent(_why_none(_plain(path), kind, vendor, product, root))
    return found[0].node


def _why_none(path: str, kind: Kind, vendor: int, product: int, root: Path) -> str:
    nodes = list_devices(root) if _is_plugged_in(vendor, product, root) else []  # a look at all takes the loop long
    others = {o.kind for o in nodes if o.vendor == vendor and o.product == product and o.kind != kind}
    if kind is Kind.HID and Kind.KEYBOARD in others:
        return f"{path} is plugged in, as a keyboard: {HID_POS_MODE}"
    if others:
        return f"{path} is plugged in, but as {', '.join(sorted(others))}: use that type, or set the scanner's mode"
    return f"no {kind.value} device {path} is there: plug the scanner in, or set path to another one"


def _is_plugged_in(vendor: int, product: int, root: Path) -> bool:
    """Say whether a USB or HID device with these ids is there, whatever it is; without a look at its nodes."""
    ids = f":{vendor:04X}:{product:04X}."  # bus:vendor:product.instance, drivers/hid/hid-core.c
    if any(ids in entry.name for entry in _entries(root / "sys/bus/hid/devices", DEVICES_MAX)):
        return True
    return any(
        _hex(_attribute(entry / "idVendor")) == vendor and _hex(_attribute(entry / "idProduct")) == product
        for entry in _entries(root / "sys/bus/usb/devices", DEVICES_MAX)
        if ":" not in entry.name  # an interface: of a device that is listed itself
    )


# What each kind is in /sys/class, and what else there is not one.


def _is_serial(entry: Path) -> bool:
    """USB ports, and ports of the board with hardware behind them (serial_core.h: type 0 is an unknown port)."""
    if not entry.name.startswith(("ttyS", "ttyAMA")):
        return True
    return _attribute(entry / "type") not in {None, "0"}


_LETTERS = (*range(16, 26), *range(30, 39), *range(44, 51))  # KEY_Q to KEY_M, linux/input-event-codes.h
_WORD_BITS = 8 * struct.calcsize("l")  # sysfs writes bits as words of the reader's own size, the highest first


def _is_keyboard(entry: Path) -> bool:
    words = (_attribute(entry / "device/capabilities/key") or "").split()
    try:
        bits = sum(int(word, 16) << (_WORD_BITS * index) for index, word in enumerate(reversed(words[:64])))
    except ValueError:
        return False
    return all(bits >> key & 1 for key in _LETTERS)


def _is_hid_scanner(entry: Path) -> bool:
    # Here, since an agent without such a scanner never looks at one.
    from agent.core.reading.report_descriptor import DESCRIPTOR_BYTES_MAX, has_scanner_page  # noqa: PLC0415

    return has_scanner_page(_read(entry / "device/report_descriptor", DESCRIPTOR_BYTES_MAX) or b"")


def _is_camera(entry: Path) -> bool:
    """Index 0 is the picture; further nodes of a camera are metadata."""
    return _attribute(entry / "index") == "0"


_CLASSES = {
    Kind.SERIAL: ("tty", re.compile(r"tty(ACM|USB|S|AMA)\d{1,4}"), _is_serial),
    Kind.KEYBOARD: ("input", re.compile(r"event\d{1,4}"), _is_keyboard),
    Kind.HID: ("hidraw", re.compile(r"hidraw\d{1,4}"), _is_hid_scanner),
    Kind.CAMERA: ("video4linux", re.compile(r"video\d{1,4}"), _is_camera),
}
_NODES = {Kind.KEYBOARD: "dev/input"}

# Makers of scanners; systemd/udev/60-scanward.rules has the same. Makers of chips that anything may be built with do
# not belong here.
SCANNER_VENDORS = frozenset({0x05E0, 0x0C2E, 0x0536, 0x067E, 0x05F9, 0x080C, 0x1EAB, 0x065A, 0x0745, 0x27DD})
_SCANNER_NAME = re.compile(r"scanner|bar ?code|imager|\bqr\b|\b2d\b", re.IGNORECASE)


def _device(kind: Kind, entry: Path, root: Path, links: dict[Path, Path]) -> Device:
    node = root / _NODES.get(kind, "dev") / entry.name
    usb = _usb_device(entry, root)
    vendor, product, serial, name, phys = _said_by_hid(entry) if kind is Kind.HID else _said_by_others(kind, entry)
    if usb is not None:
        text = partial(_text, usb)
        vendor, product = _hex(text("idVendor")), _hex(text("idProduct"))
        serial = text("serial")
        name = name or " ".join(part for part in (text("manufacturer"), text("product")) if part)
        phys = phys or usb.name
    is_scanner = kind is Kind.HID or vendor in SCANNER_VENDORS
    is_scanner |= kind is not Kind.CAMERA and bool(_SCANNER_NAME.search(name or ""))
    stable = links.get(node.resolve())
    return Device(kind, node, stable, vendor, product, serial, name or entry.name, phys, is_scanner)


_Said = tuple[int | None, int | None, str | None, str | None, str | None]


def _said_by_hid(entry: Path) -> _Said:
    """Read a HID device's uevent: HID_ID is bus:vendor:product, each in hexadecimal (drivers/hid/hid-core.c)."""
    lines = (_attribute(entry / "device/uevent") or "").split("\n")
    said = {key: _plain(value) or None for key, _, value in (line.partition("=") for line in lines)}
    ids = (said.get("HID_ID") or "").split(":")
    vendor, product = (_hex(ids[1]), _hex(ids[2])) if len(ids) == 3 else (None, None)
    return vendor, product, said.get("HID_UNIQ"), said.get("HID_NAME"), said.get("HID_PHYS")


def _said_by_others(kind: Kind, entry: Path) -> _Said:
    if kind is Kind.KEYBOARD:
        text = partial(_text, entry / "device")
        return _hex(text("id/vendor")), _hex(text("id/product")), text("uniq"), text("name"), text("phys")
    return None, None, None, _text(entry, "name") if kind is Kind.CAMERA else None, None


def _usb_device(entry: Path, root: Path) -> Path | None:
    """Return the folder of the USB device that this is an interface of; None where it is no USB device."""
    try:
        folder = (entry / "device").resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a loop of links, as Python 3.11 calls it
        return None
    top = (root / "sys").resolve()
    for _ in range(_PARENTS_MAX):
        if folder in {top, folder.parent}:
            return None
        if (folder / "idVendor").is_file():
            return folder
        folder = folder.parent
    return None


_LINK_FOLDERS = tuple(
    f"{folder}/{by}"
    for by in ("by-id", "by-path")
    for folder in ("scanward", "serial", "input", "v4l")
)  # fmt: skip


def _links(root: Path) -> dict[Path, Path]:
    """Return the best lasting link to each node: a name before a socket, ours before others'."""
    best: dict[Path, Path] = {}
    for folder in _LINK_FOLDERS:
        for link in sorted(_entries(root / "dev" / folder, _LINKS_MAX)):
            try:
                best.setdefault(link.resolve(), link)
            except (OSError, RuntimeError):
                continue
    return best


def _entries(folder: Path, most: int) -> list[Path]:
    try:
        return [entry for _, entry in zip(range(most), _names(folder), strict=False)]
    except OSError:
        return []


def _names(folder: Path) -> Iterator[Path]:
    yield from folder.iterdir()


def _by_number(entry: Path) -> tuple[str, int]:
    name = entry.name.rstrip("0123456789")
    return name, int(entry.name[len(name) :] or 0)


def _read(path: Path, most: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError:
        return None


def _attribute(path: Path) -> str | None:
    data = _read(path, _ATTRIBUTE_BYTES_MAX)
    return None if data is None else data.decode(errors="replace").strip()


def _text(folder: Path, name: str) -> str | None:
    return _plain(_attribute(folder / name) or "") or None


def _plain(text: str) -> str:
    """Make what a device says of itself fit for a terminal and a log."""
    return legible(text.strip()[:TEXT_CHARS_MAX])


def _hex(text: str | None) -> int | None:
    try:
        return int(text or "", 16) & 0xFFFF
    except ValueError:
        return None
