"""Reads one input event node in a thread of its own: the kernel keeps about 64 events; a busy loop would lose some.

The law: what is lost, by the kernel or here, stands in the stream as SYN_DROPPED, the modifiers held behind it.
"""

import os
import select
import threading
import time
from collections.abc import Callable

from agent.adapters.scanners.evdev import EVENT, Node, events_in
from agent.core.reading.keys import (
    CAPS_LOCK,
    EV_KEY,
    EV_SYN,
    HELD,
    MODIFIERS,
    PRESSED,
    SYN_DROPPED,
    SYN_REPORT,
    KeyEvent,
)

EVENTS_BUFFERED_MAX = 65_536  # the longest scan, every character shifted
READ_EVENTS_MAX = 64
SETTLE_S_MAX = 5.0  # a device that types on and on is read then, from the middle of what it types
STOP_S_MAX = 5.0


class KeyReader:
    """The thread and its buffer. Everything but the thread's own work is called on the loop.

    quiet_ms: what is typed before the first pause of that length was typed before anyone listened, and is dropped.
    on_news: called in the thread, once until the next `take`. Raises OSError, the node closed, where no descriptor is
    to be had.
    """

    def __init__(self, node: Node, quiet_ms: int, on_news: Callable[[], object]) -> None:
        self._node = node
        self._quiet_ms = quiet_ms
        self._on_news = on_news
        self._lock = threading.Lock()
        self._events: list[KeyEvent] = []
        self._is_told = False
        self._is_full = False
        self._has_gap = False
        self._rest = b""
        try:
            self._wake_fd, self._waker_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            node.close()
            raise
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)
        self.held: set[int] = set()  # the keys that are down, and whether Caps Lock's light is on, once it is settled
        self.lit = False
        self.is_radio = False
        self.is_settled = False
        self.is_gone = False

    def start(self) -> None:
        """Begin to read. Raises RuntimeError where no thread is to be had; the node is closed then."""
        try:
            self._thread.start()
        except RuntimeError:
            self._let_go()
            raise

    @property
    def is_alive(self) -> bool:
        """Say whether the thread reads."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop reading and give the node back."""
        os.write(self._waker_fd, b"x")
        self._thread.join(STOP_S_MAX)
        if not self._thread.is_alive():  # else the descriptors' numbers must not be given to others
            self._let_go()

    def _let_go(self) -> None:
        for fd in (self._wake_fd, self._waker_fd):
            os.close(fd)
        self._node.close()

    def take(self, most: int = EVENTS_BUFFERED_MAX) -> list[KeyEvent]:
        """Return what was read and not taken, oldest first."""
        with self._lock:
            self._is_told = False
            taken, self._events = self._events[:most], self._events[most:]
            if self._is_full and not self._events:
                self._is_full, self._has_gap = False, True
            return taken

    def is_quiet(self) -> bool:
        """Say whether nothing waits, neither here nor in the kernel."""
        with self._lock:
            poll = select.poll()
            poll.register(self._node.fileno(), select.POLLIN)
            return not self._events and not poll.poll(0)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._node.fileno(), select.POLLIN)
        poll.register(self._wake_fd, select.POLLIN)
        if self._settle(poll) and not self.is_gone:
            while self._wait(poll, None):
                with self._lock:
                    self._put(self._read())
                if self.is_gone:
                    break
                self._tell()
        if self.is_gone:
            self._tell()

    def _settle(self, poll: select.poll) -> bool:
        """Drop what comes until there is a pause, but for what is down then; return whether to read on."""
        self._look_at_keys()
        now = time.monotonic()
        end, quiet_at = now + SETTLE_S_MAX, now + self._quiet_ms / 1000
        while (left_s := min(end, quiet_at) - time.monotonic()) > 0:
            if not self._wait(poll, left_s):
                return False
            events = self._read()
            if self.is_gone:
                return False
            if any(event.type == EV_SYN and event.code == SYN_DROPPED for event in events):
                events = []
                self._look_at_keys()
            for event in events:
                if event.type == EV_KEY and event.value != HELD:
                    quiet_at = time.monotonic() + self._quiet_ms / 1000
                    (self.held.add if event.value == PRESSED else self.held.discard)(event.code)
                    # Of a device that is ours alone nobody turns the light; a layout's own rule counts later.
                    self.lit ^= event.code == CAPS_LOCK and event.value == PRESSED
        with self._lock:
            self._has_gap = quiet_at > end
            self.is_settled = True
        self._tell()
        return True

    def _look_at_keys(self) -> None:
        """Ask what is down and lit. Asking drops the key events that wait: never ask where they are wanted."""
        try:
            self.held, self.lit = set(self._node.held()), self._node.is_lit()
            self.is_radio = self._node.is_radio()
        except OSError:  # unplugged
            self.is_gone = True

    def _wait(self, poll: select.poll, seconds: float | None) -> bool:
        """Return once there is something to read, or the time is over; False where reading is to stop."""
        ready = poll.poll(None if seconds is None else seconds * 1000 + 1)
        return self._wake_fd not in (fd for fd, _ in ready)

    def _read(self) -> list[KeyEvent]:
        try:
            data = os.read(self._node.fileno(), READ_EVENTS_MAX * EVENT.size)
        except BlockingIOError:
            return []
        except OSError:  # ENODEV: unplugged
            data = b""
        self.is_gone = not data
        data = self._rest + data
        whole = len(data) - len(data) % EVENT.size
        self._rest = data[whole:]
        return events_in(data[:whole])

    def _put(self, events: list[KeyEvent]) -> None:
        if self._is_full:
            return
        for index, event in enumerate(events):
            if self._has_gap or (event.type == EV_SYN and event.code == SYN_DROPPED):
                self._has_gap = False
                events = events[:index] + self._gap()
                break
        if len(self._events) + len(events) > EVENTS_BUFFERED_MAX:
            self._is_full = True
            events = self._gap()
        self._events += events

    def _gap(self) -> list[KeyEvent]:
        """Return what stands for lost events: the loss, and the modifiers that are down behind it.

        No other key: the kernel tells what is down, not in which order it was pressed, nor for which scan.
        """
        try:
            held = self._node.held()
        except OSError:  # unplugged, as the next read will say
            held = ()
        now_ms = int(time.monotonic() * 1000)
        lost = [KeyEvent(EV_SYN, SYN_DROPPED, 0, now_ms), KeyEvent(EV_SYN, SYN_REPORT, 0, now_ms)]
        return lost + [KeyEvent(EV_KEY, code, PRESSED, now_ms) for code in held if code in MODIFIERS]

    def _tell(self) -> None:
        with self._lock:
            was_told, self._is_told = self._is_told and not self.is_gone, True
        if not was_told:
            self._on_news()
