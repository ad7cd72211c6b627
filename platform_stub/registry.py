"""Which terminals may speak: one JSON file each in DIR/terminals, written by `register` or dropped there.

The files are read again when an unknown terminal (or an unknown key) speaks; one that is no registration is left out.
"""

import logging
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519

from platform_stub.files import write_file
from platform_stub.keys import key_id, public_ed25519

REGISTRATION_BYTES_MAX = 4_096
TERMINALS_MAX = 10_000
_ID = re.compile(r"[a-z0-9-]{1,32}")
_log = logging.getLogger(__name__)


class RegistrationInvalid(Exception):
    """A registration cannot be used; the message names the file and the fault."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """A registered terminal and its signing key."""

    id: str
    site: str
    kid: bytes
    alg: str
    spki: bytes
    key: ed25519.Ed25519PublicKey


class _Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file's content. kid: hex; spki: DER SubjectPublicKeyInfo in base64."""

    terminal: str
    site: str
    kid: str
    alg: Literal["EdDSA"]
    spki: str


def read_registration(path: Path) -> Terminal:
    """Read a registration file. Raises RegistrationInvalid."""
    try:
        with path.open("rb") as file:
            data = file.read(REGISTRATION_BYTES_MAX + 1)
    except OSError as error:
        raise RegistrationInvalid(f"{path}: {error.strerror}") from error
    if len(data) > REGISTRATION_BYTES_MAX:
        raise RegistrationInvalid(f"{path}: more than {REGISTRATION_BYTES_MAX} bytes")
    try:
        said = msgspec.json.decode(data, type=_Registration)
        spki, key = public_ed25519(said.spki)
    except ValueError as error:  # msgspec's errors are ValueErrors too
        raise RegistrationInvalid(f"{path}: {error}") from error
    if not _ID.fullmatch(said.terminal) or not _ID.fullmatch(said.site):
        raise RegistrationInvalid(f"{path}: terminal and site are 1 to 32 lower case letters, digits and hyphens")
    if said.site == "trust" or said.terminal == "seen":  # docs/protocol/README.md: their topics mean something else
        raise RegistrationInvalid(f"{path}: no site may be called trust, and no terminal seen")
    if said.kid != key_id(spki).hex():
        raise RegistrationInvalid(f"{path}: the kid is not that of the key")
    return Terminal(said.terminal, said.site, key_id(spki), said.alg, spki, key)


def register(directory: Path, path: Path) -> Terminal:
    """Check a registration and put it where the platform finds it. Raises RegistrationInvalid."""
    terminal = read_registration(path)
    write_file(directory / f"{terminal.id}.json", path.read_bytes())
    return terminal


class Registry:
    """The registered terminals, as the folder had them when it was last read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: dict[str, tuple[tuple[int, int], Terminal | None]] = {}  # by file name: (mtime, size), content
        self._terminals: dict[str, Terminal] = {}

    def find(self, terminal_id: str) -> Terminal | None:
        """Return a registered terminal."""
        return self._terminals.get(terminal_id)

    def all(self) -> Collection[Terminal]:
        """Return every registered terminal."""
        return self._terminals.values()

    def scan(self) -> Sequence[Terminal]:
        """Read new and changed files; return the terminals that are new or changed by them."""
        seen: dict[str, tuple[tuple[int, int], Terminal | None]] = {}
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if entry.name.endswith(".json") and entry.is_file() and len(seen) < TERMINALS_MAX:
                    seen[entry.name] = self._look_at(entry)
        before = self._terminals
        self._read = seen
        self._terminals = {t.id: t for _, (_, t) in sorted(seen.items()) if t is not None}
        return [t for t in self._terminals.values() if before.get(t.id) is not t]

    def _look_at(self, entry: os.DirEntry[str]) -> tuple[tuple[int, int], Terminal | None]:
        status = entry.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._read.get(entry.name)
        if known is not None and known[0] == stamp:
            return known
        try:
            return stamp, read_registration(Path(entry.path))
        except RegistrationInvalid as error:
            _log.warning("registration left out: %s", error)
            return stamp, None
