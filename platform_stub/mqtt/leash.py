"""Runs a program that ends with its parent: `python leash.py PARENT_PID PROGRAM ARGUMENT ...`. Standard library only.

A platform that is killed cannot stop its broker; Linux does it then (prctl, PR_SET_PDEATHSIG). Elsewhere nothing does.
"""

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Bind this process's life to its parent's and become the program."""
    parent = int(sys.argv[1])
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before
            sys.exit(1)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    main()
