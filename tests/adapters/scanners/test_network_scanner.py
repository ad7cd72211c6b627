"""Network scanners over real loopback connections: the kernel cuts, splits and resets them."""

import asyncio
import socket
import threading

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.adapters.scanners import network_dial, network_line
from agent.adapters.scanners.intake import SCANS_QUEUED_MAX
from agent.adapters.scanners.network import CONNECTIONS_MAX, NetworkScanner
from agent.adapters.scanners.network_settings import Settings
from agent.adapters.scanners.presence import Presence
from agent.core.decision import Answer
from agent.core.reading.framing import Framing
from agent.core.scan import ScanFault
from fakes.tcp import TcpReader, free_port
from fakes.tty import Presences, reading
from fakes.waiting import until
from fakes.world import FakeClock

PEERS = ("127.0.0.0/8",)


@pytest.fixture
def reader():
    one = TcpReader()
    yield one
    one.switch_off()


def dialling(reader: TcpReader, told: Presences, host: str = "127.0.0.1", **more: object) -> NetworkScanner:
    return NetworkScanner(Settings(id="front", path=f"tcp://{host}:{reader.port}", **more), FakeClock(), told)


def listening(port: int, told: Presences, **more: object) -> NetworkScanner:
    given = {"peers": PEERS, **more}
    return NetworkScanner(Settings(id="front", path=f"listen://127.0.0.1:{port}", **given), FakeClock(), told)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_agent_connects_and_reads_scans_byte_for_byte(host, reader, told):
    payload = b"<" + bytes(b for b in range(256) if b != 0x0D) + b"> "
    reader.switch_on()
    async with reading(dialling(reader, told, host)) as listener:
        await reader.wait()
        await reader.send(payload[:100])
        await reader.send(payload[100:] + b"\r" + payload[::-1] + b"\r")
        first, second = await listener.take(2)
    assert (first.data, second.data) == (payload, payload[::-1])
    assert first.fault is second.fault is None
    assert [presence for _, presence, _ in told.told] == [Presence.PRESENT]


async def test_a_reader_that_is_off_is_told_once_and_found_when_it_is_switched_on(reader, told):
    scanner = dialling(reader, told)
    async with reading(scanner) as listener:
        why = await told.until(Presence.ABSENT)
        assert scanner.why_silent() is None
        reader.switch_on()
        await reader.wait()
        await reader.send(b"hello\r")
        assert (await listener.next()).data == b"hello"
        assert scanner.why_silent() is None
    assert f"tcp://127.0.0.1:{reader.port}" in why
    assert "switch the reader on" in why
    assert [presence for _, presence, _ in told.told] == [Presence.ABSENT, Presence.PRESENT]


@pytest.mark.parametrize("hard", [False, True])
async def test_half_a_scan_at_a_cut_is_a_fault_and_the_reader_is_dialled_again(hard, reader, told):
    reader.switch_on()
    async with reading(dialling(reader, told)) as listener:
        await reader.wait()
        await reader.send(b"whole\rhal")
        assert (await listener.next()).data == b"whole"
        await until(lambda: not _unread(listener, reader))
        reader.hang_up(hard=hard)
        scan = await listener.next()
        assert (scan.data, scan.fault) == (b"hal", ScanFault.CUT)
        await told.until(Presence.ABSENT)
        await reader.wait()
        await reader.send(b"f\rnext\r")  # as a device server does, which kept what it could not send
        rest, following = await listener.take(2)
        assert (rest.data, rest.fault) == (b"f", ScanFault.INCOMPLETE)
        assert (following.data, following.fault) == (b"next", None)
        reader.hang_up(hard=hard)
        await told.until(Presence.ABSENT, times=2)
        await reader.wait()
        await reader.send(b"third\r")
        assert (await listener.next()).fault is None, "nothing was cut the second time"


