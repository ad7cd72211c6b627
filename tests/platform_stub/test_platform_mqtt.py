"""The platform over MQTT, its own broker and Mosquitto: the same conversation, and nobody in another's name."""

import asyncio
import dataclasses
import json
from contextlib import asynccontextmanager

import aiomqtt
import cbor2
import psutil
import pytest
from vectors import generate

from bench.publisher import Login, publish
from fakes import brokers
from fakes.mqtt_terminal import connected
from platform_stub import cli, keys
from platform_stub.mqtt import carrier as mqtt
from platform_stub.mqtt import options as mqtt_options
from platform_stub.mqtt.broker import EmbeddedBroker
from platform_stub.mqtt.carrier import BrokerAddress
from platform_stub.mqtt.credentials import PLATFORM_USER, password_of

EMBEDDED = EmbeddedBroker("127.0.0.1", 0)
SEEN_S_MAX = 20


@pytest.fixture(params=["nats", "mosquitto"])
def run_with_broker(request, run_platform, platform_directory, tmp_path):
    """Return a context manager that runs the platform on a broker: (platform, where the broker is)."""

    @asynccontextmanager
    async def run(*terminals):
        if request.param == "nats":
            brokers.require("nats")
            async with run_platform(*terminals, mqtt=EMBEDDED) as platform:
                yield platform, await platform.broker()
            return
        for terminal in terminals:
            (platform_directory / "terminals" / f"{terminal.id}.json").write_text(json.dumps(terminal.registration()))
        users = users_of(mqtt_options.access_rules(platform_directory / "terminals"), platform_directory / "mqtt")
        async with brokers.running("mosquitto", tmp_path / "mosquitto", users) as broker:
            address = BrokerAddress("127.0.0.1", broker.port, PLATFORM_USER, lambda: users[0].password)
            async with run_platform(*terminals, mqtt=address) as platform:
                yield platform, await platform.broker()

    return run


def users_of(rules, passwords):
    """Return the users whom `broker-acl` prints rules for, with what they may do and the passwords of the platform."""
    users = []
    for line in filter(None, rules.splitlines()):
        word, rest = line.split(" ", 1)
        if word == "user":
            users.append({"name": rest, "publish": [], "subscribe": []})
            continue
        right, topic = rest.split(" ")
        for rights, names in (("publish", ("write", "readwrite")), ("subscribe", ("read", "readwrite"))):
            if right in names:
                users[-1][rights].append(topic)
    return [brokers.User(password=password_of(passwords, user["name"]), **user) for user in users]


def login(platform, at, terminal, **will):
    return connected(at, terminal, password_of(platform.layout.mqtt, terminal.id), **will)


async def until(condition):
    async with asyncio.timeout(SEEN_S_MAX):
        while not await condition():  # noqa: ASYNC110 - the page is asked, as a person would
            await asyncio.sleep(0.02)


async def test_hello_and_batch_are_answered_and_a_receipt_is_the_same_over_both_carriers(run_with_broker, terminal):
    terminal.fill(30)
    async with run_with_broker(terminal) as (platform, at), login(platform, at, terminal) as line:
        answer = cbor2.loads(await line.ask("hello", terminal.hello(), "hello"))
        assert answer[1] == 1
        assert platform.open_receipt(answer[2])[5] == [0, terminal.hashes[0]]
        first = platform.open_receipt(await line.ask("batch", terminal.batch(), "receipt"))
        assert [status for _, _, status, _ in first[4]] == [0] * 30
        assert first[5] == [30, terminal.hashes[30]]
        again = await line.ask("batch", terminal.batch(), "receipt")
        assert [status for _, _, status, _ in platform.open_receipt(again)[4]] == [1] * 30
        assert await platform.post(terminal, "batches", terminal.batch()) == (200, again)
        same_hello = await line.ask("hello", terminal.hello(), "hello")
        assert await platform.post(terminal, "hello", terminal.hello()) == (200, same_hello)


async def test_a_window_of_eight_batches_is_receipted_whole(run_with_broker, terminal):
    terminal.fill(320)
    async with run_with_broker(terminal) as (platform, at), login(platform, at, terminal) as line:
        for first in range(1, 320, 20):
            await line.say("batch", terminal.batch(first, first + 19))
            if first > 160:
                platform.open_receipt(await line.hear("receipt"))
        receipts = [platform.open_receipt(await line.hear("receipt")) for _ in range(8)]
        assert max(receipt[5][0] for receipt in receipts) == 320


