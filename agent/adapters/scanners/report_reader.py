"""Reads the reports of a hidraw device in a thread of its own, as the kernel keeps few and drops the rest in silence.

The kernel's ring holds 63 unread reports and then drops new ones (drivers/hid/hidraw.c, hidraw_report_event). The law:
no report may be missing without a mark. Between two moments at which nothing was left to read, fewer than 63 reports
prove that the ring was never full; behind the 63rd, any report may be missing. What they mean is the core's.
"""

import asyncio
import math
import os
import select
from collections import deque
from collections.abc import Callable
from threading import Thread
from typing import NamedTuple

from agent.core.reading.report_descriptor import REPORT_BYTES_MAX

RING_REPORTS = 63  # HIDRAW_BUFFER_SIZE less one: head == tail is "empty" (linux/hidraw.h)
WAITING_REPORTS_MAX = 4_096  # unread by the loop, a quarter of a megabyte of the usual ones
STOP_S_MAX = 2.0


class Report(NamedTuple):
    """A report as it was read, its id included. is_gap_behind: reports may be missing behind this one."""

    data: bytes
    at_ms: int
    is_gap_behind: bool


class ReportReader:
    """Reads one descriptor until `stop`, which closes it. Everything but the thread is the loop's.

    on_reports: called on the loop when there is something to `take`; on_gone: once, when the device cannot be read on.
    Raises OSError, RuntimeError, the descriptor closed, where no descriptor or thread is to be had.
    """

    def __init__(self, fd: int, name: str, on_reports: Callable[[], None], on_gone: Callable[[], None]) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._on_reports = on_reports
        self._on_gone = on_gone
        self._waiting: deque[Report] = deque()
        self._has_called = False  # the loop will look; it needs no further call
        self._is_stopped = False
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._wake = -1
        try:
            self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._thread.start()
        except (OSError, RuntimeError):
            self._let_go()
            raise

    @property
    def is_alive(self) -> bool:
        """Say whether the device is being read."""
        return self._thread.is_alive()

    @property
    def is_behind(self) -> bool:
        """Say whether reports have come that were not taken yet, from here or from the kernel."""
        if self._waiting:
            return True
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return any(events & select.POLLIN for _, events in poll.poll(0))

    def take(self) -> Report | None:
        """Return the next report; None where there is none now."""
        self._has_called = False
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def stop(self) -> None:
        """End reading and close the device. The thread sees it at once: it waits for nothing else meanwhile."""
        self._is_stopped = True
        os.eventfd_write(self._wake, 1)
        self._thread.join(STOP_S_MAX)
        if not self._thread.is_alive():  # else the descriptors' numbers must not be given to others
            self._let_go()

    def _let_go(self) -> None:
        for fd in (self._fd, self._wake):
            if fd >= 0:
                os.close(fd)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self._is_stopped:
            poll.poll()
            if not self._read_all():
                if not self._is_stopped:
                    self._tell(self._on_gone)
                return

    def _read_all(self) -> bool:
        """Read until nothing is left; return False where the device is gone."""
        in_a_row = 0
        while not self._is_stopped:
            try:
                data = os.read(self._fd, REPORT_BYTES_MAX)
            except BlockingIOError:
                return True
            except OSError:  # EIO, ENODEV: what an unplugged hidraw says; others mean that it cannot be read either
                return False
            if not data:
                return False
            in_a_row += 1
            self._put(data, is_gap_behind=in_a_row >= RING_REPORTS)
        return True

    def _put(self, data: bytes, *, is_gap_behind: bool) -> None:
        if len(self._waiting) >= WAITING_REPORTS_MAX:
            last = self._waiting.pop()  # the loop takes from the other end, so the newest is there while it is full
            self._waiting.append(last._replace(is_gap_behind=True))
        else:
            self._waiting.append(Report(data, math.ceil(self._loop.time() * 1000), is_gap_behind))
        if not self._has_called:
            self._has_called = True
            self._tell(self._on_reports)

    def _tell(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:  # the loop was closed before this was stopped: nobody is left to tell
            self._is_stopped = True
