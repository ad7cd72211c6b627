"""Scanners as the doctor sees them: is the device there, may the service use it, who else has it open.

The law: no device is opened: the agent may be reading it, and opening a serial port discards what waits in it.
"""

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.commands.doctor.finding import Finding, fault, ok, warning
from agent.commands.doctor.machine import Machine, User
from agent.config import ScannerSettings

RULES = "etc/udev/rules.d/60-scanward.rules"
LOOK_AROUND = "plug it in; see ls -l /dev/scanward/by-id /dev/serial/by-id for what is there, and correct path"
HOLDERS_SHOWN_MAX = 3


def scanner(
    settings: ScannerSettings, machine: Machine, user: User, agent_of: Callable[[], int | None]
) -> Sequence[Finding]:
    """Look at one scanner's device. agent_of: says the running agent's pid, which may well have it open."""
    topic, path = f"scanner {settings.id}", getattr(settings, "path", None)
    if not isinstance(path, str) or path == "-" or "://" in path:
        return [ok(topic, "no device file to look at")]
    try:
        there = Path(path).stat()
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        return [fault(topic, f"{path} is not there", LOOK_AROUND)]
    needed = os.R_OK | os.W_OK if stat.S_ISCHR(there.st_mode) else os.R_OK
    if not user.may(Path(path).resolve(), needed):
        return [fault(topic, f"{user.name} has no permission for {path}", _permission(there, user))]
    if not stat.S_ISCHR(there.st_mode):
        return [ok(topic, f"{path} can be read")]
    agent = agent_of()
    others = [(pid, name) for pid, name in machine.holders(there) if pid not in {agent, os.getpid()}]
    if others:
        named = ", ".join(f"{name} (pid {pid})" for pid, name in others[:HOLDERS_SHOWN_MAX])
        do = "end it, and keep it from coming back: systemctl disable --now its unit"
        return [warning(topic, f"{path} is open in another program: {named}", do)]
    return [ok(topic, f"{path} is there, and {user.name} may use it")]


def _permission(there: os.stat_result, user: User) -> str:
    """Say which command gives the permission."""
    if there.st_mode & 0o060 == 0o060 and there.st_gid not in user.groups:
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


def modem_manager(machine: Machine) -> Sequence[Finding]:
    """Look for the program that opens every new serial port to talk to a modem that is none."""
    if all(name != "ModemManager" for _, name in machine.processes()):
        return [ok("ModemManager", "does not run")]
    if (machine.root / RULES).exists():
        return [ok("ModemManager", "runs, and is told to leave known scanners alone")]
    do = "sh systemd/install, which tells it to leave scanners alone; or apt remove modemmanager"
    return [warning("ModemManager", "runs, and types into new serial ports to find modems", do)]