@pytest.mark.parametrize(("begun", "fault"), [(b"hal", ScanFault.INCOMPLETE), (b"x" * 21, ScanFault.OVER_LONG)])
async def test_the_rest_of_what_was_refused_before_the_cut_is_no_scan_either(begun, fault, reader, told):
    """The net stalls before it breaks: the half was given up as that, and nothing was left for the cut to take."""
    reader.switch_on()
    async with reading(dialling(reader, told, timeout_ms=50, bytes_max=20)) as listener:
        await reader.wait()
        await reader.send(begun)
        assert (await listener.next()).fault is fault
        reader.hang_up(hard=True)
        await reader.wait()
        await reader.send(b"f\rnext\r")
        rest, following = await listener.take(2)
        assert (rest.data, rest.fault) == (b"f", ScanFault.INCOMPLETE)
        assert (following.data, following.fault) == (b"next", None)


def _unread(listener, reader) -> int:
    """How many bytes the agent's kernel may still hold: those the reader's own kernel has not seen acknowledged."""
    import fcntl
    import termios

    return int.from_bytes(fcntl.ioctl(reader._line.fileno(), termios.TIOCOUTQ, bytes(4)), "little")


async def test_a_name_that_nobody_knows_is_told_and_asked_for_again(told):
    scanner = NetworkScanner(Settings(id="front", path="tcp://no-such-reader.invalid:9100"), FakeClock(), told)
    async with reading(scanner):
        why = await told.until(Presence.ABSENT)
        assert scanner.why_silent() is None
    assert "no-such-reader.invalid has no address" in why


async def test_a_resolver_that_never_answers_blocks_nothing_and_is_asked_once(told, monkeypatch):
    asked, answer = [], threading.Event()
    monkeypatch.setattr(network_dial, "_addresses_of", stubborn_resolver(asked, answer))
    monkeypatch.setattr(network_dial, "RESOLVE_S_MAX", 0.01)
    monkeypatch.setattr(network_dial, "RETRY_DELAY_S_FIRST", 0.01)
    scanner = NetworkScanner(Settings(id="front", path="tcp://reader.example:9100"), FakeClock(), told)
    async with reading(scanner):
        assert "nobody says what address" in await told.until(Presence.ABSENT)
        delay_s = scanner._dialler._delay_s
        await until(lambda: scanner._dialler._delay_s > 2 * delay_s)
        assert scanner.why_silent() is None
    assert len(asked) == 1
    answer.set()


def stubborn_resolver(asked, answer):
    def addresses_of(host, port, flags=0):
        if flags:
            raise socket.gaierror
        asked.append(host)
        answer.wait(60)
        raise OSError

    return addresses_of


def test_a_resolver_that_never_answers_does_not_hold_the_end_up(told, monkeypatch):
    asked, answer = [], threading.Event()
    monkeypatch.setattr(network_dial, "_addresses_of", stubborn_resolver(asked, answer))

    async def run() -> None:
        scanner = NetworkScanner(Settings(id="front", path="tcp://reader.example:9100"), FakeClock(), told)
        async with reading(scanner):
            await until(lambda: bool(asked))

    whole = threading.Thread(target=asyncio.run, args=[run()], daemon=True)
    whole.start()
    whole.join(10)
    try:
        assert not whole.is_alive()
    finally:
        answer.set()
        whole.join()


async def test_a_reader_that_hangs_up_at_once_is_dialled_less_and_less_often(reader, told):
    reader.switch_on()
    scanner = dialling(reader, told)
    async with reading(scanner):
        for _ in range(3):
            await reader.wait()
            reader.hang_up()
        await told.until(Presence.ABSENT, 3)
        assert scanner._dialler._delay_s >= 8 * network_dial.RETRY_DELAY_S_FIRST


