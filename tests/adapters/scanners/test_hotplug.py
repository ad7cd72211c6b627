import asyncio
import errno
import os
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.scanners import hid
from agent.adapters.scanners.hotplug import KernelEvents, is_of_interest
from agent.adapters.scanners.presence import Presence
from fakes.hid_reports import HidDevice, reports
from fakes.tty import Presences, reading
from fakes.waiting import until
from fakes.world import FakeClock

ADD = b"add@/devices/usb1/1-1/hidraw/hidraw0\0ACTION=add\0SUBSYSTEM=hidraw\0SEQNUM=7\0"
OTHER = b"change@/devices/virtual/mem/null\0ACTION=change\0SUBSYSTEM=mem\0"
PROPERTIES = b"ACTION=add\0SUBSYSTEM=tty\0"
UDEV = b"libudev\0" + struct.pack("!I", 0xFEEDCAFE) + struct.pack("=IIIIIII", 40, 40, len(PROPERTIES), 0, 0, 0, 0)
ROOT, SOMEBODY = 0, 1_000
LOOKS = 4  # at once and three times later


class Events:
    """The socket of kernel events: a socket pair that says who sent what."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._theirs.setblocking(False)
        self._by: list[tuple[int, int]] = []
        self.error: OSError | None = None

    def say(self, event: bytes, *, port: int = 0, uid: int = ROOT) -> None:
        self._by.append((port, uid))
        self._ours.send(event)

    def fileno(self) -> int:
        return self._theirs.fileno()

    def recvmsg(self, size: int, ancillary: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, tuple[int, int]]:
        data = self._theirs.recv(size)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        port, uid = self._by.pop(0)
        credentials = struct.pack("=iII", 1, uid, uid)
        return data, [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials)], 0, (port, 1)

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


class Heard:
    def __init__(self) -> None:
        self.at_s: list[float] = []

    def __call__(self) -> None:
        self.at_s.append(asyncio.get_running_loop().time())


@pytest.fixture
async def events() -> AsyncIterator[Events]:
    events = Events()
    yield events
    events.close()


@pytest.fixture
async def kernel(events: Events) -> AsyncIterator[KernelEvents]:
    kernel = KernelEvents(lambda: events)  # type: ignore[arg-type,return-value]
    kernel.start()
    yield kernel
    kernel.stop()


async def test_an_event_is_told_at_once_and_some_times_later_when_udev_is_done(
    kernel: KernelEvents, events: Events
) -> None:
    heard = Heard()
    kernel.watch(heard)
    events.say(ADD)
    await until(lambda: len(heard.at_s) == LOOKS)
    delays = [at_s - heard.at_s[0] for at_s in heard.at_s[1:]]
    assert [delay >= at_least for delay, at_least in zip(delays, (0.049, 0.199, 0.999), strict=True)] == [True] * 3


async def test_many_events_in_a_row_are_few_looks(kernel: KernelEvents, events: Events) -> None:
    heard = Heard()
    kernel.watch(heard)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for _ in range(40):
        events.say(ADD)
        await asyncio.sleep(0)
    took_s = loop.time() - began_s
    await until(lambda: len(heard.at_s) >= LOOKS)
    assert len(heard.at_s) <= LOOKS + took_s / 0.05 + 1


async def test_events_without_end_do_not_keep_it_from_looking(kernel: KernelEvents, events: Events) -> None:
    heard = Heard()
    kernel.watch(heard)
    async with asyncio.timeout(10):
        while len(heard.at_s) < 3:
            events.say(ADD)
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("event", "port", "uid"),
    [(OTHER, 0, ROOT), (ADD, 4_711, SOMEBODY), (b"", 0, ROOT), (b"\xff" * 100, 0, ROOT), (UDEV[:12], 7, ROOT)],
)
async def test_events_of_other_devices_and_of_just_anybody_are_not_heard(
    kernel: KernelEvents, events: Events, event: bytes, port: int, uid: int
) -> None:
    heard = Heard()
    kernel.watch(heard)
    events.say(event, port=port, uid=uid)
    events.say(ADD)  # behind it, so that the other one was seen
    await until(lambda: len(heard.at_s) == 1)
    kernel.stop()
    assert len(heard.at_s) == 1
    assert is_of_interest(event) is (event == ADD)


async def test_udev_itself_is_heard(kernel: KernelEvents, events: Events) -> None:
    heard = Heard()
    kernel.watch(heard)
    events.say(UDEV + PROPERTIES, port=4_711, uid=ROOT)
    await until(lambda: bool(heard.at_s))


async def test_lost_events_are_as_good_as_events(kernel: KernelEvents, events: Events) -> None:
    heard = Heard()
    kernel.watch(heard)
    events.error = OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
    events.say(OTHER)
    await until(lambda: bool(heard.at_s))
    assert kernel.is_listening


async def test_who_watches_no_more_is_not_told(kernel: KernelEvents, events: Events) -> None:
    first, second = Heard(), Heard()
    unwatch = kernel.watch(first)
    kernel.watch(second)
    unwatch()
    unwatch()
    events.say(ADD)
    await until(lambda: bool(second.at_s))
    assert not first.at_s


async def test_a_socket_that_breaks_is_given_up_and_said_once(
    kernel: KernelEvents, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    events.error = OSError(errno.EBADF, os.strerror(errno.EBADF))
    events.say(ADD)
    await until(lambda: not kernel.is_listening)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        f"no events about devices ({os.strerror(errno.EBADF)})"
    ]


async def test_where_no_socket_is_permitted_it_is_said_once_and_scanners_are_found_by_the_clock(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse() -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    kernel = KernelEvents(refuse)
    kernel.start()
    device, told = HidDevice(is_there=False), Presences()
    settings = hid.Settings(id="front", path="/dev/hidraw0")
    async with reading(hid.HidScanner(settings, FakeClock(), told, kernel, open_device=device.open)):
        await told.until(Presence.ABSENT)
        device.plug_in()
        await told.until(Presence.PRESENT)
    kernel.stop()
    device.unplug()
    assert ["AF_NETLINK" in r.getMessage() for r in caplog.records if r.levelname == "WARNING"].count(True) == 1


async def test_a_scanner_that_is_plugged_in_is_read_at_the_kernels_word(kernel: KernelEvents, events: Events) -> None:
    device, told = HidDevice(is_there=False), Presences()
    settings = hid.Settings(id="front", path="/dev/hidraw0")
    scanner = hid.HidScanner(settings, FakeClock(), told, kernel, open_device=device.open)
    async with reading(scanner) as listener:
        await told.until(Presence.ABSENT)
        scanner._lookout._delay_s = 3_600.0
        scanner._lookout.look()  # from here on the clock is no help
        device.plug_in()
        events.say(ADD)
        await told.until(Presence.PRESENT)
        await device.send(*reports(b"code"))
        assert (await listener.next()).data == b"code"
    device.unplug()


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda tail: UDEV + tail)))
def test_no_event_raises(event: bytes) -> None:
    assert is_of_interest(event) in {True, False}


def test_the_service_may_listen() -> None:
    unit = Path(__file__).parents[3] / "systemd/scanward.service"
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("RestrictAddressFamilies=")]
    assert "AF_NETLINK" in line.partition("=")[2].split()


async def test_the_real_kernel_is_heard_by_its_real_socket() -> None:
    """A kernel event that root may ask for: the terminal says again that it is there."""
    uevent = Path("/sys/class/tty/tty/uevent")
    if not os.access(uevent, os.W_OK):
        pytest.skip("root is missing: nobody else may have the kernel say an event")
    kernel, heard = KernelEvents(), Heard()
    kernel.start()
    kernel.watch(heard)
    try:
        assert kernel.is_listening
        uevent.write_text("change")  # noqa: ASYNC240
        await until(lambda: len(heard.at_s) >= 2)
    finally:
        kernel.stop()
