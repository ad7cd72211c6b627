"""How log lines look: one line an event, `level logger: message key=value …`, for the journal or a file.

What goes in is the callers' business: ids, counts and reasons, never a code's text or anything of a person.
"""

import logging
from typing import Protocol

LINE_CHARS_MAX = 2_000
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Stream(Protocol):
    """What log lines are written to."""

    def write(self, text: str, /) -> object:
        """Take whole lines."""
        ...

    def flush(self) -> None:
        """Pass them on."""
        ...


class KeyValueFormatter(logging.Formatter):
    """Formats a record and what came in `extra`, on one line of bounded length."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback follows on lines of its own."""
        extra = " ".join(f"{key}={value!r}" for key, value in vars(record).items() if key not in _STANDARD)
        text = f"{record.levelname.lower()} {record.name}: {record.getMessage()} {extra}".rstrip()
        line = "".join(c if c.isprintable() else " " for c in text)[:LINE_CHARS_MAX]
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def log_to(stream: Stream, *, is_verbose: bool) -> None:
    """Send the log to a stream: warnings of libraries, and our own information."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(KeyValueFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("agent").setLevel(logging.DEBUG if is_verbose else logging.INFO)
