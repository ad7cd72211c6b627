"""The emulated machine: Debian's kernel, a first file system of busybox and modules, the host's root read-only over 9p.

What Python loads lies above that root in memory, as it is on the host: a file over 9p costs a hundred times more.
Nothing is installed and nothing outside one folder is written. What is missing is said with what to do about it.
"""

import gzip
import lzma
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MODULES = (
    "virtio_pci", "9pnet_virtio", "9p", "overlay", "hid_generic", "usbhid", "evdev", "uinput", "uhid", "cdc_acm",
    "usb_f_hid", "usb_f_acm", "dummy_hcd", "vivid",
)  # fmt: skip
OPTIONS = {
    "dummy_hcd": "num=10",
    # One HDMI input and one HDMI output: what is written to the output can be looped to the input.
    "vivid": "n_devs=1 node_types=0x101 num_inputs=1 input_types=0x3 num_outputs=1 output_types=0x1",
}
MEMORY_MB = 1024
PROCESSORS = 2
PROCESSOR = "Nehalem,+rdrand"  # wider vectors are emulated slowly; programs use them where a processor says it has them
CONSOLE_BYTES_MAX = 4_000_000
KERNELS = (Path(__file__).parents[1] / ".lab", Path("/"))  # the fetched one first, then an installed one
INSTALL = "apt-get install --no-install-recommends"
PROGRAMS = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static"}
FILES = {"/lib/systemd/systemd-udevd": "udev", "/usr/share/X11/xkb/symbols": "xkb-data"}
# Told by a process of the host's: what these modules are loaded from, and every library that they map.
LOADED = """
import sys, lab.guest.__main__, agent.app, agent.commands.run, agent.commands.queue, agent.adapters.vision.reader
files = {f for m in list(sys.modules.values()) for f in (getattr(m, "__file__", None), getattr(m, "__cached__", None))}
mapped = {line.split(maxsplit=5)[5].strip() for line in open("/proc/self/maps") if "/" in line}
print(*sorted(f for f in files | mapped | {sys.executable} if f and f.startswith("/")), sep="\\n")
"""
LOADED_S_MAX = 60
WARM_BYTES_MAX = 300_000_000
FETCH = "python -m lab.kernel (downloads Debian's kernel package and unpacks it; installs nothing)"

INIT = """#!/bin/sh
/bin/busybox mkdir -p /proc /sys /dev /machine
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
while read -r name options; do
  /bin/busybox insmod /modules/$name $options || /bin/busybox echo "no module $name"
done < /modules/order
host=trans=virtio,version=9p2000.L,ro,cache=loose,msize=524288
/bin/busybox mkdir -p /host /warm
/bin/busybox mount -t 9p -o $host host /host || exec /bin/busybox poweroff -f
/bin/busybox mount -t overlay -o ro,lowerdir=/warm:/host host /machine || exec /bin/busybox poweroff -f
for kind in proc sysfs devtmpfs; do
  case $kind in proc) at=proc;; sysfs) at=sys;; *) at=dev;; esac
  /bin/busybox mount -t $kind $kind /machine/$at
done
/bin/busybox mkdir -p /machine/dev/shm /machine/dev/pts
/bin/busybox mount -t devpts devpts /machine/dev/pts
/bin/busybox mount -t tmpfs tmpfs /machine/run
/bin/busybox mkdir -p /machine/run/lab /machine/run/tmp /machine/run/lock
/bin/busybox mount -t configfs configfs /machine/sys/kernel/config
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288 journal /machine/run/lab
/bin/busybox ip link set lo up
exec /bin/busybox chroot /machine '@BUSYBOX@' sh -c "
/usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/tmp TMPDIR=/run/tmp LANG=C.UTF-8 \\
  PYTHONDONTWRITEBYTECODE=1 PYTHONPATH='@CODE@' '@PYTHON@' -m lab.guest @ARGUMENTS@
echo lab: the guest ended with \\$?
'@BUSYBOX@' sync
'@BUSYBOX@' poweroff -f"
"""


