"""Scanners' devices as the doctor sees them: there, usable by the service, in nobody else's hands, in the right mode.

The law: no device is opened: the agent may be reading it, and opening a serial port discards what waits in it.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from agent.adapters.scanners.devices import Device, Kind, list_devices, resolve
from agent.adapters.scanners.lookout import DeviceAbsent
from agent.commands.doctor.finding import Finding, fault, ok, warning
from agent.commands.doctor.machine import Machine, User
from agent.commands.scanners import naming
from agent.config import ScannerSettings

RULES = "etc/udev/rules.d/60-scanward.rules"
LOOK_AROUND = (
    "plug it in; scanward scanners list shows what is there (also ls -l /dev/scanward/by-id /dev/serial/by-id), "
    "and correct path"
)
LAST_ENTRIES = {Kind.SERIAL: "tty", Kind.KEYBOARD: "input", Kind.HID: "hidraw", Kind.CAMERA: "video4linux"}
HOLDERS_SHOWN_MAX = 3
PARENTS_MAX = 16
MODES = {
    Kind.SERIAL: "USB serial (its manual says virtual COM port, USB COM emulation or USB CDC)",
    Kind.HID: "HID POS (its manual says HID POS, OPOS or USB HID bar code scanner)",
    Kind.KEYBOARD: "USB keyboard (its manual says HID keyboard or keyboard wedge)",
}
DESKTOPS = frozenset(
    {"Xorg", "Xwayland", "gnome-shell", "kwin_wayland", "sway", "weston", "labwc", "wayfire", "cage", "systemd-logind"}
)


def scanner(
    settings: ScannerSettings, machine: Machine, user: User, agent_of: Callable[[], int | None]
) -> Sequence[Finding]:
    """Look at one scanner's device. agent_of: says the running agent's pid, which may well have it open."""
    topic, path, kind = f"scanner {settings.id}", naming.path_of(settings), naming.kind_of(settings)
    if kind is None and (naming.type_of(settings) != "replay" or path == "-"):
        return [ok(topic, "no device file to look at")]
    try:
        node = Path(path) if kind is None else resolve(path, kind, machine.root)
        there = node.stat()
    except DeviceAbsent as error:
        what, _, do = str(error).partition(": ")
        return [fault(topic, what, do or LOOK_AROUND), *_in_another_mode(topic, kind, machine)]
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        return [fault(topic, f"{path} is not there", LOOK_AROUND), *_in_another_mode(topic, kind, machine)]
    is_device = stat.S_ISCHR(there.st_mode)
    needed = os.R_OK | os.W_OK if is_device else os.R_OK
    if not user.may(node.resolve(), needed):
        return [fault(topic, f"{user.name} has no permission for {path}", _permission(there, user))]
    if not is_device and naming.type_of(settings) == "replay":
        return [ok(topic, f"{path} can be read")]
    if not is_device and machine.root == Path("/"):  # elsewhere files stand for devices
        return [fault(topic, f"{path} is no device", LOOK_AROUND)]
    found = [*_held(topic, path, kind, machine.holders(there), agent_of()), *_about_device(settings, node, machine)]
    return found or [ok(topic, f"{path} is there, and {user.name} may use it")]


def _permission(there: os.stat_result, user: User) -> str:
    """Say which command gives the permission."""
    if there.st_mode & 0o060 == 0o060 and there.st_gid not in user.groups and there.st_gid != 0:
        return f"usermod --append --groups {_group(there.st_gid)} {user.name}, then systemctl restart scanward"
    return (
        "mark it as a scanner in /etc/udev/rules.d/59-scanward-local.rules (docs/operations.md), and plug it in again"
    )


def _group(number: int) -> str:
    import grp  # noqa: PLC0415 — only needed where something is wrong

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _held(
    topic: str, path: str, kind: Kind | None, holders: Iterator[tuple[int, str]], agent: int | None
) -> Iterator[Finding]:
    """Yield who else has a device open, and whether that matters: a keyboard's other listeners are shut out."""
    others = [(pid, name) for pid, name in holders if pid not in {agent, os.getpid()}]
    if not others:
        return
    named = ", ".join(f"{name} (pid {pid})" for pid, name in others[:HOLDERS_SHOWN_MAX])
    if kind is Kind.KEYBOARD:
        if agent is not None and all(name in DESKTOPS for _, name in others):
            return  # the agent's grab keeps every key from them
        do = (
            "start the agent: while it runs it takes the scanner for itself, and until then scans type into the desktop"
            if all(name in DESKTOPS for _, name in others)
            else "end it: where it takes the keyboard for itself (a grab), the agent cannot have it"
        )
        yield warning(topic, f"{path} is also heard by {named}", do)
        return
    if kind is Kind.CAMERA:
        do = "end it: a camera gives its pictures to one program only"
    elif kind is Kind.HID:
        do = "end it: every scan goes to that program as well; systemctl disable --now its unit"
    else:
        do = "end it, and keep it from coming back: systemctl disable --now its unit"
    yield warning(topic, f"{path} is open in another program: {named}", do)


