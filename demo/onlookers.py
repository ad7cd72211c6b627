"""Who looks at the agent beside the driver: a kiosk and a staff page as browsers open them, and who scrapes figures.

The pages stay open, so that what the agent holds is measured as it is in service.
"""

import asyncio
import re
from contextlib import AsyncExitStack, suppress

import aiohttp

from demo.display import program
from demo.setting import Setting

LOOK_S_MAX = 10.0
CALLS = {
    "kiosk": ("/v1/status",),
    "staff": ("/v1/status", "/v1/parked", "/v1/diagnostics"),
}
_ASSET = re.compile(r'(?:src|href)="(/assets/[^"]+)"')


class Onlookers:
    """Opens both pages and keeps them open until it is closed."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._stack = AsyncExitStack()

    async def open_pages(self) -> None:
        """Open both pages: what they are made of, what they ask, and their events. Raises aiohttp.ClientError."""
        for role, calls in CALLS.items():
            client = await self._stack.enter_async_context(
                aiohttp.ClientSession(
                    cookie_jar=aiohttp.CookieJar(unsafe=True),  # sessions on an address instead of a name
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=LOOK_S_MAX),
                    raise_for_status=True,
                )
            )
            async with asyncio.timeout(LOOK_S_MAX), client.get(await self._setting.link(role)) as page:
                assets = _ASSET.findall(await page.text())
            for path in (*assets, *calls):
                async with asyncio.timeout(LOOK_S_MAX), client.get(f"{self._setting.console_url}{path}") as answer:
                    await answer.read()
            events = await self._stack.enter_async_context(client.get(f"{self._setting.console_url}/v1/events"))
            reading = asyncio.create_task(_read(events))  # noqa: TID251 - ended with the pages
            self._stack.push_async_callback(_end, reading)

    async def scrape(self) -> str:
        """Return the agent's figures, as a program that collects them gets them. Raises aiohttp.ClientError."""
        async with (
            asyncio.timeout(LOOK_S_MAX),
            aiohttp.ClientSession(headers=program(self._setting.token), raise_for_status=True) as client,
            client.get(f"{self._setting.console_url}/metrics") as answer,
        ):
            return await answer.text()

    async def aclose(self) -> None:
        """Close both pages."""
        await self._stack.aclose()


async def _read(events: aiohttp.ClientResponse) -> None:
    with suppress(aiohttp.ClientError):
        async for _ in events.content:
            pass


async def _end(reading: asyncio.Task[None]) -> None:
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading
