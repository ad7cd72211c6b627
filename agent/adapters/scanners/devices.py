"""Which device node a `path` setting means now: a path as it is, usb:VVVV:PPPP[:SERIAL] by looking into /sys."""

import re
from enum import StrEnum
from pathlib import Path

from agent.adapters.scanners.lookout import DeviceAbsent

_PARENTS_MAX = 16  # between a node and the USB device it belongs to
_USB = re.compile(r"usb:([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})(?::(.+))?", re.DOTALL)


class Kind(StrEnum):
    """How a scanner can be attached."""

    SERIAL = "serial"
    KEYBOARD = "keyboard"
    HID = "hid"
    CAMERA = "camera"


def resolve(path: str, kind: Kind, root: Path = Path("/")) -> Path:
    """Return the node. Raises DeviceAbsent: none is there, or several are."""
    if (parts := _USB.fullmatch(path)) is None:
        return Path(path)
    wanted = (parts[1].lower(), parts[2].lower())
    found = list[Path]()
    for entry in (root / "sys/class/video4linux").glob("video*") if kind is Kind.CAMERA else ():
        place = (entry / "device").resolve()
        for parent in (place, *place.parents[:_PARENTS_MAX]):
            if (_read(parent / "idVendor"), _read(parent / "idProduct")) == wanted:
                if parts[3] in {None, _read(parent / "serial")} and _read(entry / "index") == "0":
                    found.append(root / "dev" / entry.name)
                break
    if len(found) != 1:
        how_many = "is several devices: add its serial number" if found else "is not there: plug it in"
        raise DeviceAbsent(f"{path} {how_many}, or set path to another one")
    return found[0]


def _read(attribute: Path) -> str | None:
    try:
        return attribute.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
