"""The machine the agent runs on: its processes, users and files, and whether its clock, memory and sleep are in order.

Everything is read; nothing is opened that another program may be using, and no lock is taken. `root` is where /proc,
/sys and /etc are looked for.
"""

import ctypes
import os
import pwd
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.adapters.clock import SystemClock
from agent.commands.doctor.finding import Finding, ok, warning
from agent.commands.doctor.finding import fault as fault_of

SERVICE_USER = "scanward"
MEMORY_BYTES_MIN = 67_108_864
TEMPERATURE_C_MAX = 80.0
YEAR_MS = 31_556_952_000
BUILT_MS = 56 * YEAR_MS  # 2026: no clock that is right says less
RTC_DRIFT_S_MAX = 120
READ_BYTES_MAX = 65_536
TIME_ERROR = 5  # adjtimex(2): nobody has synchronised the clock
TIMEX_BYTES = 512  # more than struct timex has on any architecture
UNDER_VOLTAGE, UNDER_VOLTAGE_SEEN = 0x1, 0x10000
THROTTLED, THROTTLED_SEEN = 0x2 | 0x4 | 0x8, 0x20000 | 0x40000 | 0x80000


@dataclass(frozen=True, slots=True)
class Machine:
    """Where to look."""

    root: Path = Path("/")

    def read(self, path: str) -> str | None:
        """Return a small file's text; None where there is none to read."""
        try:
            with (self.root / path).open("rb") as file:
                return file.read(READ_BYTES_MAX).decode(errors="replace")
        except OSError:
            return None

    def processes(self) -> Iterator[tuple[int, str]]:
        """Yield pid and name of every process."""
        for folder in (self.root / "proc").iterdir():
            if folder.name.isdecimal() and (name := self.read(f"proc/{folder.name}/comm")) is not None:
                yield int(folder.name), name.strip()

    def holders(self, device: os.stat_result) -> Iterator[tuple[int, str]]:
        """Yield the processes that have a device open, as far as this user may see."""
        for pid, name in self.processes():
            if any(_is_same(device, fd) for fd in _listed(self.root / "proc" / str(pid) / "fd")):
                yield pid, name

    def lock_owner(self, path: Path) -> int | None:
        """Return the process that holds the flock on a file, without trying for it; None where nobody does."""
        try:
            inode = path.stat().st_ino
        except OSError:
            return None
        for line in (self.read("proc/locks") or "").splitlines():
            fields = line.split()
            if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(inode):
                return int(fields[4])
        return None


def _listed(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:
        return  # another user's process, or one that has just ended


def _is_same(device: os.stat_result, path: Path) -> bool:
    try:
        there = path.stat()
    except OSError:
        return False
    return stat.S_ISCHR(there.st_mode) and there.st_rdev == device.st_rdev


@dataclass(frozen=True, slots=True)
class User:
    """Whose permissions count. is_self: this very process has them, so the kernel is asked."""

    name: str
    uid: int
    groups: frozenset[int]
    is_self: bool

    def may(self, path: Path, mode: int) -> bool:
        """Say whether this user may use a file so (os.R_OK, W_OK, X_OK), its folders included."""
        if self.is_self:
            return os.access(path, mode)
        return all(self._may(parent, os.X_OK) for parent in path.absolute().parents) and self._may(path, mode)

    def _may(self, path: Path, mode: int) -> bool:
        there = path.stat()
        shift = 6 if there.st_uid == self.uid else 3 if there.st_gid in self.groups else 0
        return (there.st_mode >> shift) & mode == mode


def service_user(name: str = SERVICE_USER) -> User:
    """Return the service's user where root asks, for root may do anything; otherwise who asks."""
    if os.geteuid() == 0:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            pass
        else:
            return User(name, entry.pw_uid, frozenset(os.getgrouplist(name, entry.pw_gid)), is_self=False)
    groups = frozenset({os.getegid(), *os.getgroups()})
    try:
        own = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        own = str(os.geteuid())
    return User(own, os.geteuid(), groups, is_self=True)


def clock(machine: Machine, now_ms: Callable[[], int] | None = None) -> Sequence[Finding]:
    """Look at date, synchronisation and clock chip."""
    now = SystemClock().now().now.earliest_ms if now_ms is None else now_ms()
    found = list[Finding]()
    if now < BUILT_MS:
        do = "connect the network, or set it: timedatectl set-time; codes are judged by it"
        found.append(fault_of("clock", "the clock stands before 2026", do))
    if not is_synchronised():
        do = "timedatectl set-ntp true, and let the terminal reach a time server"
        found.append(warning("clock", "nobody has synchronised the clock since the start", do))
    chip = (machine.read("sys/class/rtc/rtc0/since_epoch") or "").strip()
    if not chip.isdecimal():
        do = "nothing, where the network is there at every start; otherwise add a clock chip"
        found.append(
            warning("clock", "no clock chip: after a power cut the time is unknown until the network is back", do)
        )
    elif abs(int(chip) - now // 1000) > RTC_DRIFT_S_MAX:
        found.append(warning("clock", "the clock chip is minutes off", "hwclock --systohc; then look at its battery"))
    return found or [ok("clock", "synchronised, with a clock chip")]


def is_synchronised() -> bool:
    """Ask the kernel (adjtimex(2)); nothing is adjusted."""
    return bool(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)) != TIME_ERROR)


