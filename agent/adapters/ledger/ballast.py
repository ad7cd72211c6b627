"""Disk space held in reserve: given up when the disk is full, so that what is stored can still be delivered."""

import os
from pathlib import Path


class Ballast:
    """A file of allocated bytes beside the ledger. Without it nothing new is accepted."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self.is_held = size == 0

    def hold(self) -> bool:
        """Reserve the space where it is not reserved already; say whether it is now."""
        if self.is_held:
            return True
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size)
            finally:
                os.close(descriptor)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        self.is_held = True
        return True

    def release(self) -> bool:
        """Give the space up, also what an earlier start reserved; say whether there was any."""
        self.is_held = self._size == 0
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True