async def test_a_refusal_names_its_message_and_poison_stops_nobody(run_with_broker, terminal):
    terminal.fill(3)
    async with run_with_broker(terminal) as (platform, at), login(platform, at, terminal) as line:
        for body in (b"\xff" * 40, b"\xa0", b"{}", b"\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01", bytes(200_000)):
            for what in ("hello", "batch", "status", "answer", "nothing"):
                await line.say(what, body)
        bad = terminal.hello(f1=b"i" * 16, f3="elsewhere")
        problem = cbor2.loads(await line.ask("hello", bad, "problem"))
        assert (problem[1], problem[2]) == (b"i" * 16, 409)
        assert problem[3].startswith("message.other-site")
        stranger = generate.cose_sign1(
            generate.PLATFORM,
            "scanward-head-1",
            generate.cbor({1: terminal.id, 2: terminal.ledger_id, 3: 3, 4: terminal.hashes[3]}),
        )
        problem = cbor2.loads(await line.ask("batch", terminal.batch(f6=stranger), "problem"))
        assert (problem[1], problem[2]) == (cbor2.loads(terminal.batch())[1], 401)
        assert platform.open_receipt(await line.ask("batch", terminal.batch(), "receipt"))[5][0] == 3


async def test_a_topic_of_another_site_or_terminal_than_the_message_is_refused(
    run_with_broker, terminal, make_terminal
):
    other = make_terminal("kiosk-2", label="the other", ledger="another ledger").fill(1)
    terminal.fill(1)
    async with run_with_broker(terminal, other) as (platform, at):
        user = other_user(platform)
        async with connected(at, user, password_of(platform.layout.mqtt, PLATFORM_USER)) as anybody:
            await anybody.client.subscribe("scanward/1/+/+/down/#", qos=1)
            await anybody.say("batch", terminal.batch(), site="demo", terminal="kiosk-2")
            assert cbor2.loads(await anybody.hear("problem"))[3].startswith("message.other-terminal")
            await anybody.say("batch", terminal.batch(), site="elsewhere", terminal="kiosk-1")
            assert cbor2.loads(await anybody.hear("problem"))[3].startswith("message.other-site")
        assert await platform.greet(terminal) == [0, terminal.hashes[0]]


def other_user(platform):
    """Return the platform's own user as if it were a terminal: it may publish anywhere below scanward/1."""

    class AsPlatform:
        id, site = PLATFORM_USER, "demo"

    return AsPlatform


async def test_a_terminal_neither_publishes_nor_subscribes_as_another(run_with_broker, terminal, make_terminal):
    intruder = make_terminal("kiosk-2", label="the other", ledger="another ledger").fill(1)
    terminal.fill(2)
    async with run_with_broker(terminal, intruder) as (platform, at):
        lie = terminal.status(state=2, at_ms=generate.NOW_S * 1000 + 5)
        will_topic = "scanward/1/demo/kiosk-1/up/status"
        async with login(platform, at, terminal) as line:
            await line.say("status", terminal.status(), retain=True)
            await until(lambda: shows(platform, ">online<"))
            async with login(platform, at, intruder) as cheat:
                for topic in ("scanward/1/demo/kiosk-1/down/#", "scanward/1/+/+/down/#", "scanward/#", "#", "$MQTT/#",
                              "$MQTT/msgs/#", "$MQTT/sub/#", "$JS/#", "$SYS/#", "+/+/+/+/+/+"):  # fmt: skip
                    await cheat.client.subscribe(topic, qos=1)
                own = "scanward/1/demo/kiosk-1"
                for topic in (f"{own}/up/", f"$MQTT/msgs/{own}/up/", f"{own}/down/"):
                    await cheat.client.publish(topic + "status", lie, qos=1)
                    await cheat.client.publish(topic + "batch", terminal.batch(), qos=1)
                    await cheat.client.publish(topic + "receipt", b"a receipt nobody gave", qos=1)
                await cheat.client.publish("scanward/1/trust", b"forged", qos=1, retain=True)
                assert platform.open_receipt(await line.ask("batch", terminal.batch(1, 1), "receipt"))[5][0] == 1
                assert platform.open_receipt(await cheat.ask("batch", intruder.batch(), "receipt"))[5][0] == 1
                heard = [topic for topic, _ in cheat.heard if "/kiosk-1/" in topic]
                assert heard == []
            assert [body for topic, body in line.heard if topic.endswith("receipt")] == []
            assert await hello_carriers(platform) == []
            assert ">lost<" not in await platform.page()
        try:
            async with login(platform, at, intruder, will=lie, will_topic=will_topic) as cheat:
                cheat.cut()
        except TimeoutError:
            pass  # such a will is not even let in
        async with login(platform, at, intruder) as cheat:
            await cheat.ask("hello", intruder.hello(), "hello")
        assert ">lost<" not in await platform.page()


