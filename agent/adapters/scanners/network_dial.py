"""Connecting to a reader until it answers: names by a thread, connections by the loop, again after each failure.

The law: nothing here blocks the loop or a stop, and one attempt is under way at most. A reader that accepts and hangs
up at once is tried less and less often: the pause begins small again only after a connection that held.
"""

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

RETRY_DELAY_S_FIRST = 0.2
RETRY_DELAY_S_MAX = 5.0
HELD_S = 10.0  # a connection that lasted so long counts as one
CONNECT_S_MAX = 4.0  # for each address
RESOLVE_S_MAX = 10.0
ADDRESSES_MAX = 4  # of one name
LATE_S_MAX = 2.0  # of a timer, before it counts as lost

_Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


class Dialler:
    """Dials one host and port. on_connected: given the connected socket; on_failed: told why not."""

    def __init__(
        self, host: str, port: int, on_connected: Callable[[socket.socket], None], on_failed: Callable[[str], None]
    ) -> None:
        self._host = host
        self._port = port
        self._on_connected = on_connected
        self._on_failed = on_failed
        self._timer: asyncio.TimerHandle | None = None  # of the next attempt, or the end of this one
        self._attempt: socket.socket | None = None
        self._names: asyncio.Future[list[_Address]] | None = None
        self._addresses = list[_Address]()
        self._delay_s = RETRY_DELAY_S_FIRST
        self._connected_at_s: float | None = None

    @property
    def is_dialling(self) -> bool:
        """Say whether the reader is dialled, by a timer that is not lost."""
        return self._timer is not None and asyncio.get_running_loop().time() - self._timer.when() < LATE_S_MAX

    def dial(self) -> None:
        """Connect now, or as soon as it can be done."""
        self._cancel_timer()
        self._give_up_attempt()
        try:
            self._addresses = _addresses_of(self._host, self._port, socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            self._look_up()
        else:
            self._try_next("it has no address")

    def lost(self) -> None:
        """Say that the connection is over; dial again from now on."""
        now_s = asyncio.get_running_loop().time()
        if self._connected_at_s is not None and now_s - self._connected_at_s >= HELD_S:
            self._delay_s = RETRY_DELAY_S_FIRST
        self._connected_at_s = None
        self._later()

    def stop(self) -> None:
        """Dial no more."""
        self._cancel_timer()
        if self._names is not None:
            self._names.cancel()
            self._names = None
        self._give_up_attempt()
        self._addresses.clear()

    def _look_up(self) -> None:
        """Ask for the name; a question that the resolver still thinks about is not asked again."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(RESOLVE_S_MAX, self._fail, f"nobody says what address {self._host} has")
        if self._names is None:
            self._names = loop.create_future()
            self._names.add_done_callback(self._on_names)
            ask = partial(_ask, self._host, self._port, loop, self._names)
            # An executor's threads keep a process from ending.
            threading.Thread(target=ask, name="resolver", daemon=True).start()

    def _on_names(self, names: "asyncio.Future[list[_Address]]") -> None:
        if names is not self._names:  # stopped, or given up before
            if not names.cancelled():
                names.exception()  # taken note of
            return
        self._names = None
        try:
            self._addresses = names.result()
        except (OSError, UnicodeError) as error:
            self._fail(f"{self._host} has no address ({error}): correct the name in path, or see to the name server")
        else:
            self._try_next("it has no address")

    def _try_next(self, why: str) -> None:
        """Connect to the next address; `why`: the last one did not work."""
        self._cancel_timer()
        self._give_up_attempt()
        if not self._addresses:
            self._fail(why)
            return
        family, address = self._addresses.pop(0)
        loop = asyncio.get_running_loop()
        try:
            self._attempt = socket.socket(family, socket.SOCK_STREAM)
            self._attempt.setblocking(False)
            number = self._attempt.connect_ex(address)
        except OSError as error:  # no such family here, too many files
            self._try_next(error.strerror or str(error))
            return
        if number not in {0, errno.EINPROGRESS}:
            self._try_next(os.strerror(number))
            return
        self._timer = loop.call_later(CONNECT_S_MAX, partial(self._try_next, "it does not answer"))
        loop.add_writer(self._attempt.fileno(), self._on_writable)

    def _on_writable(self) -> None:
        attempt = self._attempt
        if attempt is None:
            return
        if number := attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._try_next(os.strerror(number))
            return
        try:
            is_itself = attempt.getsockname() == attempt.getpeername()  # a free local port may answer itself (RFC 9293)
        except OSError as error:
            self._try_next(error.strerror or str(error))
            return
        if is_itself:
            self._try_next("nobody listens there")
            return
        loop = asyncio.get_running_loop()
        loop.remove_writer(attempt.fileno())
        self._attempt = None
        self._addresses.clear()
        self._cancel_timer()
        self._connected_at_s = loop.time()
        self._on_connected(attempt)

    def _fail(self, why: str) -> None:
        self._later()
        self._on_failed(why)

    def _later(self) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(self._delay_s, self.dial)
        self._delay_s = min(2 * self._delay_s, RETRY_DELAY_S_MAX)

    def _give_up_attempt(self) -> None:
        if self._attempt is not None:
            asyncio.get_running_loop().remove_writer(self._attempt.fileno())
            self._attempt.close()
            self._attempt = None

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _ask(host: str, port: int, loop: asyncio.AbstractEventLoop, names: "asyncio.Future[list[_Address]]") -> None:
    """Ask the resolver, in a thread; what it says is for nobody once `names` is done."""

    def tell() -> None:
        if names.done():
            return
        if trouble is not None:
            names.set_exception(trouble)
        else:
            names.set_result(found)

    found, trouble = list[_Address](), None
    try:
        found = _addresses_of(host, port)
    except (OSError, UnicodeError) as error:
        trouble = error
    with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
        loop.call_soon_threadsafe(tell)


def _addresses_of(host: str, port: int, flags: int = 0) -> list[_Address]:
    """Ask the resolver; blocks, unless flags say that the host is an address. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found[:ADDRESSES_MAX]]
