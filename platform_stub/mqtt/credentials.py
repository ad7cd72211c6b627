"""Passwords for MQTT, one file each in DIR/mqtt, readable by the owner only. A password, once made, stays.

Terminals log in under their id; the platform under a name that no terminal can have.
"""

import secrets
from pathlib import Path

from platform_stub.files import write_new_file

PLATFORM_USER = "_platform"
PASSWORD_BYTES = 24  # of randomness
PASSWORD_BYTES_READ_MAX = 256


class PasswordUnusable(Exception):
    """A password file cannot be read or made; the message names it."""


def password_file(directory: Path, user: str) -> Path:
    """Return where a user's password lies."""
    return directory / f"{user}.password"


def password_of(directory: Path, user: str) -> str:
    """Return a user's password, made now where there is none. Raises PasswordUnusable."""
    path = password_file(directory, user)
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            write_new_file(path, f"{secrets.token_urlsafe(PASSWORD_BYTES)}\n".encode())  # or another's stays
    except OSError as error:
        raise PasswordUnusable(f"{path}: {error.strerror}") from error
    return read_password(path)


def read_password(path: Path) -> str:
    """Return the first line of a password file. Raises PasswordUnusable."""
    try:
        with path.open("rb") as file:
            line = file.read(PASSWORD_BYTES_READ_MAX).decode().partition("\n")[0].strip()
    except OSError as error:
        raise PasswordUnusable(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PasswordUnusable(f"{path}: not text") from error
    if not line or not line.isprintable():
        raise PasswordUnusable(f"{path}: the first line must be the password")
    return line
