"""Runs a program as the unit's settings confine it: its system calls, its socket families, no capability, users of its
own, no code made at run time, and a device only by its group. What is refused ends the process at once (by the unit it
fails with EPERM). The law: what is allowed is read from the unit. Usage: confined.py UNIT GROUP PROGRAM ARGUMENT...
"""

import ctypes
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 24, 28, 38
CLONE_NEWUSER = 0x1000_0000
SERVICE_USER = 990  # what the program takes itself for; its files stay the caller's
NOROOT_LOCKED = 0b11
CAPABILITIES = 41
ACT_KILL, ACT_ALLOW, ACT_REFUSE, CMP_EQ, CMP_MASKED_EQ = 0x8000_0000, 0x7FFF_0000, 0x5_0000 | errno.EPERM, 4, 7
WRITE, EXECUTE, SHM_EXEC = 0b10, 0b100, 0o100000
NO_NEW_CODE = {  # what MemoryDenyWriteExecute refuses, as systemd does with EPERM: argument, mask; allowed values
    "mmap": (2, WRITE | EXECUTE, (0, WRITE, EXECUTE)),
    "mprotect": (2, EXECUTE, (0,)),
    "pkey_mprotect": (2, EXECUTE, (0,)),
    "shmat": (2, SHM_EXEC, (0,)),
}


class Comparison(ctypes.Structure):
    """libseccomp's scmp_arg_cmp."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def settings_of(unit):
    """Return the unit's settings in order, as (name, value) pairs."""
    lines = [line for line in Path(unit).read_text().splitlines() if "=" in line and not line.startswith("#")]
    return [tuple(line.split("=", 1)) for line in lines]


def calls_in(group):
    """Return the system calls of a group by systemd's own tables."""
    command = ["systemd-analyze", "syscall-filter", group]
    listing = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    names = [line.strip() for line in listing.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return {call for name in names for call in (calls_in(name) if name.startswith("@") else {name})}


def allowed_calls(unit):
    """Return what is left of SystemCallFilter's first list without the later, negated ones."""
    allowed = set()
    for value in [value for name, value in settings_of(unit) if name == "SystemCallFilter"]:
        calls = {call for group in value.lstrip("~").split() for call in calls_in(group)}
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def allowed_families(unit):
    """Return the numbers of the socket families the unit allows."""
    return [getattr(socket, family) for family in dict(settings_of(unit))["RestrictAddressFamilies"].split()]


def prctl(*arguments):
    """Call prctl(2). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(*[ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:5]]) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"prctl {arguments}")


def live_among_own_users():
    """Enter a user namespace that knows one user and one group, as PrivateUsers does."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{SERVICE_USER} {user} 1\n")
    Path("/proc/self/gid_map").write_text(f"{SERVICE_USER} {group} 1\n")


def load_filter(calls, families, *, is_code_fixed):
    """Load a filter that kills for every other call and for a socket of another family, and refuses to make code."""
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(ACT_KILL)))
    rules = {"socket": [(ACT_ALLOW, Comparison(0, CMP_EQ, family, 0)) for family in families]}
    if is_code_fixed:
        for call, (argument, mask, values) in NO_NEW_CODE.items():
            allowed = [(ACT_ALLOW, Comparison(argument, CMP_MASKED_EQ, mask, value)) for value in values]
            rules[call] = [*allowed, (ACT_REFUSE, Comparison(argument, CMP_MASKED_EQ, mask, mask))]
    for call in calls:
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        for action, condition in rules.get(call, [(ACT_ALLOW, None)]) if number >= 0 else []:
            compared = (Comparison * 1)(condition) if condition else None
            count = ctypes.c_uint(1 if condition else 0)
            if seccomp.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, count, compared) != 0:
                raise SystemExit(f"no rule for {call}")
    if seccomp.seccomp_load(context) != 0:
        raise SystemExit("the filter cannot be loaded")


def confine(unit, group):
    """Confine this process for good."""
    calls, families, settings = allowed_calls(unit), allowed_families(unit), dict(settings_of(unit))
    os.umask(int(settings["UMask"], 8))
    os.setgroups([group])
    if settings["PrivateUsers"] == "yes":
        live_among_own_users()
    if settings["CapabilityBoundingSet"] == "":
        prctl(PR_SET_SECUREBITS, NOROOT_LOCKED)
        for capability in range(CAPABILITIES):
            prctl(PR_CAPBSET_DROP, capability)
    if settings["NoNewPrivileges"] == "yes":
        prctl(PR_SET_NO_NEW_PRIVS, 1)
    load_filter(calls, families, is_code_fixed=settings["MemoryDenyWriteExecute"] == "yes")


if __name__ == "__main__":
    unit, group, *program = sys.argv[1:]
    confine(unit, int(group))
    os.execvpe(program[0], program, dict(os.environ))  # noqa: S606
