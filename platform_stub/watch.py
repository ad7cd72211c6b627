"""Looks, twice a second, at what other processes put into the platform's directory: registrations, commands, new trust.

Whoever waits on a file of his own looks here; nothing is decided here. What is no command is set aside, not deleted.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519

from platform_stub import commands
from platform_stub.changes import Changes
from platform_stub.commands import Command
from platform_stub.issuing.repository import Repository
from platform_stub.layout import Layout
from platform_stub.registry import Terminal
from platform_stub.speakers import Speakers
from platform_stub.storage.database import Database, DatabaseAway
from platform_stub.wire.message import MessageInvalid

LOOKS_EVERY_S = 0.5
READ_ANYWAY_EVERY_LOOKS = 20  # a file rewritten in its place does not change the folder
_log = logging.getLogger(__name__)

Stamp = tuple[int, ...]


class Watch:
    """commanded: told of each new command and its terminal. trusted: told of each new timestamp.json.

    collects: takes commands up; where several platforms run on one directory, one does.
    """

    def __init__(
        self,
        layout: Layout,
        database: Database,
        speakers: Speakers,
        repository: Repository,
        changes: Changes,
        now_ms: Callable[[], int],
        command_key: ed25519.Ed25519PublicKey,
        *,
        collects: bool = True,
    ) -> None:
        self._layout = layout
        self._database = database
        self._speakers = speakers
        self._repository = repository
        self._changes = changes
        self._now_ms = now_ms
        self._command_key = command_key
        self._collects = collects
        self.commanded: Callable[[Terminal, Command], None] = lambda terminal, command: None
        self.trusted: Callable[[bytes], None] = lambda timestamp: None
        self._terminals_stamp: Stamp = ()
        self._timestamp_stamp: Stamp = ()
        self._looks = 0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with contextlib.suppress(DatabaseAway):  # its own log says so; what was not stored is looked at again
                await self.look()
            await asyncio.sleep(LOOKS_EVERY_S)

    async def look(self) -> None:
        """Look once. Raises DatabaseBroken."""
        stamp = _stamp(self._layout.terminals)
        if stamp != self._terminals_stamp or self._looks % READ_ANYWAY_EVERY_LOOKS == 0:
            self._terminals_stamp = stamp
            await self._speakers.read_registrations()
        self._looks += 1
        for path in commands.left(self._layout.commands) if self._collects else ():
            await self._collect(path)
        stamp = _stamp(self._repository.metadata_file("timestamp.json"))
        if stamp != self._timestamp_stamp:
            self._timestamp_stamp = stamp
            self.trusted(self._repository.timestamp())

    async def _collect(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                command = commands.read_command(file.read(commands.COMMAND_BYTES_MAX + 1), self._command_key)
            terminal = self._speakers.find(command.terminal)
            if terminal is None:
                raise MessageInvalid(f"no terminal {command.terminal} is registered")
            at_ms = self._now_ms()
            if not await self._database.write(lambda db: commands.store_command(db, command, at_ms), terminal.id):
                raise MessageInvalid(f"{terminal.id} has {commands.WAITING_MAX} commands waiting")
        except MessageInvalid as error:
            _log.warning("a command is set aside as %s.refused: %s", path.name, error)
            commands.set_aside(path)
            return
        except OSError as error:
            _log.warning("%s cannot be read, and is tried again: %s", path.name, error.strerror)
            return
        commands.take_away(path)
        self._changes.note()
        self.commanded(terminal, command)


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_ino, status.st_size