async def shows(platform, text):
    return text in await platform.page()


async def hello_carriers(platform):
    rows = await asyncio.to_thread(platform.ask, "SELECT carrier FROM carriers WHERE terminal = 'kiosk-1'")
    return [row[0] for row in rows]


async def test_a_will_shows_a_terminal_as_lost_and_a_good_end_as_offline(run_with_broker, terminal):
    made_ms = generate.NOW_S * 1000
    async with run_with_broker(terminal) as (platform, at):
        async with login(platform, at, terminal, will=terminal.status(2, made_ms, f7=made_ms)) as line:
            await line.say("status", terminal.status(0, made_ms + 9, f7=made_ms), retain=True)
            await until(lambda: shows(platform, ">online<"))
            line.cut()
            await until(lambda: shows(platform, ">lost<"))
        later_ms = made_ms + 60_000
        async with login(platform, at, terminal, will=terminal.status(2, later_ms, f7=later_ms)) as line:
            await line.say("status", terminal.status(0, later_ms + 9, f7=later_ms), retain=True)
            await until(lambda: shows(platform, ">online<"))
            await line.say("status", terminal.status(2, made_ms, f7=made_ms))  # the first will, late
            await line.ask("hello", terminal.hello(), "hello")
            assert await shows(platform, ">online<")
            await line.say("status", terminal.status(1, later_ms + 50, f7=later_ms), retain=True)
            await until(lambda: shows(platform, ">offline<"))
        assert await shows(platform, "<td>mqtt</td>")


async def test_the_trust_is_announced_retained_and_again_when_another_process_publishes(run_with_broker, terminal):
    async with run_with_broker(terminal) as (platform, at), login(platform, at, terminal) as line:
        timestamp = platform.layout.repository / "metadata" / "timestamp.json"
        before = timestamp.read_bytes()
        assert await line.hear("trust") == before
        assert await asyncio.to_thread(cli.main, ["publish", str(platform.layout.directory)]) == 0
        while (heard := await line.hear("trust")) == before:
            pass  # each connection begins with it, and the watch has seen it for the first time
        assert heard == timestamp.read_bytes() != before


async def test_a_command_is_pushed_handed_out_until_answered_and_answered_once(run_with_broker, terminal, capsys):
    terminal.fill(1)
    async with run_with_broker(terminal) as (platform, at), login(platform, at, terminal) as line:
        await line.ask("hello", terminal.hello(), "hello")
        give = ["command", str(platform.layout.directory), "--terminal", "kiosk-1", "--kind", "identify"]
        platform.clock_s[0] = await asyncio.to_thread(cli.clock.now_s)
        assert await asyncio.to_thread(cli.main, give) == 0
        pushed = await line.hear("command")
        command = open_command(platform, pushed)
        assert (command[2], command[3], command[5] - command[4]) == ("kiosk-1", "identify", 3_600_000)
        for _ in range(2):
            assert cbor2.loads(await line.ask("hello", terminal.hello(), "hello"))[3] == [pushed]
        await line.say("answer", terminal.answer(command[1], 0, "shown for 10 s"))
        await line.say("answer", terminal.answer(command[1], 1, "said later"))
        assert cbor2.loads(await line.ask("hello", terminal.hello(), "hello"))[3] == []
        assert await shows(platform, "shown for 10 s")
        capsys.readouterr()
        assert await asyncio.to_thread(cli.main, ["commands", str(platform.layout.directory)]) == 0
        said = capsys.readouterr().out
        assert command[1].hex() in said
        assert "done" in said
        assert "shown for 10 s" in said
        assert "said later" not in said


def open_command(platform, signed):
    protected, _, payload, signature = cbor2.loads(signed).value
    key = keys.read_ed25519(platform.layout.keys, "commands").public_key()
    key.verify(signature, generate.cbor(["Signature1", protected, b"scanward-command-1", payload]))
    return cbor2.loads(payload)


