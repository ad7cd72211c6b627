"""The platform's directory: what lies where, and how an empty one becomes a platform.

platform.toml: issuer and birth. keys/: private keys, 0600. policy.toml: what is signed as policy. revoked.bin: sorted
8-byte prefixes. imported.json, imported-revoked.bin: of public trust lists. terminals/: registrations. commands/: left
for the running platform. mqtt/: passwords, the broker's configuration and store. repository/: TUF. root.json: for the
terminals. platform.sqlite: the rest, unless database.toml names a server (place.py).
"""

import contextlib
import fcntl
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

from platform_stub import keys
from platform_stub.files import write_file

DEFAULT_POLICY = Path(__file__).with_name("policy.toml")
_ISSUER = re.compile(r"[!-~]{1,32}")


class LayoutInvalid(Exception):
    """The directory is not what it should be; the message says why."""


class Layout:
    """Names the places. Nothing is read or made before a method says so."""

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory)
        self.about = self.directory / "platform.toml"
        self.keys = self.directory / "keys"
        self.terminals = self.directory / "terminals"
        self.repository = self.directory / "repository"
        self.policy = self.directory / "policy.toml"
        self.revoked = self.directory / "revoked.bin"
        self.imported = self.directory / "imported.json"
        self.imported_revoked = self.directory / "imported-revoked.bin"
        self.root = self.directory / "root.json"
        self.commands = self.directory / "commands"
        self.mqtt = self.directory / "mqtt"
        self.database = self.directory / "platform.sqlite"
        self.database_choice = self.directory / "database.toml"
        self._making = self.directory / ".init.lock"  # there from the first to the last moment of `init`

    def is_platform(self) -> bool:
        """Say whether the directory was made by `init`, completely."""
        return self.about.is_file()

    def is_vacant(self) -> bool:
        """Say whether `init` may use it: absent, empty but for registrations dropped early, or never finished."""
        if not self.directory.exists() or (self._making.is_file() and not self.is_platform()):
            return True
        return self.directory.is_dir() and all(path == self.terminals for path in self.directory.iterdir())

    @contextlib.contextmanager
    def making(self, issuer: str) -> Iterator[None]:
        """Let nobody else make it meanwhile. What ends in between may be begun again. Raises LayoutInvalid."""
        self._require_vacant(issuer)
        self.directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        with self.locked("init", busy=f"{self.directory} is being made by another scanward-platform"):
            self._require_vacant(issuer)
            yield
            self._making.unlink()

    def _require_vacant(self, issuer: str) -> None:
        if not _ISSUER.fullmatch(issuer) or '"' in issuer or "\\" in issuer:
            raise LayoutInvalid("the issuer is 1 to 32 printable characters without quotes, e.g. 4420")
        if not self.is_vacant():
            what = "is a platform already" if self.is_platform() else "is not empty and not a platform's directory"
            raise LayoutInvalid(f"{self.directory} {what}")

    def make(self) -> None:
        """Make directories, keys, policy and an empty revocation list; what a killed `init` left goes first."""
        for directory in (self.keys, self.repository):
            shutil.rmtree(directory, ignore_errors=True)
        for left in (self.root, *self.directory.glob(".*.new")):
            left.unlink(missing_ok=True)
        self.terminals.mkdir(exist_ok=True)
        for directory in (self.repository, self.repository / "metadata", self.repository / "targets"):
            directory.mkdir()
        keys.make_keys(self.keys)
        write_file(self.policy, DEFAULT_POLICY.read_bytes())
        write_file(self.revoked, b"")

    def seal(self, issuer: str, born_at_s: int) -> None:
        """Write platform.toml last: only now is it a platform."""
        write_file(self.about, f'issuer = "{issuer}"\nborn_at_s = {born_at_s}\n'.encode())

    def read_issuer(self) -> str:
        """Return the issuer's code. Raises LayoutInvalid."""
        return self._read()[0]

    def read_birth_s(self) -> int:
        """Return when the platform was made. Raises LayoutInvalid."""
        return self._read()[1]

    def _read(self) -> tuple[str, int]:
        try:
            about = tomllib.loads(self.about.read_text(encoding="utf-8"))
            issuer, born_at_s = about["issuer"], about["born_at_s"]
        except OSError as error:
            raise LayoutInvalid(f"{self.directory} is not a platform's directory (make one with init)") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
            raise LayoutInvalid(f"{self.about} is damaged") from error
        if type(issuer) is not str or not _ISSUER.fullmatch(issuer) or type(born_at_s) is not int:
            raise LayoutInvalid(f"{self.about} is damaged")
        return issuer, born_at_s

    @contextlib.contextmanager
    def locked(self, name: str, busy: str | None = None) -> Iterator[None]:
        """Hold the lock file `.NAME.lock`. Waits for it, or with `busy` raises LayoutInvalid with that message."""
        try:
            file = (self.directory / f".{name}.lock").open("wb")
        except OSError as error:
            raise LayoutInvalid(f"{self.directory}: {error.strerror}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
            except BlockingIOError:
                raise LayoutInvalid(busy or "") from None
            yield
