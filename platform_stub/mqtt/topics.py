"""Topics of MQTT (docs/protocol): scanward/1/{site}/{terminal}/up|down/..., and who may use which."""

import re
from dataclasses import dataclass

from platform_stub.registry import Terminal

PREFIX = "scanward/1"
TRUST = f"{PREFIX}/trust"
FROM_TERMINALS = f"{PREFIX}/+/+/up/#"
QOS = 1
HELLO, BATCH, STATUS, ANSWER = "hello", "batch", "status", "answer"
RECEIPT, COMMAND, PROBLEM = "receipt", "command", "problem"
_UP = re.compile(r"scanward/1/([a-z0-9-]{1,32})/([a-z0-9-]{1,32})/up/([a-z]{1,16})")


@dataclass(frozen=True, slots=True)
class Up:
    """Whence a message came and what it says it is."""

    site: str
    terminal: str
    what: str


def read_up(topic: str) -> Up | None:
    """Read a topic that a terminal published on; None where no terminal publishes there."""
    match = _UP.fullmatch(topic)
    return Up(*match.groups()) if match is not None else None


def down(site: str, terminal: str, what: str) -> str:
    """Return the topic on which a terminal is told something."""
    return f"{PREFIX}/{site}/{terminal}/down/{what}"


def published_by(terminal: Terminal) -> tuple[str, ...]:
    """Return the filters of what a terminal may publish."""
    return (f"{PREFIX}/{terminal.site}/{terminal.id}/up/#",)


def read_by(terminal: Terminal) -> tuple[str, ...]:
    """Return the filters of what a terminal may subscribe."""
    return (f"{PREFIX}/{terminal.site}/{terminal.id}/down/#", TRUST)
