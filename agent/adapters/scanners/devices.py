"""Which device of this machine a `path` setting means."""

from enum import StrEnum
from pathlib import Path

from agent.adapters.scanners.lookout import DeviceAbsent


class Kind(StrEnum):
    """How a scanner can be attached."""

    KEYBOARD = "keyboard"


def resolve(path: str, kind: Kind, root: Path = Path("/")) -> Path:
    """Return the node that a `path` setting means now. Raises DeviceAbsent."""
    if path.startswith("usb:"):
        raise DeviceAbsent(f"no {kind.value} device {path} under {root}: set path to a link in /dev/input/by-id")
    return Path(path)
