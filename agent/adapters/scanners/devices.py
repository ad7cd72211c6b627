"""Which device a `path` setting means now: a path in /dev as it is, or usb:VVVV:PPPP[:SERIAL] by looking in /sys."""

import re
from enum import StrEnum
from pathlib import Path

from agent.adapters.scanners.lookout import DeviceAbsent

_USB = re.compile(r"usb:([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})(?::(.+))?")


class Kind(StrEnum):
    """How a scanner can be attached."""

    SERIAL = "serial"
    KEYBOARD = "keyboard"
    HID = "hid"
    CAMERA = "camera"


def resolve(path: str, kind: Kind, root: Path = Path("/")) -> Path:
    """Return the node that a `path` setting means now. Raises DeviceAbsent: none is there, or several are."""
    if not path.startswith("usb:"):
        return Path(path)
    if (parts := _USB.fullmatch(path)) is None:
        raise DeviceAbsent(f"{path} is no name of a device: write usb:VVVV:PPPP or usb:VVVV:PPPP:SERIAL")
    wanted = (parts[1].lower(), parts[2].lower())
    found = []
    for entry in sorted((root / "sys/class/tty").glob("tty[AU]*")):
        usb = (entry / "device").resolve().parent
        is_it = (_text(usb / "idVendor"), _text(usb / "idProduct")) == wanted
        if is_it and parts[3] in {None, _text(usb / "serial")}:
            found.append(root / "dev" / entry.name)
    if len(found) != 1:
        raise DeviceAbsent(f"{path} is {len(found)} {kind.value} devices: plug one in, or add its serial number")
    return found[0]


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
