"""What the platform says unasked over MQTT: the newest trust, retained, and commands as they come.

At each connection all of it is said again; between connections nothing needs to be kept.
"""

from collections.abc import Callable

from platform_stub.commands import Command
from platform_stub.issuing.repository import Repository
from platform_stub.mqtt import topics
from platform_stub.mqtt.carrier import Saying
from platform_stub.registry import Terminal
from platform_stub.speakers import Speakers
from platform_stub.storage import terminal_statements
from platform_stub.storage.database import Database

COMMANDS_SAID_MAX = 1_000  # at one connection; hellos bring the rest


class Announcements:
    """Makes the sayings."""

    def __init__(
        self, database: Database, repository: Repository, speakers: Speakers, now_ms: Callable[[], int]
    ) -> None:
        self._database = database
        self._repository = repository
        self._speakers = speakers
        self._now_ms = now_ms

    async def all(self) -> list[Saying]:
        """Return all that is to be said now. Raises DatabaseBroken."""
        rows = await self._database.read(terminal_statements.ALL_WAITING, (self._now_ms(), COMMANDS_SAID_MAX))
        commands = [_command(terminal, row[1]) for row in rows if (terminal := self._speakers.find(row[0]))]
        return [self.trust(self._repository.timestamp()), *commands]

    def trust(self, timestamp: bytes) -> Saying:
        """Return the announcement of a timestamp.json."""
        return Saying(topics.TRUST, timestamp, retain=True)

    def command(self, terminal: Terminal, command: Command) -> Saying:
        """Return a command for a terminal."""
        return _command(terminal, command.signed)


def _command(terminal: Terminal, signed: bytes) -> Saying:
    return Saying(topics.down(terminal.site, terminal.id, topics.COMMAND), signed)
