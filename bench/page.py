"""From an event to a drawn kiosk page: real Chromium, the agent's console, the pages as they are served.

One clock, that of the server. An event is timed from before it is published until the page's own word arrives that it
is drawn: a MutationObserver sees the page change, an animation frame comes, and a task after that frame posts back. So
the figure holds the way back too, and is more than a patient waits.
"""

import asyncio
import shutil
import time
from statistics import median

from playwright.async_api import Browser, async_playwright

from agent.core.decision import Answer
from bench.line import Line
from demo.pages import ConsolePages

EVENTS = 250
WARM_UP = 20
P99_MS_MAX = 50.0
ANSWER_S_MAX = 5.0

POST_BACK = """() => {
  const tell = new MessageChannel();
  tell.port1.onmessage = () => fetch('/drawn', {method: 'POST'});
  new MutationObserver(() => requestAnimationFrame(() => tell.port2.postMessage(null)))
    .observe(document.getElementById('announcement'), {childList: true});
}"""


async def latencies_ms(browser: Browser, pages: ConsolePages, count: int = EVENTS) -> list[float]:
    """Return how long each of `count` decisions took until it stood on the screen."""
    page = await browser.new_page(viewport={"width": 1024, "height": 600})
    try:
        await page.goto(pages.url)
        await page.wait_for_function("() => document.getElementById('terminal').textContent !== ''")
        await page.evaluate(POST_BACK)
        answers = (Answer.ACCEPT, Answer.REFUSE, Answer.PROVISIONAL)
        took_ms = []
        for number in range(count + WARM_UP):
            pages.arrived.clear()
            started = time.perf_counter()
            pages.decide(answers[number % len(answers)], "ok")
            async with asyncio.timeout(ANSWER_S_MAX):
                await pages.arrived.wait()
            took_ms.append((time.perf_counter() - started) * 1000)
        return took_ms[WARM_UP:]
    finally:
        await page.close()


def p99(values: list[float]) -> float:
    """Return the value that one in a hundred exceeds."""
    return sorted(values)[int(len(values) * 0.99)]


async def measure() -> list[Line]:
    """Measure in a browser of its own."""
    pages = ConsolePages()
    await pages.start()
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            took_ms = await latencies_ms(browser, pages)
            await browser.close()
    finally:
        await pages.stop()
    return [
        Line(
            "event to kiosk page drawn, p99", p99(took_ms), P99_MS_MAX, "at most", "ms",
            f"median {median(took_ms):.1f} ms of {len(took_ms)}",
        )
    ]  # fmt: skip


def lines() -> list[Line]:
    """Measure."""
    return asyncio.run(measure())
