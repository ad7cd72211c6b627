"""The composition root: a directory becomes a running platform, and a signal ends it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from platform_stub import keys
from platform_stub.database import Database
from platform_stub.layout import Layout
from platform_stub.national import NationalCodes
from platform_stub.online import OnlineCodes
from platform_stub.page import Page
from platform_stub.registry import Registry
from platform_stub.repository import Repository
from platform_stub.server import Server

TIMESTAMP_CHECK_EVERY_S = 3_600.0
SHUTDOWN_TIMEOUT_S = 5.0
_log = logging.getLogger(__name__)


def make_platform(directory: Path, issuer: str, now_s: int) -> None:
    """Make an empty directory a platform: keys, policy, TUF repository. Raises LayoutInvalid."""
    layout = Layout(directory)
    layout.make(issuer)
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
    issuer_delay_s: float = 0.0,
) -> None:
    """Serve until `stop` is set; call `ready` with the page's address once it answers.

    Port 0 takes a free one. Raises LayoutInvalid, KeyUnusable, DatabaseBroken, OSError (the address cannot be used).
    """
    layout = Layout(directory)
    with layout.locked("run", busy=f"another scanward-platform runs on {directory}"):
        async with running(layout, now_ms, issuer_delay_s) as app:
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
            await runner.setup()
            try:
                site = web.TCPSite(runner, host, port)
                await site.start()
                ready(_address(host, runner))
                await stop.wait()
            finally:
                await runner.cleanup()


@asynccontextmanager
async def running(
    layout: Layout, now_ms: Callable[[], int], issuer_delay_s: float = 0.0
) -> AsyncIterator[web.Application]:
    """Open the database, run the writer and the timestamp's renewal, and yield the application that needs them."""
    repository = Repository(layout)
    if keys.make_missing(layout.keys):
        repository.publish(now_ms() // 1000)
    repository.renew_timestamp(now_ms() // 1000)
    receipt_key = keys.read_ed25519(layout.keys, keys.RECEIPT_KEY)
    seal_key = keys.read_x25519(layout.keys, keys.SEAL_KEY)
    verification_key = keys.read_ed25519(layout.keys, keys.VERIFICATION_KEY)
    registry, codes = Registry(layout.terminals), NationalCodes(layout)
    layout.terminals.mkdir(exist_ok=True)
    async with Database.open(layout.database) as database, asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(database.run(), name="writer")
        renewal = tasks.create_task(_keep_fresh(repository, now_ms), name="timestamp")
        online = OnlineCodes(database, registry, codes, verification_key, now_ms, issuer_delay_s)
        server = Server(database, registry, repository, Page(database, seal_key), receipt_key, now_ms, online)
        try:
            yield server.app()
        finally:
            renewal.cancel()
            writer.cancel()


async def _keep_fresh(repository: Repository, now_ms: Callable[[], int]) -> None:
    while True:
        await asyncio.sleep(TIMESTAMP_CHECK_EVERY_S)
        if repository.renew_timestamp(now_ms() // 1000):
            _log.info("timestamp signed again")


def _address(host: str, runner: web.AppRunner) -> str:
    port = runner.addresses[0][1]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
