"""Where the records lie: may the service write there, is there space, and does the disk keep what it confirms.

The law: nothing is written, and the ledger is not opened.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from agent.commands.doctor.finding import Finding, fault, ok, warning
from agent.commands.doctor.machine import Machine, User
from agent.config import Config

LEDGER, LOCK, BALLAST, SIGNING_KEY = "ledger.sqlite", "ledger.sqlite.lock", "ledger.sqlite.ballast", "signing-key.pem"
LOG_BYTES = 16_777_216  # what the write-ahead log may take on top of the ledger's budget
INODES_MIN = 100
FORGETFUL = frozenset({"tmpfs", "ramfs"})
CARELESS = frozenset({"vfat", "exfat", "msdos", "ntfs", "ntfs3", "fuseblk"})
DISTANT = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs"})


def state(config: Config, machine: Machine, user: User) -> Sequence[Finding]:
    """Look at the state directory, its disk and the space there."""
    directory = config.state_directory.absolute()
    if not directory.exists():
        return [warning("state", f"{directory} is not there", "nothing, before the first start; it is made then")]
    if not directory.is_dir():
        return [fault("state", f"{directory} is not a folder", "move it away, or correct [state] directory")]
    if "ro" in (mount := _mount_of(directory, machine))[1]:
        do = f"look for the disk's errors (dmesg); then mount -o remount,rw {mount[0]}"
        return [fault("state", f"{mount[0]} is mounted read-only: nothing can be recorded", do)]
    if not user.may(directory, os.R_OK | os.W_OK | os.X_OK):
        return [fault("state", f"{user.name} may not write {directory}", f"chown -R {user.name}: {directory}")]
    found = [*_disk(mount[2], directory), *_space(config, directory), *_key(directory)]
    return found or [ok("state", f"{directory} on {mount[2]}, with space for all records")]


def _mount_of(directory: Path, machine: Machine) -> tuple[str, frozenset[str], str]:
    """Return mount point, options and type of the file system a directory is on (proc(5), mountinfo)."""
    best: tuple[str, frozenset[str], str] = ("/", frozenset(), "an unknown file system")
    real, depth = directory.resolve(), -1
    for line in (machine.read("proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        fields, behind = before.split(), after.split()
        if len(fields) < 6 or len(behind) < 3:
            continue
        point = Path(fields[4].replace("\\040", " "))
        if real.is_relative_to(point) and len(point.parts) >= depth:
            depth = len(point.parts)
            best = (str(point), frozenset({*fields[5].split(","), *behind[2].split(",")}), behind[0])
    return best


def _disk(kind: str, directory: Path) -> Sequence[Finding]:
    do = "put [state] directory onto a local disk with ext4"
    if kind in FORGETFUL:
        return [fault("state", f"{directory} is in memory ({kind}): a power cut takes all records", do)]
    if kind in CARELESS:
        return [fault("state", f"{directory} is on {kind}, which keeps neither permissions nor order", do)]
    if kind in DISTANT:
        return [
            fault("state", f"{directory} is on another machine ({kind}): it is not there when the network is not", do)
        ]
    if kind == "overlay":
        return [warning("state", f"{directory} is on an overlay: its upper layer may be memory", do)]
    return []


def _space(config: Config, directory: Path) -> Sequence[Finding]:
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize
    ballast = 0 if (directory / BALLAST).exists() else config.ledger.ballast_bytes
    held = sum(path.stat().st_blocks * 512 for path in directory.glob(f"{LEDGER}*") if path.name != BALLAST)
    do = "free space on this disk, or lower [ledger] bytes_max"
    if free < ballast + LOG_BYTES:
        return [fault("state", f"{free // 1_000_000} MB free: soon, or by now, nothing is accepted any more", do)]
    if free < ballast + LOG_BYTES + config.ledger.bytes_max - held:
        budget = config.ledger.bytes_max // 1_000_000
        return [warning("state", f"{free // 1_000_000} MB free, less than the ledger may grow to ({budget} MB)", do)]
    if disk.f_files and disk.f_favail < INODES_MIN:
        return [fault("state", "no more files can be made on this disk (inodes)", "delete small files on this disk")]
    return []


def _key(directory: Path) -> Sequence[Finding]:
    """Look at the signing key's permissions, never into it."""
    path = directory / SIGNING_KEY
    if not path.exists() or not (mode := path.stat().st_mode & 0o077):
        return []
    return [
        fault("state", f"{path} may be read by others (mode ..{mode:02o}): the agent refuses it", f"chmod 600 {path}")
    ]