class Missing(Exception):
    """The laboratory cannot be built here; the text says what to install."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the machine is made of: programs, a kernel and the folder of its modules."""

    qemu: str
    busybox: str
    kernel: Path
    modules: Path


def find_parts(kernels: Iterable[Path], which: Callable[[str], str | None] = shutil.which) -> Parts:
    """Find programs and a kernel with modules below one of these roots. Raises Missing, which names all that is."""
    qemu, busybox = (which(name) for name in PROGRAMS)
    found = find_kernel(kernels)
    lacking = {name: package for name, package in PROGRAMS.items() if which(name) is None}
    lacking |= {name: package for name, package in FILES.items() if not Path(name).exists()}
    if qemu is None or busybox is None or found is None or lacking:
        todo = [f"{' and '.join(lacking)} missing: {INSTALL} {' '.join(lacking.values())}"] if lacking else []
        if found is None:
            todo.append(f"no kernel with modules: {FETCH}, or apt-get install linux-image-amd64")
        raise Missing("; ".join(todo))
    return Parts(qemu, busybox, *found)


def find_kernel(roots: Iterable[Path]) -> tuple[Path, Path] | None:
    """Return a kernel and the folder of its modules, or None."""
    return next(_kernels(roots), None)


def _kernels(roots: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield kernels with their modules, those of each root newest first."""
    for root in roots:
        for kernel in sorted(root.glob("boot/vmlinuz-*"), key=_version_of, reverse=True):
            modules = root / "lib/modules" / kernel.name.removeprefix("vmlinuz-")
            if (modules / "kernel").is_dir() and os.access(kernel, os.R_OK):
                yield kernel, modules


def _version_of(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.name)]


def modules_in_order(folder: Path, names: Iterable[str] = MODULES) -> list[tuple[str, bytes]]:
    """Return these modules and all they depend on, each behind what it needs; none that the kernel has built in."""
    files = {path.name.partition(".ko")[0].replace("-", "_"): path for path in folder.glob("kernel/**/*.ko*")}
    builtin = {
        line.rpartition("/")[2].partition(".ko")[0].replace("-", "_") for line in _lines(folder / "modules.builtin")
    }
    order: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in order or name in builtin:
            return
        if name not in files:
            raise Missing(f"the kernel of {folder} has no module {name}: {FETCH}")
        content = _unpacked(files[name])
        for other in _dependencies(content):
            add(other)
        order[name] = content

    for name in names:
        add(name)
    return list(order.items())


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    match path.suffix:
        case ".xz":
            return lzma.decompress(data)
        case ".gz":
            return gzip.decompress(data)
        case ".ko":
            return data
        case _:
            raise Missing(f"{path} is packed in a way that is not known here: {FETCH}")


def _dependencies(module: bytes) -> list[str]:
    """Read `depends=` of a module's own description (section .modinfo)."""
    start = module.find(b"\0depends=")
    if start < 0:
        return []
    text = module[start + len(b"\0depends=") : module.index(b"\0", start + 1)].decode("ascii")
    return [name.replace("-", "_") for name in text.split(",") if name]


def loaded_files(code: Path, python: Path) -> list[Path]:
    """Return the host's files that the guest's Python will load; fewer than those cost time and nothing else."""
    told = subprocess.run(
        [python, "-c", LOADED], cwd=code, capture_output=True, text=True, check=True, timeout=LOADED_S_MAX,
    ).stdout  # fmt: skip
    return [path for path in map(Path, told.splitlines()) if path.is_file()]


def first_file_system(parts: Parts, init: str, names: Iterable[str] = MODULES, warm: Iterable[Path] = ()) -> bytes:
    """Return the archive the kernel starts from: busybox, the modules and what runs first (cpio, `newc`).

    warm: files of the host that lie under /warm at their own paths, with their own times.
    """
    modules = modules_in_order(parts.modules, names)
    order = "".join(f"{name} {OPTIONS.get(name, '')}\n" for name, _ in modules)
    members = [
        ("bin", b"", 0o040755), ("modules", b"", 0o040755),
        ("bin/busybox", Path(parts.busybox).read_bytes(), 0o100755), ("bin/sh", b"busybox", 0o120777),
        ("init", init.encode(), 0o100755), ("modules/order", order.encode(), 0o100644),
        *((f"modules/{name}", content, 0o100644) for name, content in modules),
        *_warm_members(warm),
        ("TRAILER!!!", b"", 0),
    ]  # fmt: skip
    return b"".join(_member(number, *member) for number, member in enumerate(members, 1))


_Member = tuple[str, bytes, int] | tuple[str, bytes, int, int]


def _warm_members(files: Iterable[Path]) -> Iterator[_Member]:
    """Yield these files below /warm, each folder before what is in it. Raises Missing where they are too much."""
    folders, left = set[Path](), WARM_BYTES_MAX
    for path in sorted({file.resolve() for file in files}):  # a link here would hide the host's own
        for folder in reversed(path.parents):
            if folder not in folders:
                folders.add(folder)
                yield f"warm{folder}".rstrip("/"), b"", 0o040755
        content, state = path.read_bytes(), path.stat()
        left -= len(content)
        if left < 0:
            raise Missing(f"what Python loads is more than {WARM_BYTES_MAX} bytes")
        yield f"warm{path}", content, 0o100755 if os.access(path, os.X_OK) else 0o100644, int(state.st_mtime)


def _member(number: int, name: str, content: bytes, mode: int, time_s: int = 0) -> bytes:
    """One file of a cpio archive: magic, 13 fields of 8 hexadecimal digits, name and content on fours."""
    fields = (number, mode, 0, 0, 1, time_s, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


@dataclass(frozen=True, slots=True)
class Ended:
    """How the machine ended. is_late: it was stopped; console: what it said, the end of it."""

    took_s: float
    is_late: bool
    console: str


def run(parts: Parts, folder: Path, code: Path, python: Path, arguments: str, time_s_max: float) -> Ended:
    """Boot, run `lab.guest` in the machine, return when it or its time is over. The folder takes the journals."""
    init = INIT
    words = {"CODE": code, "PYTHON": python, "ARGUMENTS": arguments, "BUSYBOX": parts.busybox}
    for name, word in words.items():
        init = init.replace(f"@{name}@", str(word))
    (folder / "journal").mkdir(parents=True, exist_ok=True)
    (folder / "initramfs").write_bytes(first_file_system(parts, init, warm=loaded_files(code, python)))
    command = [
        parts.qemu, "-accel", "tcg,thread=multi", "-cpu", PROCESSOR, "-m", str(MEMORY_MB), "-smp", str(PROCESSORS),
        "-kernel", str(parts.kernel), "-initrd", str(folder / "initramfs"),
        "-append", "console=ttyS0 quiet loglevel=3 panic=-1 random.trust_cpu=on mitigations=off tsc=reliable",
        "-no-reboot", "-nodefaults", "-display", "none", "-serial", "stdio", "-net", "none",
        "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
        "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
        "-fsdev", f"local,id=journal,path={folder / 'journal'},security_model=none",
        "-device", "virtio-9p-pci,fsdev=journal,mount_tag=journal",
    ]  # fmt: skip
    begun_s = time.monotonic()
    with (folder / "console").open("wb") as console:
        machine = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            machine.wait(time_s_max)
            is_late = False
        except subprocess.TimeoutExpired:
            is_late = True
        finally:
            if machine.poll() is None:
                os.killpg(machine.pid, signal.SIGKILL)
                machine.wait()
    said = (folder / "console").read_bytes()[-CONSOLE_BYTES_MAX:].decode(errors="replace")
    return Ended(time.monotonic() - begun_s, is_late, said)
