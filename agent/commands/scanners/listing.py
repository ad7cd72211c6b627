"""`scanward scanners list`: every device that could be a scanner, and the section that makes it one. None is opened."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.adapters.scanners.devices import Device, Kind, list_devices
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.commands.scanners import naming
from agent.config import Config, ConfigInvalid, ScannerSettings, load

ORDER = (Kind.SERIAL, Kind.HID, Kind.KEYBOARD, Kind.CAMERA)  # the best way to connect a scanner first
REMARKS = {
    Kind.SERIAL: "a port without a name: a scanner on RS-232, or something else",
    Kind.KEYBOARD: "may be an ordinary keyboard: the agent takes what it reads for itself alone",
    Kind.CAMERA: "any camera; it serves as a scanner where nothing better is there",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A device as the list shows it. path: for the configuration; is_lasting: it survives unplugging."""

    device: Device
    path: str
    is_lasting: bool
    configured_as: str | None
    section: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this action."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="say which of them this configuration uses")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """Print the devices; return 0, or 1 where the configuration cannot be read."""
    try:
        config = None if args.config is None else load(args.config)
    except ConfigInvalid as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    root = Path("/")
    rows = rows_of(list_devices(root), config, root)
    missing = absent(config, root)
    print(as_json(rows, missing) if args.json else "\n".join(lines_of(rows, missing)))
    return 0


def rows_of(devices: Sequence[Device], config: Config | None, root: Path) -> list[Row]:
    """Return a row for each device, the likely scanners first."""
    taken = {s.id for s in config.scanners} if config else set[str]()
    used = dict[int, str]()
    for scanner in config.scanners if config else ():
        device = naming.device_of(scanner, devices, root)
        if device is not None:
            used.setdefault(devices.index(device), scanner.id)
    rows = list[Row]()
    for at, device in enumerate(devices):
        path, is_lasting = naming.path_to_write(device, devices)
        name = _free_id(device.kind.value, taken)
        rows.append(Row(device, path, is_lasting, used.get(at), _section(name, device.kind, path)))
    return sorted(rows, key=lambda r: (not r.device.is_scanner, ORDER.index(r.device.kind)))


def absent(config: Config | None, root: Path) -> list[ScannerSettings]:
    """Return the configured scanners whose device is not there."""
    found = list[ScannerSettings]()
    for scanner in config.scanners if config else ():
        if naming.kind_of(scanner) is not None and not _is_there(scanner, root):
            found.append(scanner)
    return found


def _is_there(scanner: ScannerSettings, root: Path) -> bool:
    try:
        return naming.node_of(scanner, root).exists()
    except DeviceAbsent:
        return False


def _free_id(word: str, taken: set[str]) -> str:
    name = next(n for n in (word, *(f"{word}-{at}" for at in range(2, 10_000))) if n not in taken)
    taken.add(name)
    return name


def _section(name: str, kind: Kind, path: str) -> str:
    return f'[[scanners]]\nid = "{name}"\ntype = "{kind.value}"\npath = {naming.quoted(path)}\n'


def lines_of(rows: Sequence[Row], missing: Sequence[ScannerSettings]) -> Iterator[str]:
    """Yield the list for people."""
    for row in rows:
        device = row.device
        usb = naming.usb_path(device)
        yield f"{device.kind.value:<9} {device.name}{f' ({usb})' if usb else ''}"
        yield f"{'':<9} {device.node}{f', {device.phys}' if device.phys else ''}"
        if row.configured_as is not None:
            yield f"{'':<9} configured as {row.configured_as}"
        else:
            if not device.is_scanner and device.kind in REMARKS:
                yield f"{'':<9} {REMARKS[device.kind]}"
            yield from (f"    {line}" for line in row.section.splitlines())
        if not row.is_lasting:
            yield f"{'':<9} this path may mean another device tomorrow: sh systemd/install gives scanners lasting ones"
        yield ""
    for scanner in missing:
        yield f"absent    {scanner.id}: {naming.path_of(scanner)} is not there: plug it in, or correct its path"
    total = f"{len(rows)} device" + ("" if len(rows) == 1 else "s")
    nothing = "; a scanner that is plugged in and not here: scanward doctor, docs/scanners.md" if not rows else ""
    yield f"scanners: {total}{nothing}"


def as_json(rows: Sequence[Row], missing: Sequence[ScannerSettings]) -> str:
    """Return the list for programs."""
    devices = [
        {
            "kind": row.device.kind.value,
            "name": row.device.name,
            "vendor": None if row.device.vendor is None else f"{row.device.vendor:04x}",
            "product": None if row.device.product is None else f"{row.device.product:04x}",
            "serial": row.device.serial,
            "node": str(row.device.node),
            "socket": row.device.phys,
            "path": row.path,
            "lasting": row.is_lasting,
            "likely": row.device.is_scanner,
            "configured_as": row.configured_as,
            "toml": row.section,
        }
        for row in rows
    ]
    gone = [{"id": s.id, "type": naming.type_of(s), "path": naming.path_of(s)} for s in missing]
    return json.dumps(
        {"format": "scanward-scanners-1", "devices": devices, "absent": gone}, ensure_ascii=False, indent=1
    )
