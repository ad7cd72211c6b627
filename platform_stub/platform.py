"""The composition root: a directory becomes a running platform, and a signal ends it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from platform_stub import keys
from platform_stub.changes import Changes
from platform_stub.conversation import Conversation
from platform_stub.issuing.national import NationalCodes
from platform_stub.issuing.repository import Repository
from platform_stub.layout import Layout, LayoutInvalid
from platform_stub.mqtt.announcements import Announcements
from platform_stub.mqtt.broker import Broker, EmbeddedBroker
from platform_stub.mqtt.carrier import BrokerAddress, MqttCarrier
from platform_stub.online import OnlineCodes
from platform_stub.registry import Registry
from platform_stub.speakers import Speakers
from platform_stub.storage.databases import open_database
from platform_stub.storage.place import Server as DatabaseServer
from platform_stub.storage.place import choose_place, remember_place
from platform_stub.watch import Watch
from platform_stub.web.page import Page
from platform_stub.web.server import Server

MqttWay = EmbeddedBroker | BrokerAddress | None
TIMESTAMP_CHECK_EVERY_S = 3_600.0
SHUTDOWN_TIMEOUT_S = 5.0
_log = logging.getLogger(__name__)


def make_platform(directory: Path, issuer: str, now_s: int) -> None:
    """Make an empty directory a platform: keys, policy, TUF repository. Raises LayoutInvalid."""
    layout = Layout(directory)
    with layout.making(issuer):
        layout.make()
        Repository(layout).found(issuer, now_s)
        layout.seal(issuer, now_s)


async def serve(
    directory: Path,
    host: str,
    port: int,
    *,
    now_ms: Callable[[], int],
    stop: asyncio.Event,
    ready: Callable[[str], None],
    mqtt: MqttWay = None,
    answering: Callable[[str], None] = lambda _: None,
    place: Path | DatabaseServer | None = None,
    issuer_delay_s: float = 0.0,
) -> None:
    """Serve until `stop` is set; call `ready` with the page's address once it answers, `answering` as in `running`.

    place: where the records are, if not where the directory says; several may serve one directory on one server.
    Port 0 takes a free one. Raises LayoutInvalid, PlaceInvalid, KeyUnusable, DatabaseBroken, and
    OSError (the address cannot be used).
    """
    layout = Layout(directory)
    place = place if place is not None else choose_place(layout)
    with contextlib.ExitStack() as locks:
        is_first = _is_first(layout, place, locks)
        if not is_first and mqtt is not None:
            _log.info("another platform runs on %s and speaks MQTT; this one serves HTTP", directory)
            mqtt = None
        async with running(layout, now_ms, mqtt, answering, place, issuer_delay_s, is_first=is_first) as app:
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
            await runner.setup()
            try:
                site = web.TCPSite(runner, host, port)
                await site.start()
                ready(_address(host, runner))
                await stop.wait()
            finally:
                await runner.cleanup()


def _is_first(layout: Layout, place: Path | DatabaseServer, locks: contextlib.ExitStack) -> bool:
    """Hold the directory, and say whether nobody else does. Raises LayoutInvalid where there can be only one."""
    try:
        locks.enter_context(layout.locked("run", busy=f"another scanward-platform runs on {layout.directory}"))
    except LayoutInvalid:
        if isinstance(place, Path):
            raise
        return False
    return True


@asynccontextmanager
async def running(
    layout: Layout,
    now_ms: Callable[[], int],
    mqtt: MqttWay = None,
    answering: Callable[[str], None] = lambda _: None,
    place: Path | DatabaseServer | None = None,
    issuer_delay_s: float = 0.0,
    *,
    is_first: bool = True,
) -> AsyncIterator[web.Application]:
    """Open the database, run what runs beside the server, and yield the application that needs them.

    is_first: of the platforms on this directory; it takes commands up.
    `answering` is called with the broker's address each time terminals begin to be answered over MQTT.
    """
    repository = Repository(layout)
    repository.complete(now_ms() // 1000)
    repository.renew_timestamp(now_ms() // 1000)
    receipt_key = keys.read_ed25519(layout.keys, keys.RECEIPT_KEY)
    command_key = keys.read_ed25519(layout.keys, keys.COMMANDS_KEY).public_key()
    seal_key = keys.read_x25519(layout.keys, keys.SEAL_KEY)
    verification_key = keys.read_ed25519(layout.keys, keys.VERIFICATION_KEY)
    registry, codes = Registry(layout.terminals), NationalCodes(layout)
    layout.terminals.mkdir(exist_ok=True)
    place = place if place is not None else choose_place(layout)
    async with open_database(place) as database, asyncio.TaskGroup() as tasks:
        remember_place(layout, place)
        changes = Changes()
        broker = Broker(layout.mqtt, mqtt, registry.all) if isinstance(mqtt, EmbeddedBroker) else None
        speakers = Speakers(registry, database, changes, now_ms, broker.reload if broker is not None else _nobody)
        conversation = Conversation(database, speakers, receipt_key, changes, now_ms)
        online = OnlineCodes(database, speakers, codes, verification_key, now_ms, issuer_delay_s)
        watch = Watch(layout, database, speakers, repository, changes, now_ms, command_key, collects=is_first)
        reachable = _at_once
        works = {"writer": database.run, "timestamp": lambda: _keep_fresh(repository, now_ms), "watch": watch.run}
        if broker is not None:
            works["broker"], mqtt, reachable = broker.run, broker.address(), broker.listening
        if isinstance(mqtt, BrokerAddress):
            announcements, address = Announcements(database, repository, speakers, now_ms), mqtt
            carrier = MqttCarrier(address, conversation, announcements.all, lambda: answering(str(address)), reachable)
            watch.trusted = lambda timestamp: carrier.say(announcements.trust(timestamp))
            watch.commanded = lambda terminal, command: carrier.say(announcements.command(terminal, command))
            works["mqtt"] = carrier.run
        started = [tasks.create_task(work(), name=name) for name, work in works.items()]
        try:
            page = Page(database, seal_key, now_ms)
            yield Server(conversation, speakers, repository, page, changes, online).app()
        finally:
            for task in reversed(started):
                task.cancel()


def _nobody() -> None:
    """Tell no broker."""


async def _at_once() -> None:
    """Wait for nothing: whether another's broker can be reached, connecting tells."""


async def _keep_fresh(repository: Repository, now_ms: Callable[[], int]) -> None:
    while True:
        await asyncio.sleep(TIMESTAMP_CHECK_EVERY_S)
        if repository.renew_timestamp(now_ms() // 1000):
            _log.info("timestamp signed again")


def _address(host: str, runner: web.AppRunner) -> str:
    port = runner.addresses[0][1]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
