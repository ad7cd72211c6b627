"""Lines for whoever reads standard output or standard error, written by a small thread of their own.

The law: whoever puts a line never waits. A reader that stops costs lines, which are counted and told once it reads on;
a stream that fails ends the lines for good. What a line says is the callers' business.
"""

import logging
import os
import queue
import select
import threading
from typing import TextIO

log = logging.getLogger(__name__)

LINES_WAITING_MAX = 1_000
FLUSH_S_MAX = 0.5  # how long the end of the process waits for a reader that has stopped


class Lines:
    """A stream that never blocks. One thread at a time may put (logging sees to that by itself)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._descriptor = _descriptor_of(stream)
        self._waiting = queue.Queue[str | None](LINES_WAITING_MAX)
        self._dropped = 0
        self.is_over = False
        # A daemon, and one that writes to the descriptor: were it to hang inside the stream's buffer, the interpreter
        # could not flush that at its end.
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
        self._thread.start()

    def isatty(self) -> bool:
        """Say whether a person reads."""
        return self._stream.isatty()

    def write(self, text: str) -> None:
        """Queue whole lines; drop them where too many wait."""
        if self.is_over:
            return
        try:
            if self._dropped:
                self._waiting.put_nowait(f"[ -- ] {self._dropped} lines are missing here: nobody read them in time\n")
                self._dropped = 0
            self._waiting.put_nowait(text)
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        """Do nothing: what is queued is written as soon as it can be (for logging.StreamHandler)."""

    def close(self) -> None:
        """Write what is queued, if it can be written at once, and end."""
        try:
            if not self.is_over:
                self._waiting.put(None, timeout=FLUSH_S_MAX)
            self._thread.join(FLUSH_S_MAX)
        except queue.Full:
            pass  # the reader has stopped: the thread ends with the process
        self.is_over = True

    def _run(self) -> None:
        while (text := self._waiting.get()) is not None:
            try:
                self._write(text)
            except (OSError, ValueError) as error:  # ValueError: the stream was closed
                self.is_over = True
                log.warning("no more lines are written: %s", getattr(error, "strerror", None) or error)
                return

    def _write(self, text: str) -> None:
        if self._descriptor is None:
            self._stream.write(text)
            self._stream.flush()
            return
        data = text.encode(self._stream.encoding or "utf-8", "replace")
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # somebody who shares the pipe has set it so: wait as it would have
                select.select([], [self._descriptor], [])


def _descriptor_of(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):  # not a real file
        return None