def _about_device(settings: ScannerSettings, node: Path, machine: Machine) -> Iterator[Finding]:
    """Yield what /sys says of it: another one tomorrow, asleep."""
    topic, path, kind = f"scanner {settings.id}", naming.path_of(settings), naming.kind_of(settings)
    if kind is None:
        return
    devices = list_devices(machine.root)
    real = node.resolve()
    device = next((d for d in devices if d.kind is kind and d.node.resolve() == real), None)
    if naming.UNSTABLE.fullmatch(path):
        better = naming.path_to_write(device, devices) if device else (path, False)
        do = (
            f'write path = "{better[0]}"'
            if better[1]
            else "sh systemd/install, plug it in again, and take its name from /dev/scanward/by-path"
        )
        yield warning(topic, f"{path} may be another device after the next start", do)
    usb = None if device is None else usb_folder(device, machine)
    if usb is not None and _text(usb / "power/control") == "auto" and _sleeps(usb):
        switch = f"/sys/bus/usb/devices/{usb.name}/power/control"
        do = f"sh systemd/install, then plug it in again; for now: echo on > {switch}"
        yield warning(topic, "USB may put it to sleep: the first scan after a pause would be lost", do)


def _sleeps(usb: Path) -> bool:
    delay = _text(usb / "power/autosuspend_delay_ms")
    return not delay.startswith("-")  # negative: never (Documentation/driver-api/usb/power-management.rst)


def usb_folder(device: Device, machine: Machine) -> Path | None:
    """Return the /sys folder of the USB device that a device belongs to."""
    folder = (machine.root / "sys/class" / LAST_ENTRIES[device.kind] / device.node.name / "device").resolve()
    for parent in [folder, *folder.parents][:PARENTS_MAX]:
        if (parent / "idVendor").is_file():
            return parent
    return None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(64).decode(errors="replace").strip()
    except OSError:
        return ""


def _in_another_mode(topic: str, kind: Kind | None, machine: Machine) -> Iterator[Finding]:
    """Yield a scanner that is plugged in, but shows itself as something else than the configuration says."""
    if kind is None or kind is Kind.CAMERA:
        return
    devices = [d for d in list_devices(machine.root) if d.is_scanner and d.vendor is not None]
    if any(d.kind is kind for d in devices):
        return  # there is one of the right kind: it is the path that is wrong
    for device in devices[:1]:
        path, _ = naming.path_to_write(device, devices)
        yield warning(
            topic,
            f"{device.name} ({naming.usb_path(device)}) is plugged in as {device.kind.value}, not as {kind.value}",
            f"scan the setting code for {MODES[kind]} in its manual, "
            f'or set type = "{device.kind.value}" and path = "{path}"',
        )


def modem_manager(machine: Machine) -> Sequence[Finding]:
    """Look for the program that opens every new serial port to talk to a modem that is none."""
    if all(name != "ModemManager" for _, name in machine.processes()):
        return [ok("ModemManager", "does not run")]
    if (machine.root / RULES).exists():
        return [ok("ModemManager", "runs, and is told to leave known scanners alone")]
    do = "sh systemd/install, which tells it to leave scanners alone; or apt remove modemmanager"
    return [warning("ModemManager", "runs, and types into new serial ports to find modems", do)]
