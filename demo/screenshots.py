"""`python -m demo.screenshots`: pictures of the kiosk page in every state, the staff page and the platform's page.

The pages are the real ones, in Chromium without a window; what happens on them is played (demo/pages.py). The
platform's page comes from a platform that a whole demonstration has delivered to, so it takes some seconds.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from contextlib import aclosing
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from agent.core.decision import Answer
from agent.core.verdict import Outcome
from demo.__main__ import make_stranger, wait_for_nobody
from demo.journal import Journal
from demo.onlookers import Onlookers
from demo.pages import PIN, ConsolePages
from demo.setting import running
from demo.stage import Stage
from demo.visit import visit
from platform_stub.issuing.issuer import Issuer

SCREENS = {"landscape": (1024, 600), "portrait": (1080, 1920), "small": (800, 480), "large": (1920, 1080)}
DRAWN_MS_MAX = 10_000
SETTLED_MS = 500  # for what moves


async def kiosk(browser: Browser, pages: ConsolePages, folder: Path, screen: str, language: str) -> int:
    """Take every state in one language on one screen; return how many."""
    width, height = SCREENS[screen]
    context = await browser.new_context(viewport={"width": width, "height": height})
    page = await context.new_page()
    await page.goto(pages.url)
    await page.wait_for_function("() => document.getElementById('terminal').textContent !== ''")
    if language == "en":
        await page.click("#language")
    taken = 0

    async def take(name: str, view: str) -> None:
        nonlocal taken
        await page.wait_for_function("(view) => document.body.dataset.view === view", arg=view, timeout=DRAWN_MS_MAX)
        await page.wait_for_timeout(SETTLED_MS)
        await page.screenshot(path=folder / f"kiosk-{name}-{language}-{screen}.png")
        taken += 1

    await take("waiting", "waiting")
    pages.decide(Answer.ACCEPT, name="李*")
    await take("accept", "accept")
    pages.decide(Answer.PROVISIONAL, "family.no-offline-proof", outcome=Outcome.UNVERIFIABLE)
    await take("provisional", "provisional")
    seq = pages.decide(Answer.ASK, "confirm.patient", step="family-doctor", name="李*")
    pages.request(f"{screen}{language}", "asking", step="family-doctor", seq=seq, expires_in_s=60)
    await take("ask", "ask")
    pages.decide(Answer.REFUSE, "policy.dynamic-required", step="payment")
    await take("refuse", "refuse")
    pages.publish("notice", {"topic": "ledger-full", "text": "storage is full"})
    await take("full", "trouble")
    await context.close()
    return taken


async def staff(browser: Browser, folder: Path) -> int:
    """Take the staff page at work in both languages."""
    pages = ConsolePages()
    await pages.start()
    try:
        return await staff_at_work(browser, pages, folder)
    finally:
        await pages.stop()


async def staff_at_work(browser: Browser, pages: ConsolePages, folder: Path) -> int:
    """Play some scans, two of which wait for a yes."""
    pages.decide(Answer.REFUSE, "signature.invalid")
    pages.decide(Answer.ACCEPT, name="赵**")
    pages.decide(Answer.REFUSE, "policy.dynamic-required", step="payment")
    pages.decide(Answer.PROVISIONAL, "family.no-offline-proof", outcome=Outcome.UNVERIFIABLE, name="孙*")
    pages.parked = [{"seq": 17, "reason": "record.malformed", "uplink": "http"}]
    pages.details = {"uplink": {"is_up": False, "waiting": 12}, "trust": {"freshness": "warn"}}
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    await page.goto(f"{pages.url}/staff")
    await page.screenshot(path=folder / "staff-sign-in-zh.png")
    await page.keyboard.type(f"{PIN}\n")
    await page.wait_for_selector("#decisions li")
    await page.wait_for_timeout(3 * SETTLED_MS)  # what comes sooner counts as what happened before
    for request, step, reason, name in (
        ("pharmacy", "dispensing", "confirm.pharmacist", "李*"), ("desk", "consultation", "confirm.clinician", "王**"),
    ):  # fmt: skip
        seq = pages.decide(Answer.ASK, reason, step=step, name=name)
        pages.request(request, "asking", step=step, seq=seq, expires_in_s=60)
    await page.wait_for_selector("#item-pharmacy")
    await page.fill("#item-pharmacy", "81000000000000000017")
    await page.press("#item-pharmacy", "Enter")
    await page.wait_for_selector("#pending .items li")
    for language in ("zh", "en"):
        await page.wait_for_timeout(SETTLED_MS)
        await page.screenshot(path=folder / f"staff-{language}.png")
        await page.click("#language")
    await page.close()
    return 3


async def platform(browser: Browser, folder: Path) -> int:
    """Take the platform's page after a demonstration."""
    with tempfile.TemporaryDirectory(prefix="scanward-screenshots-") as name:
        work = Path(name)
        async with running(work) as setting:
            async with aclosing(Onlookers(setting)) as onlookers:
                await visit(
                    Stage(
                        setting=setting, issuer=Issuer(setting.platform_folder),
                        stranger=make_stranger(work / "stranger"), journal=Journal(), say=lambda _: None,
                        onlookers=onlookers, pause=wait_for_nobody,
                    )
                )  # fmt: skip
            page: Page = await browser.new_page(viewport={"width": 1280, "height": 900})
            await page.goto(setting.platform_url)
            await page.wait_for_selector("table")
            await page.screenshot(path=folder / "platform.png")
            await page.close()
    return 1


async def take_all(folder: Path) -> int:
    """Take every picture; return how many."""
    pages = ConsolePages()
    await pages.start()
    taken = 0
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for screen in SCREENS:
                for language in ("zh", "en"):
                    taken += await kiosk(browser, pages, folder, screen, language)
            taken += await staff(browser, folder)
            taken += await platform(browser, folder)
            await browser.close()
    finally:
        await pages.stop()
    return taken


def main() -> int:
    """Write the pictures into a folder and say how many there are."""
    parser = argparse.ArgumentParser(prog="screenshots", description="Pictures of every page, from the real pages.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("screenshots"))
    folder = parser.parse_args().folder
    if shutil.which("chromium") is None:
        print("error: chromium is missing: install the Debian package chromium", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    print(f"screenshots: {asyncio.run(take_all(folder))} pictures in {folder}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
