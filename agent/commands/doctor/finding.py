"""What a check finds, and looking at many things at once, none of them for long.

The law: whatever hangs, lies or may not be read becomes a finding; nothing looked at may end the doctor or hold it up.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TypeVar, cast

CHECK_S_MAX = 5.0
TEXT_CHARS_MAX = 300

T = TypeVar("T")


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. what: as it is; do: what a person does about it, empty where all is well."""

    level: Level
    topic: str
    what: str
    do: str = ""


def ok(topic: str, what: str) -> Finding:
    """Nothing to do."""
    return Finding(Level.OK, topic, _line(what))


def warning(topic: str, what: str, do: str) -> Finding:
    """It works, but not well or not for long."""
    return Finding(Level.WARNING, topic, _line(what), _line(do))


def fault(topic: str, what: str, do: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAULT, topic, _line(what), _line(do))


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:TEXT_CHARS_MAX]


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at."""

    topic: str
    look: Callable[[], Awaitable[Sequence[Finding]]]


async def in_thread(work: Callable[[], T]) -> T:
    """Do work that may block: on a disk that no longer answers, on a name server. Raises what it raises."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: Exception | None) -> None:
        if found.done():  # too late: nobody waits any more
            return
        if error is not None:
            found.set_exception(error)
        else:
            found.set_result(cast("T", result))

    def do() -> None:
        result, trouble = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 — handed to whoever waits for the result
            trouble = error
        with contextlib.suppress(RuntimeError):  # the doctor has ended meanwhile
            loop.call_soon_threadsafe(tell, result, trouble)

    threading.Thread(target=do, daemon=True).start()  # no executor: its threads keep a process from ending
    return await found


def of_files(topic: str, look: Callable[[], Sequence[Finding]]) -> Check:
    """Return a check that reads files."""
    return Check(topic, partial(in_thread, look))


async def look_at(checks: Sequence[Check], *, check_s_max: float = CHECK_S_MAX) -> list[Finding]:
    """Do all checks at once, each within its time; return the findings in the order of the checks."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_bounded(check, check_s_max)) for check in checks]
    return [finding for task in tasks for finding in task.result()]


async def _bounded(check: Check, limit_s: float) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(limit_s):
            return await check.look()
    except TimeoutError:
        return [
            fault(check.topic, f"no answer within {limit_s:g} s", "find out what hangs: a disk, a device, a network")
        ]
    except PermissionError as error:
        return [warning(check.topic, f"may not be looked at: {error.filename or error.strerror}", "run this as root")]
    except OSError as error:
        return [fault(check.topic, f"cannot be looked at: {error.strerror or error}", "see docs/operations.md")]


def worst(findings: Sequence[Finding]) -> Level:
    """Return the level of the whole."""
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.FAULT, Level.WARNING) if level in levels), Level.OK)
