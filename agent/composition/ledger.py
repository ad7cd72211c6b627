"""Where everything is inside the state directory, and the ledger that lies there, under the terminal's own key."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from agent.adapters.keys.sealing import new_data_key
from agent.adapters.keys.signing import TerminalKey, load_or_create
from agent.adapters.ledger.file import LedgerFile
from agent.adapters.ledger.owner import ThreadedLedger
from agent.config import Config
from agent.ports import Randomness
from agent.tasks.carriers import Carriers

OPENING_S_MIN, OPENING_S_MAX = 60.0, 3_600.0
OPENING_BYTES_PER_S = 1_000_000  # a tenth of what a slow SD card reads


@dataclass(frozen=True, slots=True)
class Paths:
    """Where everything is inside the state directory."""

    state: Path

    @property
    def ledger(self) -> Path:
        """The SQLite file."""
        return self.state / "ledger.sqlite"

    @property
    def signing_key(self) -> Path:
        """The terminal's private key."""
        return self.state / "signing-key.pem"

    @property
    def registration(self) -> Path:
        """The terminal's public key, as the platform registers it."""
        return self.state / "terminal.json"

    @property
    def console_token(self) -> Path:
        """What local programs show the console."""
        return self.state / "console-token"

    @property
    def trust(self) -> Path:
        """The trust store."""
        return self.state / "trust"


class LedgerValues:
    """The ledger's small values as ports.NamedValues."""

    def __init__(self, ledger: ThreadedLedger) -> None:
        self._ledger = ledger

    async def get(self, name: str) -> bytes | None:
        """Return a value, or None where it was never set."""
        value = await self._ledger.state(name)
        return value if isinstance(value, bytes) else None

    async def set(self, name: str, value: bytes) -> None:
        """Set a value; return once it is durable. Raises LedgerFull."""
        await self._ledger.put_state(name, value)


def opening_s_max(ledger: Path) -> float:
    """Return how long opening this ledger may take on a slow card: by the size of all that is read or salvaged."""
    sizes = (path.stat().st_size for path in ledger.parent.glob(f"{ledger.name}*") if path.is_file())
    return min(OPENING_S_MAX, OPENING_S_MIN + sum(sizes) / OPENING_BYTES_PER_S)


def open_ledger(config: Config, paths: Paths, randomness: Randomness) -> LedgerFile:
    """Open the ledger under this terminal's key, and leave what the platform registers the terminal by."""
    key = load_or_create(paths.signing_key)
    publish_registration(key, config, paths.registration)
    return LedgerFile.open(
        paths.ledger,
        terminal=config.terminal.id,
        signer=key,
        new_data_key=new_data_key,
        randomness=randomness,
        uplinks=[Carriers.name] if config.uplink.http or config.uplink.mqtt else [],
        settings=config.ledger,
    )


def publish_registration(key: TerminalKey, config: Config, path: Path) -> None:
    """Write what the platform registers this terminal by; nothing in it is secret."""
    data = (json.dumps(key.registration(config.terminal.id, config.terminal.site), indent=1) + "\n").encode()
    if path.is_file() and path.read_bytes() == data:
        return
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
