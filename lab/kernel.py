"""`python -m lab.kernel`: fetch Debian's kernel package and unpack what the laboratory boots. Installs nothing."""

import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from lab.machine import KERNELS, Missing, find_kernel

META_PACKAGE = "linux-image-amd64"
TAKEN = re.compile(
    r"(boot/vmlinuz-[^/]+|lib/modules/[^/]+/modules\.builtin"
    r"|lib/modules/[^/]+/kernel/(fs|net/9p|drivers/(virtio|hid|usb|input|media|char))/.*\.ko[.a-z]*)"
)
FILE_BYTES_MAX = 64_000_000
DOWNLOAD_S_MAX = 600


def main() -> int:
    """Fetch a kernel unless there is one; 0 where there is one now."""
    if find_kernel(KERNELS) is not None:
        print("there is a kernel already")
        return 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            package = download(package_name(), Path(folder))
            count = unpack(package, KERNELS[0])
    except (Missing, subprocess.SubprocessError, OSError) as error:
        print(f"error: {error}: apt-get update, and see that Debian's packages can be fetched", file=sys.stderr)
        return 1
    print(f"unpacked {count} files of {package.name} into {KERNELS[0]}")
    return 0 if find_kernel(KERNELS) is not None else 1


def package_name() -> str:
    """Return the package of the newest kernel. Raises Missing."""
    told = subprocess.run(
        ["/usr/bin/apt-cache", "depends", META_PACKAGE], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    named = re.search(r"Depends: (linux-image-[0-9][^\s<>]*)", told)
    if named is None:
        raise Missing(f"{META_PACKAGE} names no kernel")
    return named[1]


def download(name: str, folder: Path) -> Path:
    """Download a package into a folder."""
    subprocess.run(["/usr/bin/apt-get", "download", "-qq", name], cwd=folder, check=True, timeout=DOWNLOAD_S_MAX)
    return next(folder.glob("*.deb"))


def unpack(package: Path, into: Path) -> int:
    """Unpack kernel and modules below a folder; return how many files."""
    count = 0
    with subprocess.Popen(["/usr/bin/dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as reading:
        assert reading.stdout is not None  # noqa: S101
        with tarfile.open(fileobj=reading.stdout, mode="r|") as archive:
            for member in archive:
                name = member.name.removeprefix("./").removeprefix("usr/")
                content = archive.extractfile(member) if member.isfile() and TAKEN.fullmatch(name) else None
                if content is not None and ".." not in name:
                    path = into / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content.read(FILE_BYTES_MAX))
                    count += 1
    return count


if __name__ == "__main__":
    sys.exit(main())