async def test_a_terminal_that_says_too_much_at_once_is_cut_short_and_the_rest_are_heard(
    run_with_broker, terminal, make_terminal, monkeypatch, caplog
):
    monkeypatch.setattr(mqtt, "IN_WORK_OF_TERMINAL_MAX", 1)
    other = make_terminal("kiosk-2", label="the other", ledger="another ledger").fill(1)
    terminal.fill(1)
    async with run_with_broker(terminal, other) as (platform, at), login(platform, at, terminal) as flood:
        async with asyncio.TaskGroup() as group:
            for _ in range(200):
                group.create_task(flood.say("batch", terminal.batch()))
        async with login(platform, at, other) as line:
            assert platform.open_receipt(await line.ask("batch", other.batch(), "receipt"))[5][0] == 1
    assert "says too much at once" in caplog.text


async def test_a_terminal_that_sends_garbage_without_end_does_not_fill_the_log(run_with_broker, terminal, caplog):
    async with run_with_broker(terminal) as (platform, at), login(platform, at, terminal) as line:
        for number in range(400):
            await line.say(("hello", "batch", "status", "answer", "nothing")[number % 5], b"\xff\0" * 50)
            if number % 5 == 4:
                await line.ask("hello", terminal.hello(), "hello")  # heard in between, as ever
    said = [text for text in caplog.messages if text.startswith(f"a message of {terminal.id} ")]
    assert 1 <= len(said) <= 9
    assert "such messages so far" in said[-1]


async def test_what_waits_is_bounded_by_its_bytes(monkeypatch, caplog):
    monkeypatch.setattr(mqtt, "WAITING_BYTES_MAX", 1_000)
    inbox = mqtt._Inbox()
    message = aiomqtt.Message("scanward/1/demo/kiosk-1/up/batch", bytes(600), 1, False, 1, None)
    inbox.put_nowait(message)
    inbox.put_nowait(message)
    for _ in range(8):
        with pytest.raises(asyncio.QueueFull):
            inbox.put_nowait(message)
    assert [record.args for record in caplog.records] == [(1,), (2,), (4,), (8,)]
    assert inbox.get_nowait() is message
    inbox.put_nowait(message)


async def test_kill_9_of_the_broker_costs_a_moment_and_the_conversation_goes_on(run_platform, terminal):
    brokers.require("nats")
    terminal.fill(40)
    async with run_platform(terminal, mqtt=EMBEDDED) as platform:
        at = await platform.broker()
        async with login(platform, at, terminal) as line:
            assert platform.open_receipt(await line.ask("batch", terminal.batch(1, 20), "receipt"))[5][0] == 20
            (server,) = [p for p in psutil.Process().children() if p.name() == "nats-server"]
            server.kill()
        assert await platform.broker() == at
        async with login(platform, at, terminal) as line:
            assert platform.open_receipt(await line.ask("batch", terminal.batch(21, 40), "receipt"))[5][0] == 40


async def test_a_terminal_registered_while_running_is_let_in_and_others_are_not_disturbed(
    run_platform, terminal, make_terminal
):
    brokers.require("nats")
    other = make_terminal("kiosk-2", label="the other", ledger="another ledger")
    async with run_platform(terminal, mqtt=EMBEDDED) as platform:
        at = await platform.broker()
        async with login(platform, at, terminal) as line:
            platform.register(other)
            async with login(platform, at, other) as late:
                await late.ask("hello", other.hello(), "hello")
            await line.ask("hello", terminal.hello(), "hello")


async def test_a_taken_port_is_said_aloud_http_is_served_and_mqtt_comes_when_it_is_free(run_platform, terminal, caplog):
    brokers.require("nats")
    taken = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with run_platform(terminal, mqtt=EmbeddedBroker("127.0.0.1", port)) as platform:
        assert await platform.greet(terminal) == [0, terminal.hashes[0]]
        await until(lambda: said(caplog, "choose another address with --mqtt"))
        taken.close()
        await taken.wait_closed()
        assert (await platform.broker())[1] == port


async def said(caplog, text):
    return text in caplog.text


async def test_the_raw_publisher_of_the_bench_waits_for_every_receipt(run_platform, terminal):
    brokers.require("nats")
    terminal.fill(200)
    async with run_platform(terminal, mqtt=EMBEDDED) as platform:
        host, port = await platform.broker()
        password = password_of(platform.layout.mqtt, terminal.id)
        batches = [terminal.batch(first, first + 9) for first in range(1, 200, 10)]
        login_of_raw = Login(host, port, terminal.id, password, terminal.site, terminal.id)
        async with login(platform, (host, port), terminal):
            assert await publish(batches, login_of_raw) > 0
        assert await platform.greet(terminal) == [200, terminal.hashes[200]]
        with pytest.raises(ConnectionError):
            await publish(batches, dataclasses.replace(login_of_raw, password="wrong"))
