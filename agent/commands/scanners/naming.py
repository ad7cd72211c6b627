"""What scanners and their devices are called: types of settings, paths to write, sections to paste.

Works by the settings' words alone, so that a type of scanner needs no line here. Nothing is opened.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.adapters.scanners.devices import Device, Kind, resolve
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.config import ScannerSettings

USB_SERIAL = re.compile(r"[A-Za-z0-9._+-]{1,64}")  # what may stand in usb:VVVV:PPPP:SERIAL without doubt
UNSTABLE = re.compile(r"/dev/(ttyACM|ttyUSB|hidraw|video|input/event)\d+")
SOURCE_CHARS_MAX = 200


def type_of(settings: ScannerSettings) -> str:
    """Return what the configuration calls this type of scanner."""
    return str(settings.__struct_config__.tag)


def kind_of(settings: ScannerSettings) -> Kind | None:
    """Return as what the scanner's device shows itself; None where it has none."""
    try:
        kind = Kind(type_of(settings))
    except ValueError:
        return None
    path = path_of(settings)
    return kind if path.startswith(("/", "usb:")) or ":" not in path else None


def path_of(settings: ScannerSettings) -> str:
    """Return the path or address it names; empty where it has none."""
    path = getattr(settings, "path", "")
    return path if isinstance(path, str) else ""


def source_of(settings: ScannerSettings) -> str:
    """Say in a few words where scans come from: type, path and what differs from the defaults."""
    shown = []
    for field in msgspec.structs.fields(settings):
        value = getattr(settings, field.name)
        if field.name in {"id", "path", "step"} or "password" in field.name or value == field.default:
            continue
        text = "+".join(map(str, value)) if isinstance(value, tuple) else value if _is_plain(value) else "set"
        shown.append(f"{field.name} {text}")
    words = ", ".join([" ".join(filter(None, (type_of(settings), path_of(settings)))), *shown])
    return "".join(c if c.isprintable() else "␣" for c in words)[:SOURCE_CHARS_MAX]


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def node_of(settings: ScannerSettings, root: Path = Path("/")) -> Path:
    """Return the real node of a scanner with a device. Raises DeviceAbsent."""
    kind, path = kind_of(settings), path_of(settings)
    if kind is None:
        raise DeviceAbsent(f"a scanner of type {type_of(settings)} has no device")
    return Path(os.path.realpath(resolve(path, kind, root)))


def device_of(settings: ScannerSettings, devices: Sequence[Device], root: Path = Path("/")) -> Device | None:
    """Return which of the machine's devices a scanner's settings mean."""
    try:
        node = node_of(settings, root)
    except DeviceAbsent:
        return None
    kind = kind_of(settings)
    return next((d for d in devices if d.kind is kind and Path(os.path.realpath(d.node)) == node), None)


def usb_path(device: Device) -> str | None:
    """Return usb:VVVV:PPPP or usb:VVVV:PPPP:SERIAL; None for what is not on USB."""
    if device.vendor is None or device.product is None:
        return None
    serial = f":{device.serial}" if device.serial and USB_SERIAL.fullmatch(device.serial) else ""
    return f"usb:{device.vendor:04x}:{device.product:04x}{serial}"


def path_to_write(device: Device, devices: Sequence[Device]) -> tuple[str, bool]:
    """Return the best path for the configuration, and whether it means this device after any unplugging, too."""
    if device.stable is not None:
        return str(device.stable), True
    usb = usb_path(device)
    if usb is not None and sum(d.kind is device.kind and usb_path(d) == usb for d in devices) == 1:
        return usb, True
    return str(device.node), UNSTABLE.fullmatch(str(device.node)) is None


def quoted(text: str) -> str:
    """Return a text as a TOML string (TOML 1.0, basic string)."""
    body = "".join(
        f"\\{c}" if c in '"\\' else f"\\u{ord(c):04x}" if ord(c) < 0x20 or ord(c) == 0x7F else c for c in text
    )
    return f'"{body}"'
