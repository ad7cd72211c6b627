"""Hears from the kernel, and from udev, that the machine's devices changed (netlink, NETLINK_KOBJECT_UEVENT).

The law: an event is only a hint to look, so none is believed further than that, and the loss of all of them costs no
more than the lookouts' clock takes. What is looked for is lookout.py's.
"""

import asyncio
import errno
import logging
import socket
import struct
from collections.abc import Callable

logger = logging.getLogger(__name__)

_NETLINK_KOBJECT_UEVENT = 15  # linux/netlink.h
_GROUP_KERNEL, _GROUP_UDEV = 1, 2  # udev's come when a device has its name, group and links
EVENT_BYTES_MAX = 8_192  # the kernel's hold 2,048 (UEVENT_BUFFER_SIZE), udev's some more
EVENTS_A_TURN_MAX = 64
LOOK_AGAIN_S = (0.05, 0.2, 1.0)  # a device comes in several events, and its group and name later still
SUBSYSTEMS = frozenset({b"tty", b"usb", b"usb-serial", b"hid", b"hidraw", b"input", b"video4linux"})
_UDEV_HEAD = b"libudev\0"
_CREDENTIALS = struct.Struct("=iII")  # struct ucred: pid, uid, gid


class KernelEvents:
    """Implements lookout.HotPlug for all scanners of the terminal: started once, watched by many.

    open_socket: makes the socket; raises OSError where that is not permitted, and then nobody is ever told.
    """

    def __init__(self, open_socket: Callable[[], socket.socket] | None = None) -> None:
        self._open_socket = open_socket or open_event_socket
        self._socket: socket.socket | None = None
        self._watchers: dict[object, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at_s = 0.0

    @property
    def is_listening(self) -> bool:
        """Say whether events are heard."""
        return self._socket is not None

    def start(self) -> None:
        """Begin to listen; where the machine does not permit it, say so once: devices are then found by the clock."""
        try:
            self._socket = self._open_socket()
        except OSError as error:
            self._give_up(error)
            return
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._on_readable)

    def stop(self) -> None:
        """Listen no more, call nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed` called on the loop whenever a device comes or goes; return what ends that."""
        key = object()
        self._watchers[key] = changed

        def unwatch() -> None:
            self._watchers.pop(key, None)

        return unwatch

    def _on_readable(self) -> None:
        assert self._socket is not None  # noqa: S101 — the reader is removed before the socket is closed
        has_changed = False
        for _ in range(EVENTS_A_TURN_MAX):
            try:
                data, ancillary, _, sender = self._socket.recvmsg(EVENT_BYTES_MAX, socket.CMSG_SPACE(_CREDENTIALS.size))
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.ENOBUFS:  # events were dropped: any device may have changed
                    has_changed = True
                    continue
                self.stop()
                self._give_up(error)
                break
            has_changed |= _is_trusted(sender, ancillary) and is_of_interest(data)
        if has_changed:
            self._heard()

    def _heard(self) -> None:
        """Look now, unless that was just done, and again some times behind the last event."""
        loop = asyncio.get_running_loop()
        self._heard_at_s = loop.time()
        if self._timer is None:
            self._call_all()
        elif self._timer.when() <= self._heard_at_s + LOOK_AGAIN_S[0]:
            return
        else:
            self._timer.cancel()
        self._timer = loop.call_at(self._heard_at_s + LOOK_AGAIN_S[0], self._look_again)

    def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        self._call_all()
        since_s = loop.time() - self._heard_at_s
        later = [delay_s for delay_s in LOOK_AGAIN_S if delay_s > since_s]
        if later and self._socket is not None:
            self._timer = loop.call_at(self._heard_at_s + later[0], self._look_again)

    def _call_all(self) -> None:
        for changed in list(self._watchers.values()):
            changed()

    def _give_up(self, error: OSError) -> None:
        logger.warning(
            "no events about devices (%s): a scanner that is plugged in is found within 2 s instead of at once; "
            "the service needs AF_NETLINK in RestrictAddressFamilies",
            error.strerror or error,
        )


def open_event_socket() -> socket.socket:
    """Open the socket of kernel and udev events. Raises OSError."""
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    events = socket.socket(socket.AF_NETLINK, kind, _NETLINK_KOBJECT_UEVENT)
    try:
        events.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        events.bind((0, _GROUP_KERNEL | _GROUP_UDEV))
    except BaseException:
        events.close()
        raise
    return events


def is_of_interest(event: bytes) -> bool:
    """Say whether an event is about a kind of device that scanners are. Takes any bytes."""
    if event.startswith(_UDEV_HEAD):  # udev's head: text, magic, size of the head, where the properties begin, and more
        if len(event) < 20:
            return False
        (start,) = struct.unpack_from("=I", event, 16)
        event = event[start:]
    return any(
        line.startswith(b"SUBSYSTEM=") and line.removeprefix(b"SUBSYSTEM=") in SUBSYSTEMS for line in event.split(b"\0")
    )


def _is_trusted(sender: tuple[int, int], ancillary: list[tuple[int, int, bytes]]) -> bool:
    """Say whether the kernel sent it (address 0, which no program can have), or root.

    Where the service has users of its own (PrivateUsers=), root is still root. Programs without CAP_NET_ADMIN cannot
    send to these groups at all; this holds where that is not so.
    """
    if sender[0] == 0:
        return True
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS) and len(data) >= _CREDENTIALS.size:
            return bool(_CREDENTIALS.unpack_from(data)[1] == 0)
    return False
