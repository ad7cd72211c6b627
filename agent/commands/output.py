"""Standard output that takes no more: which errors say so, and how to leave it."""

import errno
import os
import sys
from contextlib import suppress

OUTPUT_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What a disk says that takes no more."""


def drop_output() -> None:
    """Let what is left go nowhere, without a word."""
    with suppress(OSError):  # a program's own stand-in has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
