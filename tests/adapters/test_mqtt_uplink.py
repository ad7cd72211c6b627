"""The MQTT uplink on real brokers, through a proxy that cuts, delays and swallows, among people who forge."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import cbor2
import pytest

from agent.adapters.ledger.owner import InlineLedger
from agent.adapters.uplinks.mqtt import Events, MqttUplink, Settings
from agent.adapters.uplinks.mqtt_connection import UNACKNOWLEDGED_MAX
from agent.core.decision import History
from agent.core.status import State, encode_status
from agent.core.time_interval import SignedTime
from agent.ports import CarrierDown, PlatformUnreachable
from agent.tasks.carriers import Carriers
from agent.tasks.carriers import Settings as CarrierSettings
from agent.tasks.delivery import Delivery, Identity
from agent.tasks.delivery import Settings as DeliverySettings
from fakes import brokers, chaos
from fakes.brokers import ANYONE, Broker, User
from fakes.commands import trust_with_commands
from fakes.ledger_parts import LabelSigner, draft, open_ledger
from fakes.mqtt_platform import MqttPlatform, client_of, serving
from fakes.platform import FakePlatform, payload_of
from fakes.world import FakeClock, FixedTrust, RecordingDisplay, SeededRandomness

BASE = "scanward/1/demo/kiosk-1"
HELLO = cbor2.dumps({1: b"h" * 16, 2: "kiosk-1", 6: b"l" * 16}, canonical=True)


@dataclass
class Heard:
    """What came unasked."""

    commands: list[bytes] = field(default_factory=list)
    trust: list[bytes] = field(default_factory=list)
    links: int = 0

    def events(self) -> Events:
        def linked() -> None:
            self.links += 1

        return Events(command=self.commands.append, trust=self.trust.append, connected=linked)


def will() -> bytes:
    return encode_status(LabelSigner(), "kiosk-1", "demo", State.LOST, 1, "scanward/test", {})


@asynccontextmanager
async def uplink_to(tmp_path, port: int, user: User = ANYONE, heard: Heard | None = None, **settings):
    """Run an uplink to a port."""
    (tmp_path / "password").write_text(user.password)
    given = {"receipt_timeout_s": 1.0, "password_file": str(tmp_path / "password")} | settings
    uplink = MqttUplink(
        Settings(url=f"mqtt://127.0.0.1:{port}", username=user.name, **given),
        "kiosk-1", "demo", last_will=will, events=(heard or Heard()).events(), randomness=SeededRandomness(),
    )  # fmt: skip
    async with asyncio.TaskGroup() as group:
        task = group.create_task(uplink.run())
        try:
            yield uplink
        finally:
            task.cancel()


async def until(is_done, limit_s: float = 10.0) -> None:
    async with asyncio.timeout(limit_s):
        while not is_done():  # noqa: ASYNC110 - other processes take part
            await asyncio.sleep(0.005)


def a_platform(**kwargs) -> FakePlatform:
    return FakePlatform(LabelSigner("platform receipt")._key, **kwargs)


@pytest.fixture(params=brokers.BROKERS)
async def broker(request, tmp_path):
    async with brokers.running(request.param, tmp_path / "broker") as running:
        yield running


@pytest.fixture
async def mosquitto(tmp_path):
    async with brokers.running("mosquitto", tmp_path / "broker") as running:
        yield running


@dataclass
class Terminal:
    """A ledger and its delivery over some uplink."""

    ledger: InlineLedger
    delivery: Delivery
    display: RecordingDisplay

    async def until(self, count: int, limit_s: float) -> float:
        """Deliver until `count` records are settled; return the longest time without progress."""
        longest_s, at_s, cursor = 0.0, time.monotonic(), 0
        async with asyncio.timeout(limit_s), asyncio.TaskGroup() as group:
            task = group.create_task(self.delivery.run())
            while self.delivery.cursor < count:
                await asyncio.sleep(0.005)
                if self.delivery.cursor != cursor:
                    cursor, at_s = self.delivery.cursor, time.monotonic()
                longest_s = max(longest_s, time.monotonic() - at_s)
            task.cancel()
        return longest_s


@asynccontextmanager
async def terminal_over(tmp_path, uplink, count: int, **settings):
    file = open_ledger(tmp_path / "ledger.sqlite")
    for start in range(0, count, 1_000):
        file.commit([draft(number) for number in range(start, min(count, start + 1_000))])
    display = RecordingDisplay()
    async with InlineLedger(file) as ledger:
        delivery = Delivery(
            ledger=ledger, uplink=uplink, trust_store=FixedTrust(trust_with_commands()),
            identity=Identity("kiosk-1", "demo", "scanward/test"), history=History(), display=display,
            clock=FakeClock(), randomness=SeededRandomness(), signed_time=SignedTime(),
            settings=DeliverySettings(**{"retry_delay_s_first": 0.02, "retry_delay_s_max": 0.2} | settings),
        )  # fmt: skip
        yield Terminal(ledger, delivery, display)


async def hashes_of(terminal: Terminal) -> dict[int, bytes]:
    return {r.seq: r.hash for r in await terminal.ledger.read(0, records_max=100_000, bytes_max=10**9)}


@pytest.mark.parametrize("half_frames", [False, True])
async def test_records_come_through_cuts_none_is_lost_and_none_counts_twice(tmp_path, broker, half_frames):
    platform = a_platform()
    async with (
        serving(MqttPlatform(platform, broker)),
        chaos.before(broker.port) as proxy,
        uplink_to(tmp_path, proxy.port) as uplink,
        terminal_over(tmp_path, uplink, 6_000, in_flight_max=2, rate_per_s=3_000, burst=200) as terminal,
        asyncio.TaskGroup() as group,
    ):
        proxy.half_frames = half_frames
        cutting = group.create_task(proxy.cut_every(0.25))
        longest_s = await terminal.until(6_000, limit_s=60)
        cutting.cancel()
        assert proxy.cuts >= 4, "too fast to be cut: the test proves nothing"
        assert platform.records == await hashes_of(terminal)
        assert platform.forks == []
        assert longest_s < 2.0


async def test_swallowed_acknowledgements_hold_nothing_up(tmp_path, mosquitto):
    platform = a_platform()
    async with (
        serving(MqttPlatform(platform, mosquitto)),
        chaos.before(mosquitto.port) as proxy,
        uplink_to(tmp_path, proxy.port) as uplink,
        terminal_over(tmp_path, uplink, 10_000) as terminal,
    ):
        proxy.swallows_pubacks = True
        longest_s = await terminal.until(10_000, limit_s=60)
        assert proxy.swallowed > UNACKNOWLEDGED_MAX
        assert platform.records == await hashes_of(terminal)
        assert longest_s < 2.0


async def test_when_the_link_drops_all_requests_in_flight_fail_at_once(tmp_path, mosquitto):
    async with (
        serving(MqttPlatform(a_platform(), mosquitto, is_silent=True)),
        chaos.before(mosquitto.port) as proxy,
        uplink_to(tmp_path, proxy.port, receipt_timeout_s=60) as uplink,
    ):
        await until(lambda: uplink.is_connected)
        requests = [cbor2.dumps({1: bytes([n]) * 16}) for n in range(8)]
        async with asyncio.TaskGroup() as group:
            sent = [group.create_task(_outcome(uplink.send(request))) for request in requests]
            await asyncio.sleep(0.2)
            at_s = time.monotonic()
            proxy.cut()
        assert time.monotonic() - at_s < 1.0
        assert all(isinstance(task.result(), PlatformUnreachable) for task in sent)


async def _outcome(request):
    try:
        return await request
    except PlatformUnreachable as error:
        return error


async def test_after_the_link_is_back_it_goes_on_within_a_second(tmp_path, mosquitto):
    platform = a_platform()
    async with (
        serving(MqttPlatform(platform, mosquitto)),
        chaos.before(mosquitto.port) as proxy,
        uplink_to(tmp_path, proxy.port) as uplink,
        terminal_over(tmp_path, uplink, 2_000) as terminal,
        asyncio.TaskGroup() as group,
    ):
        proxy.is_refusing = True
        task = group.create_task(terminal.delivery.run())
        await until(lambda: proxy.connections >= 4)
        assert terminal.delivery.cursor == 0
        proxy.is_refusing = False
        await until(lambda: uplink.is_connected, limit_s=5)
        at_s = time.monotonic()
        await until(lambda: terminal.delivery.cursor == 2_000)
        assert time.monotonic() - at_s < 1.5
        task.cancel()


async def test_a_link_that_hangs_is_given_up_and_made_anew(tmp_path, mosquitto):
    platform = a_platform()
    async with (
        serving(MqttPlatform(platform, mosquitto)),
        chaos.before(mosquitto.port) as proxy,
        uplink_to(tmp_path, proxy.port) as uplink,
    ):
        assert await uplink.hello(HELLO)
        proxy.is_frozen = True
        with pytest.raises(PlatformUnreachable, match="neither acknowledged nor answered"):
            await uplink.hello(HELLO)
        proxy.is_frozen = False
        await until(lambda: uplink.is_connected and proxy.connections == 2)
        assert await uplink.hello(HELLO)


async def test_a_delay_is_waited_out(tmp_path, mosquitto):
    async with (
        serving(MqttPlatform(a_platform(), mosquitto)),
        chaos.before(mosquitto.port) as proxy,
        uplink_to(tmp_path, proxy.port, receipt_timeout_s=5) as uplink,
    ):
        proxy.delay_s = 0.3
        await until(lambda: uplink.is_connected)
        assert await uplink.hello(HELLO)


KIOSK = User(
    "kiosk-1", "kiosk-in-a-test", publish=(f"{BASE}/up/status",), subscribe=(f"{BASE}/down/#", "scanward/1/trust")
)
DEAF = User("kiosk-1", "kiosk-in-a-test", publish=(f"{BASE}/up/#",), subscribe=("nothing/#",))


@pytest.mark.parametrize("kind", brokers.BROKERS)
async def test_a_broker_that_lets_nothing_out_is_no_success_and_says_what_to_check(tmp_path, kind):
    async with brokers.running(kind, tmp_path / "broker", [ANYONE, KIOSK]) as broker:
        platform = a_platform()
        async with serving(MqttPlatform(platform, broker)), uplink_to(tmp_path, broker.port, KIOSK) as uplink:
            await until(lambda: uplink.is_connected)
            with pytest.raises(PlatformUnreachable, match=f"lets this terminal write {BASE}/up/#"):
                await uplink.hello(HELLO)
        assert platform.hellos == 0


@pytest.mark.parametrize(("kind", "says"), [("nats", "does not let this terminal read"), ("mosquitto", "and read")])
async def test_a_broker_that_lets_nothing_in_is_no_link_or_says_what_to_check(tmp_path, kind, says):
    """NATS refuses the subscription; Mosquitto grants it, and delivers nothing."""
    async with (
        brokers.running(kind, tmp_path / "broker", [ANYONE, DEAF]) as broker,
        serving(MqttPlatform(a_platform(), broker)),
        uplink_to(tmp_path, broker.port, DEAF) as uplink,
    ):
        await until(lambda: uplink.is_connected or uplink._why)
        with pytest.raises(PlatformUnreachable, match=says):
            await uplink.hello(HELLO)


async def test_a_wrong_password_is_said_and_never_shown(tmp_path, broker, caplog):
    wrong = User(ANYONE.name, "hunter2-is-not-it")
    async with uplink_to(tmp_path, broker.port, wrong) as uplink:
        await until(lambda: "no link to the broker" in caplog.text)
        with pytest.raises(CarrierDown) as caught:
            await uplink.hello(HELLO)
    assert "hunter2" not in caplog.text + str(caught.value)


async def test_a_password_file_that_is_gone_is_said(tmp_path, caplog):
    async with uplink_to(tmp_path, 9, password_file=str(tmp_path / "gone")) as uplink:
        await until(lambda: "no link to the broker" in caplog.text)
        with pytest.raises(CarrierDown, match="password_file cannot be read"):
            await uplink.hello(HELLO)


async def test_a_broker_killed_with_all_it_kept_loses_no_record(tmp_path, broker: Broker):
    platform = a_platform()
    async with (
        serving(MqttPlatform(platform, broker)),
        uplink_to(tmp_path, broker.port) as uplink,
        terminal_over(tmp_path, uplink, 3_000, in_flight_max=1, rate_per_s=4_000, burst=200) as terminal,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(terminal.delivery.run())
        await until(lambda: terminal.delivery.cursor >= 200)
        await broker.kill()
        assert terminal.delivery.cursor < 3_000
        broker.forget()
        await broker.start()
        await until(lambda: terminal.delivery.cursor == 3_000, limit_s=40)
        task.cancel()
        assert platform.records == await hashes_of(terminal)


async def test_a_receipt_forged_on_the_broker_moves_nothing_is_said_aloud_and_http_takes_over(tmp_path, mosquitto):
    """A third party on the broker is quicker than the platform: the platform itself never answers over MQTT here."""
    forger, http = FakePlatform(LabelSigner("forger")._key), a_platform(kind="http", name="platform")
    async with (
        serving(MqttPlatform(forger, mosquitto)),
        uplink_to(tmp_path, mosquitto.port) as mqtt,
    ):
        display = RecordingDisplay()
        carriers = Carriers([mqtt, http], display=display, settings=CarrierSettings())
        async with terminal_over(tmp_path, carriers, 500) as terminal, asyncio.TaskGroup() as group:
            telling = group.create_task(carriers.run())
            await terminal.until(500, limit_s=20)
            await until(lambda: bool(display.notices))
            telling.cancel()
            assert forger.hellos == 1
            assert http.records == await hashes_of(terminal)
    assert any("not the platform's" in text for _, text in terminal.display.notices)
    assert display.notices == [
        ("uplink", "records go by way of http: mqtt does not work: an answer was not the platform's")
    ]


class OverHttp:
    """Another way to a platform."""

    name, kind = "platform", "http"

    def __init__(self, platform: FakePlatform) -> None:
        self._platform = platform
        self.batches = 0
        self.hello = platform.hello
        self.distrust = platform.distrust
        self.tell_status = platform.tell_status
        self.tell_answer = platform.tell_answer

    async def send(self, batch: bytes) -> bytes:
        self.batches += 1
        return await self._platform.send(batch)


async def test_records_change_over_to_http_and_back(tmp_path, mosquitto):
    platform = a_platform()
    http = OverHttp(platform)
    async with (
        serving(MqttPlatform(platform, mosquitto)),
        chaos.before(mosquitto.port) as proxy,
        uplink_to(tmp_path, proxy.port) as mqtt,
    ):
        carriers = Carriers([mqtt, http], display=RecordingDisplay(), settings=CarrierSettings(return_interval_s=0.2))
        async with terminal_over(tmp_path, carriers, 400) as terminal, asyncio.TaskGroup() as group:
            carriers.greet_soon = terminal.delivery.greet_soon
            tasks = [group.create_task(carriers.run()), group.create_task(terminal.delivery.run())]
            await until(lambda: terminal.delivery.cursor == 400)
            assert http.batches == 0
            proxy.is_refusing = True
            proxy.cut()
            await until(lambda: not mqtt.is_connected)
            await asyncio.gather(*(terminal.ledger.append(draft(number)) for number in range(400)))
            await until(lambda: terminal.delivery.cursor == 800)
            assert http.batches >= 1
            assert carriers.status()["carrier"] == "http"
            proxy.is_refusing = False
            await until(lambda: carriers.status()["carrier"] == "mqtt")
            sent = http.batches
            await asyncio.gather(*(terminal.ledger.append(draft(number)) for number in range(400)))
            await until(lambda: terminal.delivery.cursor == 1_200)
            assert http.batches == sent
            for task in tasks:
                task.cancel()
            assert platform.records == await hashes_of(terminal)


async def test_what_nobody_asked_for_is_counted_and_harms_nothing(tmp_path, broker):
    heard = Heard()
    async with (
        serving(MqttPlatform(a_platform(), broker)),
        uplink_to(tmp_path, broker.port, heard=heard) as uplink,
        client_of(broker, name="stranger") as stranger,
    ):
        await until(lambda: uplink.is_connected)
        unasked = cbor2.dumps({1: b"x" * 16, 2: 422, 3: "no"}, canonical=True)
        rubbish = [
            ("down/receipt", b"\xff\x00garbage"), ("down/receipt", b"\x81" * 5_000), ("down/hello", b""),
            ("down/problem", unasked), ("down/problem", b"\x00"), ("down/elsewhere", b"?"),
            ("down/command", b"c" * 5_000), ("down/receipt", b"x" * 700_000),
        ]  # fmt: skip
        for topic, payload in rubbish:
            await stranger.publish(f"{BASE}/{topic}", payload, qos=1)
        await stranger.publish("scanward/1/trust", b"t" * 20_000, qos=1)
        await stranger.publish(f"{BASE}/down/command", b"a command", qos=1)
        await stranger.publish("scanward/1/trust", b"{}", qos=1)
        await until(lambda: heard.commands and heard.trust)
        assert (heard.commands, heard.trust) == ([b"a command"], [b"{}"])
        await until(lambda: sum(uplink.dropped.values()) >= 8)
        assert uplink.dropped["unasked"] == 1
        assert await uplink.hello(HELLO)
        assert heard.links == 1, "the link stood all the while"


async def test_the_first_answer_counts_and_the_second_is_dropped(tmp_path, mosquitto):
    twice = MqttPlatform(a_platform(), mosquitto, changes=lambda answer: (answer, answer))
    async with serving(twice), uplink_to(tmp_path, mosquitto.port) as uplink:
        assert await uplink.hello(HELLO)
        await until(lambda: uplink.dropped["unasked"] == 1)


async def test_the_last_will_is_seen_by_others_when_the_link_breaks_and_not_at_an_orderly_stop(tmp_path, broker):
    platform = a_platform()
    online = encode_status(LabelSigner(), "kiosk-1", "demo", State.ONLINE, 2, "scanward/test", {})
    async with serving(MqttPlatform(platform, broker)), chaos.before(broker.port) as proxy:
        async with uplink_to(tmp_path, proxy.port) as uplink:
            await until(lambda: uplink.is_connected)
            await uplink.tell_status(online)
            await until(lambda: len(platform.statuses) == 1)
            proxy.is_refusing = True
            proxy.cut()
            await until(lambda: len(platform.statuses) == 2)
            assert [status[3] for status in platform.statuses] == [State.ONLINE, State.LOST]
            proxy.is_refusing = False
            await until(lambda: uplink.is_connected)
            await uplink.tell_status(online)
        await until(lambda: len(platform.statuses) == 3)
        async with client_of(broker, name="late") as late:
            await late.subscribe(f"{BASE}/up/status", qos=1)
            async with asyncio.timeout(5):
                kept = await anext(late.messages)
            assert payload_of(bytes(kept.payload))[3] == State.ONLINE, "status is retained, and a goodbye is no break"


async def test_a_stop_while_connecting_leaves_nothing_behind(tmp_path):
    async def never(_reader, writer) -> None:
        await asyncio.sleep(0.5)
        writer.transport.abort()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    async with server, uplink_to(tmp_path, server.sockets[0].getsockname()[1]) as uplink:
        await asyncio.sleep(0.1)
        assert not uplink.is_connected


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": "mqtt://broker.example"}, "must use mqtts"),
        ({"url": "https://broker.example"}, "mqtts://host"),
        ({"url": "mqtts://broker.example/path"}, "without a path"),
        ({"url": "mqtts://user:secret@broker.example"}, "secrets are files"),
        ({"certificate_file": "a.pem"}, "both or neither"),
        ({"keep_alive_s": 1}, "keep_alive_s"),
        ({"receipt_timeout_s": float("nan")}, "receipt_timeout_s"),
        ({"username": ""}, "username"),
        ({"username": "a\nb"}, "username"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes, says):
    with pytest.raises(ValueError, match=says) as caught:
        Settings(**{"url": "mqtts://broker.example"} | changes)
    assert "secret@" not in str(caught.value)