async def test_the_kernel_watches_the_line_so_that_a_pulled_cable_is_noticed(reader, told):
    reader.switch_on()
    scanner = dialling(reader, told)
    async with reading(scanner):
        await told.until(Presence.PRESENT)
        (line,) = scanner._lines.values()
        option = line._socket.getsockopt
        assert option(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        idle_s, interval_s, probes = (
            option(socket.IPPROTO_TCP, name) for name in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle_s + probes * interval_s <= 15
        assert option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == network_line.UNACKNOWLEDGED_MS_MAX


async def test_two_readers_that_push_at_once_do_not_mix(told):
    scanner = listening(free_port(), told, scans_per_s_max=1_000)
    port = scanner._settings.port
    readers = [TcpReader(port) for _ in range(2)]
    codes = [[f"{name}:{i:03}:{name * (i % 50)}".encode() for i in range(100)] for name in ("left", "right")]
    async with reading(scanner) as listener:
        await told.until(Presence.ABSENT)
        for number, one in enumerate(readers):
            await one.connect(f"127.0.0.{number + 2}")
        for pair in zip(*codes, strict=True):
            for cut in (slice(0, 7), slice(7, None)):
                for one, code in zip(readers, pair, strict=True):
                    await one.send(code[cut] + (b"" if cut.stop else b"\r"))
        scans = await listener.take(200)
    for one in readers:
        one.hang_up()
    assert {(scan.scanner, scan.fault) for scan in scans} == {("front", None)}
    for name, sent in zip(("left", "right"), codes, strict=True):
        assert [scan.data for scan in scans if scan.data.startswith(name.encode())] == sent


async def test_who_is_not_named_may_not_connect_and_the_log_hears_of_it_once(told, caplog):
    scanner = listening(free_port(), told, peers=("127.0.0.2", "127.0.0.8/30"))
    async with reading(scanner) as listener:
        await told.until(Presence.ABSENT)
        for _ in range(3):
            stranger = TcpReader(scanner._settings.port)
            await stranger.connect("127.0.0.1")
            assert await stranger.received(1) == b""
            stranger.hang_up()
        known = TcpReader(scanner._settings.port)
        await known.connect("127.0.0.9")
        await known.send(b"A\r")
        assert (await listener.next()).data == b"A"
        known.hang_up()
    assert caplog.text.count("is not one of peers") == 1


async def test_a_reader_that_comes_back_takes_the_place_of_its_dead_connection(told):
    scanner = listening(free_port(), told)
    first, second = TcpReader(scanner._settings.port), TcpReader(scanner._settings.port)
    async with reading(scanner) as listener:
        await told.until(Presence.ABSENT)
        await first.connect("127.0.0.2")
        await first.send(b"whole\rhal")
        assert (await listener.next()).data == b"whole"
        await second.connect("127.0.0.2")
        await second.send(b"f\rnew\r")
        cut, rest, new = await listener.take(3)
        assert await first.received(1) == b""
        assert len(scanner._lines) == 1
    first.hang_up()
    second.hang_up()
    assert (cut.data, cut.fault) == (b"hal", ScanFault.CUT)
    assert (rest.data, rest.fault) == (b"f", ScanFault.INCOMPLETE)
    assert (new.data, new.fault) == (b"new", None)


async def test_connections_are_bounded(told):
    scanner = listening(free_port(), told)
    readers = [TcpReader(scanner._settings.port) for _ in range(CONNECTIONS_MAX + 1)]
    async with reading(scanner):
        await told.until(Presence.ABSENT)
        for number, one in enumerate(readers):
            await one.connect(f"127.0.0.{number + 2}")
        assert await readers[-1].received(1) == b""
        assert len(scanner._lines) == CONNECTIONS_MAX
    for one in readers:
        one.hang_up()


async def test_a_listening_scanner_is_present_while_a_reader_is_connected(told):
    scanner = listening(free_port(), told)
    one = TcpReader(scanner._settings.port)
    async with reading(scanner):
        assert "no reader is connected" in await told.until(Presence.ABSENT)
        await one.connect()
        assert "from 127.0.0.1" in await told.until(Presence.PRESENT)
        one.hang_up()
        await told.until(Presence.ABSENT, 2)
        assert scanner.why_silent() is None


async def test_readers_that_connect_for_each_scan_are_present_while_the_port_is_open(told):
    scanner = listening(free_port(), told, stays_connected=False)
    async with reading(scanner) as listener:
        await told.until(Presence.PRESENT)
        for number in range(3):
            one = TcpReader(scanner._settings.port)
            await one.connect()
            await one.send(b"%d\r" % number)
            one.hang_up()
            assert (await listener.next()).data == b"%d" % number
    assert [presence for _, presence, _ in told.told] == [Presence.PRESENT]


async def test_a_port_that_is_taken_is_told_and_listened_on_when_it_is_free(told):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        scanner = listening(other.getsockname()[1], told, stays_connected=False)
        async with reading(scanner):
            assert "in use by another program" in await told.until(Presence.ABSENT)
            assert scanner.why_silent() is None
            other.close()
            await told.until(Presence.PRESENT)


async def test_a_heartbeat_is_no_scan_and_nothing_like_it_is_lost(reader, told):
    reader.switch_on()
    async with reading(dialling(reader, told, heartbeat="ALIVE", prefix="<")) as listener:
        await reader.wait()
        await reader.send(b"ALIVE\r<A\rALIVE\r<ALIVE\r ALIVE\r")
        scans = await listener.take(3)
    assert [(scan.data, scan.fault) for scan in scans] == [
        (b"A", None), (b"ALIVE", None), (b" ALIVE", ScanFault.DAMAGED),
    ]  # fmt: skip


async def test_the_reader_whose_scan_it_was_hears_the_answer(told):
    scanner = listening(free_port(), told, accepted="\x06", refused="\x15\n")
    left, right = TcpReader(scanner._settings.port), TcpReader(scanner._settings.port)
    async with asyncio.timeout(10):
        scans = scanner.scans()
        first = asyncio.create_task(anext(scans))
        await told.until(Presence.ABSENT)
        await left.connect("127.0.0.2")
        await right.connect("127.0.0.3")
        await until(lambda: len(scanner._lines) == 2)
        await left.send(b"L\r")
        assert (await first).data == b"L"
        await right.send(b"R\r")
        scanner.answered(Answer.ASK)
        scanner.answered(Answer.ACCEPT)
        assert await left.received(1) == b"\x06"
        assert (await anext(scans)).data == b"R"
        scanner.answered(Answer.REFUSE)
        assert await right.received(2) == b"\x15\n"
        right.hang_up(hard=True)
        scanner.answered(Answer.PROVISIONAL)  # nobody hears it, and nothing breaks
        await scans.aclose()
    left.hang_up()


async def test_a_consumer_that_is_slow_makes_the_reader_wait_and_no_scan_is_lost(reader, told, monkeypatch):
    monkeypatch.setattr(network_line, "LINES_PER_S_MAX", 1_000_000)  # else it waits for the rate
    monkeypatch.setattr(network_line, "BYTES_PER_S_MAX", 1_000_000_000)
    reader.switch_on()
    scanner = dialling(reader, told, scans_per_s_max=1_000_000)
    scans = scanner.scans()
    first = asyncio.create_task(anext(scans))
    await reader.wait()
    count = 4_000
    sending = asyncio.create_task(reader.send(b"".join(b"%05d:%s\r" % (i, b"x" * 500) for i in range(count))))
    got = [await first]
    await until(lambda: scanner._intake.is_full)
    (line,) = scanner._lines.values()
    assert not line.is_reading
    assert len(scanner._intake._waiting) <= SCANS_QUEUED_MAX + network_line.READ_BYTES_MAX
    async with asyncio.timeout(20):
        while len(got) < count:
            got.append(await anext(scans))
    await sending
    await scans.aclose()
    assert [scan.data[:5] for scan in got] == [b"%05d" % i for i in range(count)]
    assert not any(scan.fault for scan in got)


@pytest.mark.parametrize("flood", [b"\r" * 65_536, b"x" * 262_144])
async def test_a_flood_waits_for_its_turn_and_the_reader_beside_it_does_not(flood, told, monkeypatch):
    monkeypatch.setattr(network_line, "BYTES_PER_S_MAX", 10_000)
    scanner = listening(free_port(), told)
    hostile, good = TcpReader(scanner._settings.port), TcpReader(scanner._settings.port)
    async with reading(scanner) as listener:
        await told.until(Presence.ABSENT)
        await hostile.connect("127.0.0.2")
        await good.connect("127.0.0.3")
        await hostile.send(flood)
        await until(lambda: scanner._lines["127.0.0.2"].is_waiting)
        assert scanner.why_silent() is None
        for number in range(20):
            await good.send(b"code %d\r" % number)
            assert (await listener.next()).data == b"code %d" % number
            assert not scanner._lines["127.0.0.2"].is_reading
    hostile.hang_up()
    good.hang_up()


async def test_what_a_flood_left_waiting_is_read_in_the_end_and_nothing_of_it_is_lost(reader, told, monkeypatch):
    monkeypatch.setattr(network_line, "LINES_PER_S_MAX", 100_000)
    reader.switch_on()
    async with reading(dialling(reader, told, timeout_ms=20)) as listener:
        await reader.wait()
        await reader.send(b"begin\r" + b"\r" * 10_000 + b"end\r" + b"half")
        assert [scan.data for scan in await listener.take(2)] == [b"begin", b"end"]
        half = await listener.next()
    assert (half.data, half.fault) == (b"half", ScanFault.INCOMPLETE)


async def test_a_pause_ends_a_scan_where_the_reader_sends_no_mark(reader, told):
    reader.switch_on()
    async with reading(dialling(reader, told, framing=Framing.IDLE, timeout_ms=50)) as listener:
        await reader.wait()
        await reader.send(b"A\r")
        assert (await listener.next()).data == b"A\r"


async def test_nobody_who_reads_is_told(reader, told):
    reader.switch_on()
    scanner = dialling(reader, told)
    async with reading(scanner):
        await reader.wait()
        await told.until(Presence.PRESENT)
        (line,) = scanner._lines.values()
        line.pause()
        assert "nobody reads it" in scanner.why_silent()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.binary(max_size=40), max_size=8), st.sampled_from(list(Framing)))
