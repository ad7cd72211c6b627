"""Who may speak: a registered terminal, proven by a signature of its key over what it says, on whichever carrier.

Registrations are read again when an unknown terminal, or an unknown key, speaks, and when watch.py sees a change.
"""

from collections.abc import Callable, Iterable

from platform_stub.changes import Changes
from platform_stub.registry import Registry, Terminal
from platform_stub.storage import archive
from platform_stub.storage.database import Database
from platform_stub.web.problem import Problem
from platform_stub.wire.cose import Signed, is_signed_by


class Speakers:
    """The registered terminals. `rolled` is called when there are others than before."""

    def __init__(
        self,
        registry: Registry,
        database: Database,
        changes: Changes,
        now_ms: Callable[[], int],
        rolled: Callable[[], None] = lambda: None,
    ) -> None:
        self._registry = registry
        self._database = database
        self._changes = changes
        self._now_ms = now_ms
        self._rolled = rolled
        self._ids: frozenset[str] = frozenset()
        self._unstored: dict[str, Terminal] = {}

    def all(self) -> Iterable[Terminal]:
        """Return the terminals registered when this was last read."""
        return self._registry.all()

    def find(self, terminal_id: str) -> Terminal | None:
        """Return a terminal registered when this was last read."""
        return self._registry.find(terminal_id)

    async def who_signed(self, terminal_id: str, aad: str, signed: Signed) -> Terminal:
        """Return the terminal of this id, if its key signed this as a thing of type `aad`. Raises Problem (401)."""
        terminal = self._registry.find(terminal_id)
        if terminal is None or not _has_signed(terminal, aad, signed):
            await self.read_registrations()
            terminal = self._registry.find(terminal_id)
        if terminal is None:
            raise Problem(401, "terminal.unknown", "The terminal is not registered here.")
        if not _has_signed(terminal, aad, signed):
            raise Problem(401, "terminal.signature", "It is not signed with the terminal's registered key.")
        return terminal

    async def read_registrations(self) -> None:
        """Read new and changed registrations, and store them. Raises DatabaseBroken: they are stored the next time."""
        new = self._registry.scan()
        self._unstored |= {terminal.id: terminal for terminal in new}
        if self._unstored:
            at_ms, stored = self._now_ms(), dict(self._unstored)
            await self._database.write(lambda db: archive.store_terminals(db, stored.values(), at_ms))
            self._unstored = {name: t for name, t in self._unstored.items() if stored.get(name) is not t}
            self._changes.note()
        ids = frozenset(terminal.id for terminal in self._registry.all())
        if new or ids != self._ids:
            self._ids = ids
            self._rolled()


def _has_signed(terminal: Terminal, aad: str, signed: Signed) -> bool:
    return signed.kid == terminal.kid and is_signed_by(terminal.key, aad, signed)
