"""One browser for all browser tests; for each test pages of its own, and a judgement of what they asked for."""

import shutil
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from demo.pages import ConsolePages
from fakes.browser import ARGUMENTS, Watched

Open = Callable[..., Coroutine[None, None, Watched]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run every browser test in one loop: the browser lives in it."""
    for item in items:
        if "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is missing: install the Debian package chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def pages() -> AsyncIterator[ConsolePages]:
    """What serves the pages. Whoever serves them in its place keeps to its public methods."""
    pages = ConsolePages()
    await pages.start()
    yield pages
    await pages.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, pages: ConsolePages) -> AsyncIterator[Open]:
    """Open "/" or "/staff" in a browser context of its own; keywords go to the context."""
    watched: list[Watched] = []

    async def open_(path: str, *, clock: bool = False, **context: object) -> Watched:
        page = await (await browser.new_context(**{"viewport": {"width": 1024, "height": 600}, **context})).new_page()
        one = Watched(page, pages.url)
        watched.append(one)
        if clock:
            await page.clock.install()
        await page.goto(f"{pages.url}{path}")
        return one

    yield open_
    for one in watched:
        await one.page.context.close()
    for one in watched:
        assert one.foreign == []
        assert one.complaints == []
        assert one.requests


@pytest_asyncio.fixture(loop_scope="session")
async def kiosk(open_page: Open) -> Watched:
    """The kiosk page, hearing the agent."""
    kiosk = await open_page("/", clock=True)
    await kiosk.ready()
    return kiosk
