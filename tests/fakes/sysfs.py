"""A tree like /sys and /dev with the devices that a test wants."""

import struct
from pathlib import Path

_LETTERS = (*range(16, 26), *range(30, 39), *range(44, 51))


def key_words(keys: tuple[int, ...] = _LETTERS) -> str:
    """Key bits as the kernel writes them: hexadecimal words, the highest first."""
    bits, size = sum(1 << key for key in keys), 8 * struct.calcsize("l")
    words = []
    while bits or not words:
        words.append(f"{bits & (1 << size) - 1:x}")
        bits >>= size
    return " ".join(reversed(words))


class Sysfs:
    """root: what stands for "/"."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys/devices").mkdir(parents=True)

    def usb(self, socket: str, vendor: int, product: int, /, **said: str) -> Path:
        """A USB device with one interface; return its folder."""
        folder = self.root / "sys/devices/usb1" / socket
        (folder / f"{socket}:1.0").mkdir(parents=True)
        for name, value in {"idVendor": f"{vendor:04x}", "idProduct": f"{product:04x}", **said}.items():
            (folder / name).write_text(value + "\n")
        bus = self.root / "sys/bus/usb/devices"
        bus.mkdir(parents=True, exist_ok=True)
        for entry in (folder, folder / f"{socket}:1.0"):
            (bus / entry.name).symlink_to(entry)
        return folder

    def add(self, class_: str, name: str, usb: Path | None, /, **attributes: str) -> Path:
        """A device of a class, of a USB device's interface where it is one; return its folder."""
        folder = self.root / "sys/class" / class_ / name
        folder.mkdir(parents=True)
        for attribute, value in attributes.items():
            (folder / attribute).write_text(value + "\n")
        if usb is not None:
            (folder / "device").symlink_to(usb / f"{usb.name}:1.0")
        return folder

    def keyboard(
        self, name: str, said: str, usb: Path | None, vendor: int, product: int, *, keys: str | None = None
    ) -> None:
        parent = self.root / "sys/devices/virtual" if usb is None else usb / f"{usb.name}:1.0"
        device = parent / "input" / f"input-{name}"
        for folder in ("id", "capabilities"):
            (device / folder).mkdir(parents=True)
        files = {"name": said, "id/vendor": f"{vendor:04x}", "id/product": f"{product:04x}"}
        files["capabilities/key"] = key_words() if keys is None else keys
        for file, value in files.items():
            (device / file).write_text(value + "\n")
        (self.add("input", name, None) / "device").symlink_to(device)

    def hidraw(
        self, node: str, descriptor: bytes, vendor: int, product: int, *, name: str = "", uniq: str = "", phys: str = ""
    ) -> None:
        device = self.root / "sys/devices/hid" / node
        device.mkdir(parents=True)
        (device / "report_descriptor").write_bytes(descriptor)
        (device / "uevent").write_text(
            f"DRIVER=hid-generic\nHID_ID=0003:{vendor:08X}:{product:08X}\nHID_NAME={name}\nHID_PHYS={phys}\n"
            f"HID_UNIQ={uniq}\nMODALIAS=hid:b0003\n"
        )
        (self.add("hidraw", node, None) / "device").symlink_to(device)

    def link(self, path: str, node: str) -> Path:
        """A lasting link to a node in /dev."""
        link = self.root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path("../..") / node)
        return link
