"""A /sys and /dev of invented USB devices, laid out as the kernel lays them out."""

import os
from dataclasses import dataclass
from pathlib import Path

LETTERS = "10000 7 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe\n"  # as a usual keyboard says it
POS_DESCRIPTOR = bytes.fromhex("058c0902a10185020901150026ff0075089538810209")
_CLASS = {"serial": "tty", "keyboard": "input", "hid": "hidraw", "camera": "video4linux"}
_NODE = {"serial": "ttyACM", "keyboard": "event", "hid": "hidraw", "camera": "video"}
_DEV = {"serial": "dev", "keyboard": "dev/input", "hid": "dev", "camera": "dev"}
_BY_ID = {"serial": "dev/serial/by-id", "keyboard": "dev/input/by-id", "camera": "dev/v4l/by-id"}


@dataclass
class UsbTree:
    """The tree under `root`; `plug_in` adds a device."""

    root: Path
    count: int = 0

    def plug_in(
        self, kind: str, ids: str = "05f9:2206", name: str = "Maker Gryphon", serial: str = "", *,
        by_id: str | None = None, power: str = "on",
    ) -> Path:  # fmt: skip
        """Add a device; return its node. ids: vendor and product; by_id: the name of a stable link, if it has one."""
        number, self.count = self.count, self.count + 1
        vendor, _, product = ids.partition(":")
        maker, _, model = name.partition(" ")
        usb = self.root / f"sys/devices/pci0000:00/usb1/1-{number + 1}"
        interface = usb / f"1-{number + 1}:1.0"
        self._write(usb, idVendor=vendor, idProduct=product, manufacturer=maker, product=model)
        self._write(usb / "power", control=power)
        if serial:
            self._write(usb, serial=serial)
        parent = self._parent(kind, interface, name, ids, number)
        node_name = f"{_NODE[kind]}{number}"
        entry = parent / _CLASS[kind] / node_name if kind != "keyboard" else parent / node_name
        self._write(entry, dev=f"{ {'serial': 166, 'keyboard': 13, 'hid': 240, 'camera': 81}[kind] }:{number}")
        if kind == "camera":
            self._write(entry, index="0", name=name)
        (entry / "device").symlink_to(os.path.relpath(parent, entry))
        (entry / "subsystem").symlink_to(os.path.relpath(self.root / f"sys/class/{_CLASS[kind]}", entry))
        listed = self.root / "sys/class" / _CLASS[kind]
        listed.mkdir(parents=True, exist_ok=True)
        (listed / node_name).symlink_to(os.path.relpath(entry, listed))
        node = self.root / _DEV[kind] / node_name
        node.parent.mkdir(parents=True, exist_ok=True)
        node.write_text("")
        if by_id is not None:
            link = self.root / _BY_ID.get(kind, "dev/scanward/by-id") / by_id
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(node, link.parent))
        return node

    def _parent(self, kind: str, interface: Path, name: str, ids: str, number: int) -> Path:
        interface.mkdir(parents=True)
        if kind in {"serial", "camera"}:
            return interface
        hid = interface / f"0003:{ids.upper()}.{number:04X}"
        (hid).mkdir()
        (hid / "report_descriptor").write_bytes(POS_DESCRIPTOR)
        self._write(hid, uevent=f"HID_ID=0003:0000{ids.upper().replace(':', ':0000')}\nHID_NAME={name}\n")
        if kind == "hid":
            return hid
        keyboard = hid / "input" / f"input{number}"
        self._write(keyboard / "capabilities", key=LETTERS, ev="120013")
        self._write(keyboard, name=name, phys=f"usb-0000:00:14.0-{number + 1}/input0", uniq="")
        vendor, _, product = ids.partition(":")
        self._write(keyboard / "id", vendor=vendor, product=product, bustype="0003", version="0110")
        return keyboard

    def _write(self, folder: Path, **files: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(f"{text}\n")
