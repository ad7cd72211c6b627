"""What the agent shows, read as any program on the terminal would read it: server-sent events over HTTP."""

import asyncio
import json
from collections import deque
from pathlib import Path

import aiohttp

SHOW_S_MAX = 10.0


def program(token: Path) -> dict[str, str]:
    """Return the header that shows the agent's token, as any program on the terminal would."""
    return {"Authorization": f"Bearer {token.read_text().strip()}"}


class Display:
    """Listens to the agent's events and hands each decision to whoever waits for its scanner."""

    def __init__(self, events_url: str, token: Path) -> None:
        self._url = events_url
        self._token = token
        self._decisions: dict[str, deque[dict[str, object]]] = {}
        self._news = asyncio.Condition()
        self._connected = asyncio.Event()
        self.notices = list[str]()

    async def listen(self) -> None:
        """Read events for ever, over every restart of the agent."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as client:
            while True:
                try:
                    async with client.get(self._url, headers=program(self._token)) as stream:
                        stream.raise_for_status()
                        self._connected.set()
                        await self._read(stream)
                except aiohttp.ClientError:
                    pass
                self._connected.clear()
                await asyncio.sleep(0.05)

    async def _read(self, stream: aiohttp.ClientResponse) -> None:
        topic = ""
        async for raw in stream.content:
            line = raw.decode().rstrip("\r\n")
            if line.startswith("event: "):
                topic = line[7:]
            elif line.startswith("data: "):
                event = json.loads(line[6:])
                if topic == "decision":
                    self._decisions.setdefault(event["scanner"], deque()).append(event)
                elif topic == "notice":
                    self.notices.append(f"{event['topic']}: {event['text']}")
                async with self._news:
                    self._news.notify_all()

    async def connected(self) -> None:
        """Wait until events come and the scanners are read: a code typed while one is opened is refused."""
        async with asyncio.timeout(SHOW_S_MAX), aiohttp.ClientSession() as client:
            await self._connected.wait()
            while not await self._are_present(client):
                await asyncio.sleep(0.01)

    async def _are_present(self, client: aiohttp.ClientSession) -> bool:
        url = self._url.removesuffix("/events") + "/status"
        async with client.get(url, headers=program(self._token)) as answer:
            answer.raise_for_status()
            return all(one["presence"] == "present" for one in (await answer.json())["scanners"])

    async def next_decision(self, scanner: str) -> dict[str, object] | None:
        """Return the next decision shown for a scanner; None if none comes in time."""
        waiting = self._decisions.setdefault(scanner, deque())
        try:
            async with asyncio.timeout(SHOW_S_MAX), self._news:
                await self._news.wait_for(lambda: bool(waiting))
        except TimeoutError:
            return None
        return waiting.popleft()

    def take_all(self) -> list[dict[str, object]]:
        """Return every decision shown so far that nobody took, and forget them."""
        taken = self.left_over()
        self._decisions.clear()
        return taken

    def left_over(self) -> list[dict[str, object]]:
        """Return decisions that nobody waited for."""
        return [event for waiting in self._decisions.values() for event in waiting]