def limits(machine: Machine) -> Sequence[Finding]:
    """Look at memory, power supply and heat."""
    found = list[Finding]()
    lines = dict(line.split(":", 1) for line in (machine.read("proc/meminfo") or "").splitlines() if ":" in line)
    free = lines.get("MemAvailable", "").split()
    if free and free[0].isdecimal() and int(free[0]) * 1024 < MEMORY_BYTES_MIN:
        do = "end what is not needed (the browser is the usual one), or add memory"
        found.append(warning("memory", f"only {int(free[0]) // 1024} MB are free", do))
    if (text := machine.read("sys/devices/platform/soc/soc:firmware/get_throttled")) is not None:
        found.extend(_throttling(text.strip()))
    for folder in sorted((machine.root / "sys/class/thermal").glob("thermal_zone*")):
        heat = (machine.read(f"sys/class/thermal/{folder.name}/temp") or "").strip()
        if heat.isdecimal() and int(heat) / 1000 > TEMPERATURE_C_MAX:
            found.append(warning("heat", f"{folder.name} is at {int(heat) // 1000} °C", "give the box air, clean it"))
    return found or [ok("memory", f"{int(free[0]) // 1024} MB free" if free else "enough, as far as can be seen")]


def _throttling(text: str) -> Iterator[Finding]:
    try:
        bits = int(text, 16)
    except ValueError:
        return
    do = "use the power supply and the cable made for this board"
    if bits & UNDER_VOLTAGE:
        yield fault_of("power", "the voltage is too low now: cards and records get damaged so", do)
    elif bits & UNDER_VOLTAGE_SEEN:
        yield warning("power", "the voltage was too low since the start", do)
    if bits & THROTTLED:
        yield warning("heat", "the processor is slowed down now", "give the box air; see the power supply, too")
    elif bits & THROTTLED_SEEN:
        yield warning(
            "heat", "the processor was slowed down since the start", "give the box air; see the power supply, too"
        )


def sleep(machine: Machine) -> Sequence[Finding]:
    """Look whether the machine can fall asleep under the agent."""
    states = (machine.read("sys/power/state") or "").split()
    if not states:
        return [ok("sleep", "this machine cannot sleep")]
    if (machine.root / "etc/systemd/system/sleep.target").resolve() == Path("/dev/null"):
        return [ok("sleep", "switched off (sleep.target is masked)")]
    for pid, name in machine.processes():
        if name == "systemd-inhibit" and "--who=Scanward" in (machine.read(f"proc/{pid}/cmdline") or ""):
            return [ok("sleep", "kept awake while the agent runs")]
    do = "systemctl start scanward-awake; for good: systemctl mask sleep.target"
    return [warning("sleep", "nothing keeps this machine from falling asleep in the middle of work", do)]
