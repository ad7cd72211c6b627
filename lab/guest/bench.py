"""The workbench: the listener, the journal of what is sent, and the waits between, for everything that plays a row."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lab.guest.listener import Listener
from lab.guest.waiting import until
from lab.journal import Expect, Sent, sent_line

HEARD_S_MAX = 20.0
LINK_S_MAX = 20.0
FOLDER = Path("/run/lab")


class Bench:
    """Writes each scan down before it is sent. One thread."""

    def __init__(self, settings: Sequence[dict[str, Any]]) -> None:
        self._journal = (FOLDER / "sent").open("a", encoding="ascii")
        self.listener = Listener(settings, FOLDER / "heard", FOLDER / "log")
        self._begun_s = time.monotonic()

    def write_down(
        self, row: str, kind: str, scanner: str, data: bytes, *, aim: str | None = None, expect: Expect = Expect.EXACT
    ) -> None:
        """Take note of a scan that is about to be sent."""
        self._journal.write(sent_line(Sent(row, kind, scanner, data, aim, expect)))
        self._journal.flush()

    def scan(
        self, row: str, kind: str, scanner: str, data: bytes, send: Callable[[], None], *, aim: str | None = None
    ) -> None:
        """Send one scan and wait until something has come of it; what, is the verdict's business."""
        before = self.listener.heard(scanner)
        self.write_down(row, kind, scanner, data, aim=aim)
        send()
        self.listener.until_heard(scanner, before + 1, HEARD_S_MAX)

    def plugged(self, scanner: str, plug_in: Callable[[], object]) -> None:
        """Plug something in and wait until its scanner reads it."""
        before = self.listener.presences(scanner)
        plug_in()
        self.listener.until_presence(scanner, "present", before + 1)

    def found(self, scanner: str, plug_in: Callable[[], object], link: Path) -> float:
        """Plug in as `plugged` does; return how long (s) the agent took from the moment the device had its link."""
        before = self.listener.presences(scanner)
        plug_in()
        until(link.exists, LINK_S_MAX, f"udev makes {link}")
        there_s = time.monotonic()
        self.listener.until_presence(scanner, "present", before + 1)
        return time.monotonic() - there_s

    def unplugged(self, scanner: str, unplug: Callable[[], object]) -> None:
        """Pull something out and wait until its scanner says that it is gone."""
        before = self.listener.presences(scanner, "absent")
        unplug()
        self.listener.until_presence(scanner, "absent", before + 1)

    def say(self, text: str) -> None:
        """Tell the console what is going on."""
        print(f"{time.monotonic() - self._begun_s:6.1f} s  {text}", flush=True)
