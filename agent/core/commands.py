"""Commands of the platform: read, remembered, answered (docs/protocol/command.cddl).

The law: a command is the platform's signed word for this terminal, and its id is carried out once, however often it
comes and over however many restarts. Pure: what carrying out means is agent/tasks/commands.py's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from agent.core.formats import cbor
from agent.core.platform_word import NotThePlatform, is_whole, open_word
from agent.core.time_interval import Interval
from agent.core.transaction import Signer, encode, sign1
from agent.core.trust_list import Trust

COMMAND_AAD = b"scanward-command-1"
ANSWER_AAD = b"scanward-answer-1"
COMMAND_BYTES_MAX = 4_096
TEXT_BYTES_MAX = 4_096
REMEMBERED_MAX = 32
_KIND = re.compile(r"[a-z][a-z-]{0,31}")
_ID_BYTES = 16


class CommandInvalid(Exception):
    """It is no command of the platform for this terminal; the message says why, without its content."""


class Outcome(IntEnum):
    """command.cddl, answer."""

    DONE = 0
    FAILED = 1
    OVER = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Command:
    """A command whose signature, addressee and form are right. Instants in milliseconds since 1970."""

    id: bytes
    kind: str
    issued_ms: int
    over_ms: int


def read_command(signed: bytes, terminal: str, trust: Trust, now: Interval) -> Command:
    """Return the command, if a platform key gives it to this terminal. Raises CommandInvalid."""
    if len(signed) > COMMAND_BYTES_MAX:
        raise CommandInvalid(f"longer than {COMMAND_BYTES_MAX} bytes")
    try:
        fields = open_word(signed, "command", COMMAND_AAD, trust, now, has_text_keys=True)
    except NotThePlatform as error:
        raise CommandInvalid(str(error)) from error
    match fields:
        case {1: bytes(id_), 2: str(audience), 3: str(kind), 4: int(issued_ms), 5: int(over_ms), **rest} if (
            len(id_) == _ID_BYTES and _KIND.fullmatch(kind) and is_whole(issued_ms, over_ms) and _is_rest(rest)
        ):
            if audience != terminal:
                raise CommandInvalid("it is for another terminal")
            return Command(id_, kind, issued_ms, over_ms)
    raise CommandInvalid("its fields are not those of a command")


def _is_rest(rest: Mapping[object, object]) -> bool:
    """Say whether there are no further fields but arguments. No kind that there is takes any: they are not kept."""
    match dict(rest):
        case {6: dict(arguments), **more} if not more:
            return all(type(name) is str and type(value) in {str, int} for name, value in arguments.items())
    return not rest


def encode_answer(signer: Signer, terminal: str, command_id: bytes, outcome: Outcome, text: str, at_ms: int) -> bytes:
    """Return a signed answer; the text is cut to what the wire carries."""
    fields = {1: command_id, 2: terminal, 3: int(outcome), 4: cut(text), 5: max(0, at_ms)}
    return sign1(signer, ANSWER_AAD, encode(fields))


def cut(text: str) -> str:
    """Return the beginning of a text that fits an answer."""
    return text.encode()[:TEXT_BYTES_MAX].decode(errors="ignore")


@dataclass(frozen=True, slots=True)
class Remembered:
    """A command that was begun: until when it may come again, and the answer; outcome None: begun, not ended."""

    over_ms: int
    outcome: Outcome | None
    text: str


class MemoryFull(Exception):
    """Too many commands that may still come again: a further one could not be remembered, so it is not carried out."""


class Memory:
    """The ids that were carried out, with the answers given, at most REMEMBERED_MAX.

    Only what is certainly over is forgotten, and nothing that ended no later is carried out after that: a clock that is
    set back, or begins in 1970, brings no command back.
    """

    def __init__(self) -> None:
        self._known = dict[bytes, Remembered]()
        self._forgotten_ms = 0  # of the forgotten, the latest end

    def find(self, command_id: bytes) -> Remembered | None:
        """Return what became of a command; None where it was never begun, or is forgotten."""
        return self._known.get(command_id)

    def is_over(self, command: Command, now: Interval) -> bool:
        """Say whether it is too late for a command."""
        return now.is_certainly_after(command.over_ms) or command.over_ms <= self._forgotten_ms

    def begin(self, command: Command, now: Interval) -> None:
        """Take note that a command is about to be carried out. Raises MemoryFull."""
        if len(self._known) >= REMEMBERED_MAX:
            over = {id_: known for id_, known in self._known.items() if now.is_certainly_after(known.over_ms)}
            if not over:
                raise MemoryFull("too many commands at once: it is carried out once earlier ones are over")
            self._known = {id_: known for id_, known in self._known.items() if id_ not in over}
            self._forgotten_ms = max(self._forgotten_ms, *(known.over_ms for known in over.values()))
        self._known[command.id] = Remembered(command.over_ms, None, "")

    def end(self, command: Command, outcome: Outcome, text: str) -> Remembered:
        """Take note of what came of it."""
        self._known[command.id] = known = Remembered(command.over_ms, outcome, cut(text))
        return known

    def drop(self, command: Command) -> None:
        """Take back `begin`: it could not be made durable, and nothing was done."""
        self._known.pop(command.id, None)

    def to_bytes(self) -> bytes:
        """Return all of it, for a durable place."""
        rows = [
            [id_, k.over_ms, None if k.outcome is None else int(k.outcome), k.text] for id_, k in self._known.items()
        ]
        return encode([self._forgotten_ms, rows])

    @classmethod
    def from_bytes(cls, data: bytes) -> "Memory":
        """Return what `to_bytes` kept. Raises ValueError where it is something else."""
        memory = cls()
        match cbor.decode_deterministic(data):
            case [int(forgotten_ms), list(rows)]:
                memory._forgotten_ms = forgotten_ms
                for row in rows:
                    memory._restore(row)
                return memory
        raise ValueError("not the memory of commands")

    def _restore(self, row: object) -> None:
        match row:
            case [bytes(id_), int(over_ms), int() | None as outcome, str(text)]:
                self._known[id_] = Remembered(over_ms, None if outcome is None else Outcome(outcome), text)
            case _:
                raise ValueError("not the memory of a command")
