"""The emulated machine: what is missing is said, modules come in an order that loads, the archive is one."""

import lzma
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.__main__ import conclude, guest_faults, main
from lab.machine import (
    Ended,
    Missing,
    Parts,
    find_kernel,
    find_parts,
    first_file_system,
    loaded_files,
    modules_in_order,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path):
    """A root with two kernels, of which only the older one has modules."""
    for version in ("6.1.0-9-amd64", "6.1.0-56-amd64", "7.0.0-1-amd64"):
        (tmp_path / "boot").mkdir(exist_ok=True)
        (tmp_path / f"boot/vmlinuz-{version}").write_bytes(b"kernel")
    for version in ("6.1.0-9-amd64", "6.1.0-56-amd64"):
        (tmp_path / "lib/modules" / version / "kernel/drivers").mkdir(parents=True)
    return tmp_path


def module(folder: Path, name: str, *needs: str, suffix: str = "") -> None:
    content = b"\x7fELF\0license=GPL\0depends=" + ",".join(needs).encode() + b"\0name=" + name.encode() + b"\0"
    path = folder / f"kernel/drivers/{name}.ko{suffix}"
    path.write_bytes(lzma.compress(content) if suffix else content)


def test_the_newest_kernel_that_has_modules_is_taken(root):
    assert find_kernel([root / "nothing", root]) == (
        root / "boot/vmlinuz-6.1.0-56-amd64", root / "lib/modules/6.1.0-56-amd64",
    )  # fmt: skip


def test_everything_that_is_missing_is_said_at_once_with_what_to_do(tmp_path):
    with pytest.raises(Missing) as error:
        find_parts([tmp_path], lambda name: None)
    for word in ("qemu-system-x86_64", "busybox", "apt-get install", "python -m lab.kernel"):
        assert word in str(error.value)


def test_a_missing_kernel_alone_does_not_ask_for_programs(tmp_path):
    with pytest.raises(Missing) as error:
        find_parts([tmp_path], lambda name: f"/usr/bin/{name}")
    assert "qemu" not in str(error.value)


def test_the_command_says_what_is_missing_and_ends_with_2(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("lab.__main__.KERNELS", (tmp_path,))
    assert main([]) == 2
    assert "no kernel with modules" in capsys.readouterr().err


def test_the_command_without_any_program_ends_with_2(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "lab"], cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert "qemu-system-x86_64 and busybox" in run.stderr
    assert "--no-install-recommends qemu-system-x86 busybox-static" in run.stderr


def test_a_missing_table_of_keyboards_names_its_package(monkeypatch, root):
    monkeypatch.setattr("lab.machine.FILES", {"/nowhere/symbols": "xkb-data"})
    with pytest.raises(Missing, match="apt-get install --no-install-recommends xkb-data"):
        find_parts([root], lambda name: f"/usr/bin/{name}")


def test_what_python_loads_is_told_by_the_host_and_lies_in_the_archive_with_its_time(root):
    files = loaded_files(ROOT, Path(sys.executable))
    assert {ROOT / "lab/guest/listener.py", ROOT / "agent/app.py"} <= set(files)
    parts = Parts("qemu", __file__, root / "boot/kernel", root / "lib/modules/6.1.0-56-amd64")
    archive = first_file_system(parts, "", [], [Path(__file__)])
    at = archive.index(f"warm{__file__}".encode()) - 110
    assert int(archive[at + 46 : at + 54], 16) == int(Path(__file__).stat().st_mtime)


def test_modules_come_behind_what_they_need_and_packed_ones_are_unpacked(root):
    folder = root / "lib/modules/6.1.0-56-amd64"
    module(folder, "cdc-acm", "usbcore", "built-in", suffix=".xz")
    module(folder, "usbcore", "usb-common")
    module(folder, "usb-common")
    (folder / "modules.builtin").write_text("kernel/lib/built-in.ko\n")
    names = [name for name, _ in modules_in_order(folder, ["cdc_acm"])]
    assert names == ["usb_common", "usbcore", "cdc_acm"]


def test_a_kernel_without_a_module_is_refused(root):
    with pytest.raises(Missing, match="no module vivid"):
        modules_in_order(root / "lib/modules/6.1.0-56-amd64", ["vivid"])


@pytest.mark.skipif(shutil.which("busybox") is None, reason="busybox is not installed (tests/debian-packages.txt)")
def test_the_first_file_system_is_an_archive_that_busybox_reads(root):
    busybox = shutil.which("busybox")
    parts = Parts("qemu", busybox, root / "boot/kernel", root / "lib/modules/6.1.0-56-amd64")
    archive = first_file_system(parts, "#!/bin/sh\n", [])
    listed = subprocess.run([busybox, "cpio", "-t"], input=archive, capture_output=True, timeout=30, check=True).stdout
    assert listed.split() == [b"bin", b"modules", b"bin/busybox", b"bin/sh", b"init", b"modules/order"]


def test_a_machine_that_was_stopped_or_broke_off_never_passes(tmp_path, capsys):
    (tmp_path / "failed-serial").write_text("Traceback\nOSError: gone\n")
    assert guest_faults(tmp_path, Ended(9, is_late=True, console="")) == [
        "the machine was stopped after 9 s",
        "the machine did not come to its end",
        "serial broke off: OSError: gone",
    ]
    assert conclude(tmp_path, Ended(9, is_late=False, console="")) == 1
    assert capsys.readouterr().out.endswith("lab: 0 of 0 exact or refused aloud, 0 silently wrong\n")
