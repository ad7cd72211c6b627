"""`scanward scanners calibrate`: print the calibration sheet, or read it with one scanner and say how to set it.

What is read is never printed: only the settings found, or why none fit.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path

import msgspec

from agent.adapters.clock import SystemClock
from agent.adapters.scanners.devices import Kind, list_devices, resolve
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.adapters.scanners.presence import Presence
from agent.commands.doctor.machine import Machine
from agent.commands.scanners import choosing, naming, raw, sheet
from agent.composition.scanners import build_scanner
from agent.config import ScannerSettings
from agent.core.reading.calibration import CALIBRATION_TEXT, Finding, calibrate_bytes, calibrate_keys
from agent.core.scan import Scan

SECONDS = 60  # a keyboard that is taken by mistake comes back after this
BAUDS = (9_600, 115_200, 19_200, 38_400, 57_600, 4_800, 2_400, 1_200, 230_400, 460_800, 921_600)
NOT_SETTINGS = frozenset({"why", "is_gs_lost"})
GS_LOST = "the scanner sends nothing for GS: turn its control characters on, or GS1 codes run together"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this action."""
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write the sheet to print: .pdf or .png")
    parser.add_argument("--path", metavar="PATH", help="read the sheet with this scanner")
    parser.add_argument("--type", choices=("serial", "keyboard", "hid", "network"), help="how it is connected")
    parser.add_argument("--baud", type=int, choices=BAUDS, help="of a serial line; else the usual ones are tried")
    parser.add_argument("--seconds", type=_seconds, default=SECONDS, metavar="S", help="wait so long for each scan")


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= 3_600):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds: 1 to 3600")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Do what was asked; return 0 where it could be done, 1 where nothing fits, 2 for usage and devices."""
    try:
        if args.sheet is not None and args.path is None:
            return _print_sheet(args.sheet)
        if args.path is None or args.type is None:
            raise raw.NoReading("give --sheet FILE.pdf to print the sheet, or --path PATH --type TYPE to read it")
        return _calibrate(args)
    except (raw.NoReading, DeviceAbsent, choosing.NoScanner) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: nothing was found", file=sys.stderr)
        return 1


def _print_sheet(path: Path) -> int:
    try:
        sheet.save(sheet.draw(CALIBRATION_TEXT), path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise raw.NoReading(f"{path}: {reason}" if str(path) not in reason else reason) from error
    print(
        f"{path}: print it at 100 %, then scan one of its codes with scanward scanners calibrate --path ... --type ..."
    )
    if not sheet.has_chinese():
        print("without Chinese headings: no Chinese font is installed (apt install fonts-noto-cjk)", file=sys.stderr)
    return 0


def _calibrate(args: argparse.Namespace) -> int:
    probe = choosing.ad_hoc(args.type, args.path, ())
    if (taken := choosing.why_taken(probe, None, Machine())) is not None:
        raise raw.NoReading(f"{args.path}: {taken}")
    ready = partial(_ask, args.seconds)
    if args.type == "serial":
        finding, extra = _of_serial(args, ready)
    elif args.type == "keyboard":
        events, lit = raw.read_keys(resolve(args.path, Kind.KEYBOARD), args.seconds, ready)
        if not events:
            raise raw.NoReading(_silence(args.path))
        finding, extra = calibrate_keys(events, lit=lit), dict[str, object]()
    else:
        scan = asyncio.run(_first_scan(probe, args.seconds, ready))
        finding, extra = calibrate_bytes(scan.data), dict[str, object]()
    if finding.why:
        print(f"nothing fits: {finding.why}", file=sys.stderr)
        print("set the scanner back to its defaults by its manual, and scan again; docs/scanners.md", file=sys.stderr)
        return 1
    if finding.is_gs_lost:
        print(f"warning: {GS_LOST}", file=sys.stderr)
    found = settings_of(finding, probe) | extra
    print("\n".join(section_of(probe, found)))
    return 0


def _ask(seconds: int) -> None:
    print(f"scan one code of the calibration sheet within {seconds} s; Ctrl-C ends", file=sys.stderr, flush=True)


def _silence(path: str) -> str:
    return (
        f"{path}: nothing came: is it this scanner (scanward scanners list), and does it read the code (its beep)? "
        "A scanner with several keyboards sends on one of them only"
    )


def _of_serial(args: argparse.Namespace, ready: Callable[[], None]) -> tuple[Finding, dict[str, object]]:
    """Read scans at one speed after the other until one is understood. Raises NoReading."""
    node = resolve(args.path, Kind.SERIAL)
    is_usb = os.path.realpath(node).startswith("/dev/ttyACM")  # its line has no speed of its own
    bauds = (args.baud,) if args.baud else BAUDS[:1] if is_usb else BAUDS
    finding = Finding(why=_silence(args.path))
    for at, baud in enumerate(bauds):
        if at:
            print(f"not understood; now at {baud} baud: once more", file=sys.stderr, flush=True)
        data = raw.read_bytes(node, baud, args.seconds, ready)
        if not data:
            raise raw.NoReading(_silence(args.path))
        finding = calibrate_bytes(data)
        if not finding.why:
            return finding, {} if is_usb else {"baud": baud}
    return finding, {}


async def _first_scan(settings: ScannerSettings, seconds: float, ready: Callable[[], None]) -> Scan:
    """Return the first scan of a scanner that is read by its own adapter. Raises NoReading."""
    told = [_silence(naming.path_of(settings))]

    def tell(_scanner: str, presence: Presence, why: str) -> None:
        if presence is Presence.ABSENT:
            told[0] = why
        else:
            ready()

    try:
        async with asyncio.timeout(seconds):
            async for scan in build_scanner(settings, SystemClock(), tell).scans():
                if scan.fault is not None:
                    raise raw.NoReading(f"the scan came with a fault ({scan.fault.value}): scan it again")
                return scan
    except TimeoutError as error:
        raise raw.NoReading(told[0]) from error
    raise raw.NoReading(told[0])


def settings_of(finding: Finding, probe: ScannerSettings) -> dict[str, object]:
    """Return what was found that this type of scanner has a setting for and that differs from its default."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(probe)}
    found = {f.name: getattr(finding, f.name) for f in fields(finding) if f.name not in NOT_SETTINGS}
    return {name: value for name, value in found.items() if value is not None and name in defaults and (
        value != defaults[name] or name in {"layout", "framing", "terminator"}
    )}  # fmt: skip


def section_of(probe: ScannerSettings, found: dict[str, object]) -> Iterator[str]:
    """Yield the lines of the section to paste."""
    type_, path = naming.type_of(probe), naming.path_of(probe)
    devices = list_devices()
    device = naming.device_of(probe, devices)
    if device is not None:
        path, _ = naming.path_to_write(device, devices)
    yield "[[scanners]]"
    yield f'id = "{type_}"'
    yield f'type = "{type_}"'
    yield f"path = {naming.quoted(path)}"
    for name, value in found.items():
        match value:
            case bool():
                yield f"{name} = {str(value).lower()}"
            case int():
                yield f"{name} = {value}"
            case _:
                yield f"{name} = {naming.quoted(str(value))}"
