"""Refreshes again and again, each time killed one file operation later, until one gets through; run as a program.

Arguments: folder to start from, folder to work in, URL, root file, EARLIEST in ms, the versions that may be current
after a kill. Prints how many kills there were; any broken promise ends it with a traceback.
"""

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path

from agent.adapters.keys.verification import build_key
from agent.adapters.trust_store.bundle import current_bundle, parse_content, read_files, read_manifest
from agent.adapters.trust_store.refresher import Source, refresh
from agent.core.time_interval import Interval
from agent.ports import TrustFloor, VerifiedBundle

FILE_OPERATIONS = {"open", "os.rename", "os.link", "os.symlink", "os.mkdir", "os.remove", "os.rmdir", "os.chmod"}


def version_of(directory: Path) -> int:
    """Return the trust list's version in the current bundle, which must be whole; 0 where there is none."""
    bundle = current_bundle(directory)
    if bundle is None:
        return 0
    return parse_content(read_files(bundle, read_manifest(bundle)[0]), build_key).trust_list.version


def refresh_in_child(directory: Path, source: Source, now: Interval, operations: int | None) -> int:
    """Refresh in a forked process; return its exit status, or the negative signal that ended it."""
    pid = os.fork()
    if pid == 0:
        seen = itertools.count(1)

        def kill_at(event: str, arguments: tuple[object, ...]) -> None:
            is_ours = event in FILE_OPERATIONS and any(str(a).startswith(str(directory)) for a in arguments)
            if is_ours and next(seen) == operations:
                os.kill(os.getpid(), signal.SIGKILL)

        if operations is not None:
            sys.addaudithook(kill_at)
        result = refresh(
            directory, source, now, TrustFloor(), lambda files: parse_content(files, build_key).trust_list.version
        )
        os._exit(0 if isinstance(result, VerifiedBundle) else 3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    start, work = Path(sys.argv[1]), Path(sys.argv[2])
    source = Source(Path(sys.argv[4]).read_bytes(), sys.argv[3])
    now = Interval(int(sys.argv[5]), None)
    before, after = (int(version) for version in sys.argv[6].split(","))
    for operations in itertools.count(1):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(start, work, symlinks=True)
        status = refresh_in_child(work, source, now, operations)
        version = version_of(work)
        if status == 0:
            assert version == after
            sys.stdout.write(str(operations - 1))
            return
        assert status == -signal.SIGKILL, status
        assert version in (before, after), (operations, version)
        assert refresh_in_child(work, source, now, None) == 0, operations
        assert version_of(work) == after, operations
        left = [path for path in work.rglob("*") if path.name.startswith((".draft-", "tmp")) or path.suffix == ".new"]
        assert not left, (operations, left)


if __name__ == "__main__":
    main()