def test_whatever_readers_send_nothing_raises_and_no_scan_is_made_up(chunks, framing):
    async def send_all() -> list[bytes]:
        reader, told = TcpReader(), Presences()
        reader.switch_on()
        got = []
        scanner = dialling(
            reader, told, framing=framing, timeout_ms=5_000, scans_per_s_max=1_000, same_code_interval_ms=0
        )
        async with reading(scanner) as listener:
            await reader.wait()
            for chunk in chunks:
                await reader.send(chunk)
            reader.hang_up()
            await told.until(Presence.ABSENT)
            await asyncio.sleep(0)
            while listener.waiting:
                got.append((await listener.next()).data)
        reader.switch_off()
        return got

    sent = b"".join(chunks)
    at = 0
    for data in asyncio.run(send_all()):
        at = sent.index(data, at) + len(data)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"path": "192.0.2.7:9100"}, "path must be"),
        ({"path": "tcp://reader:0"}, "path must be"),
        ({"path": "tcp://reader:65536"}, "path must be"),
        ({"path": "tcp://user@reader:1"}, "path must be"),
        ({"path": "listen://reader:9100"}, "not a name"),
        ({"path": "listen://0.0.0.0:9100"}, "needs peers"),
        ({"path": "listen://0.0.0.0:9100", "peers": ["192.0.2.7/24"]}, "peers must be"),
        ({"path": "listen://0.0.0.0:9100", "peers": ["reader"]}, "peers must be"),
        ({"path": "tcp://reader:9100", "peers": ["192.0.2.7"]}, "peers belongs to"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given, says):
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert({"type": "network", "id": "front", **given}, Settings)


def test_an_address_of_version_6_stands_in_brackets():
    one = Settings(id="front", path="listen://[::1]:9100")
    assert (one.host, one.port, one.is_listening) == ("::1", 9100, True)
