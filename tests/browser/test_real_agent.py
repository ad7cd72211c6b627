"""The pages of a real agent process: scans over real ttys, a real ledger, a real platform that gets the records."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import cbor2
from playwright.async_api import Browser

from agent.adapters.clock import SystemRandomness
from agent.adapters.console.secret_files import hash_pin
from demo.setting import Setting, running
from demo.tty import TtyScanner
from demo.visit import flip_one_bit
from fakes.browser import Watched
from platform_stub import clock
from platform_stub.issuing.issuer import Issuer, card_of, national_static_text

WAIT_S_MAX = 30.0
PIN = "a pin that is invented"
ITEMS = ["81000000000000000017", "81000000000000000024"]
DECISION, REQUEST = 0, 1
OPENED, CONFIRMED, ITEMS_ADDED = 0, 2, 4
STAFF = 2
MORE = """\
staff_pin_file = "{pin}"

[[scanners]]
id = "counter"
type = "serial"
path = "{counter}"
step = "dispensing"
"""
# Every tone that is started, by its first pitch, in order.
HEAR = """
window.heard = [];
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (when) { window.heard.push(this.frequency.value); start.call(this, when); };
"""


@dataclass(frozen=True)
class Clinic:
    """What runs: agent, platform, three scanners; and who issues codes."""

    setting: Setting
    counter: TtyScanner
    issuer: Issuer

    def static(self, person: str) -> str:
        return self.issuer.mint_static(card_of(person), clock.now_s() - 60)

    def dynamic(self, person: str) -> str:
        return self.issuer.mint_dynamic(card_of(person), clock.now_s())

    def records(self) -> list[dict[int, object]]:
        """Return what the platform holds of the terminal, record by record."""
        with closing(sqlite3.connect(f"file:{self.setting.database}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT envelope FROM records ORDER BY seq").fetchall()
        return [cbor2.loads(cbor2.loads(row[0]).value[2]) for row in rows]

    async def open(self, browser: Browser, role: str, **context: object) -> Watched:
        """Open a page by a one-time link, in a browser context of its own."""
        page = await (await browser.new_context(**{"viewport": {"width": 1024, "height": 600}, **context})).new_page()
        await page.add_init_script(HEAR)
        watched = Watched(page, self.setting.console_url)
        await page.goto(await self.setting.link(role))
        return watched


@asynccontextmanager
async def clinic(folder: Path) -> AsyncIterator[Clinic]:
    pin = folder / "pin"
    pin.write_text(hash_pin(PIN, SystemRandomness()).line)
    pin.chmod(0o600)
    with closing(TtyScanner("counter", folder / "tty-counter")) as counter:
        async with running(folder, more_config=MORE.format(pin=pin, counter=counter.path)) as setting:
            yield Clinic(setting, counter, Issuer(setting.platform_folder))


async def until(is_so) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.05)


async def test_scans_over_ttys_are_shown_and_sounded_in_both_languages_also_when_the_agent_was_killed(
    browser, tmp_path
):
    async with clinic(tmp_path) as here:
        kiosk = await here.open(browser, "kiosk")
        await kiosk.ready()
        await kiosk.shows("waiting", "请出示健康码")
        registration, payment = here.setting.registration, here.setting.payment
        for scanner, text, view, title, step, tones in (
            (registration, here.static("a"), "accept", "通过", "挂号", [660, 990]),
            (registration, national_static_text(card_of("b")), "provisional", "暂时通过", "挂号", [620, 620]),
            (payment, here.static("a"), "refuse", "未通过", "缴费", [340]),
            (here.counter, here.static("c"), "ask", "请稍候", "取药", [740]),
            (payment, flip_one_bit(here.dynamic("d")), "refuse", "未通过", "缴费", [340]),
            (payment, here.dynamic("d"), "accept", "通过", "缴费", [660, 990]),
        ):
            scanner.type(text)
            await kiosk.shows(view, title)
            assert await kiosk.text("#step") == step
            assert await kiosk.page.evaluate("() => window.heard.splice(0)") == tones
        await kiosk.page.click("#language")
        assert await kiosk.text("#title") == "Accepted"
        assert await kiosk.text("#step") == "Payment"
        assert await kiosk.page.evaluate("() => document.documentElement.lang") == "en"

        kiosk.may_fail = True
        await here.setting.agent.kill()
        await kiosk.shows("trouble", "One moment")
        await here.setting.agent.start()
        await kiosk.shows("waiting")
        registration.type(here.static("e"))
        await kiosk.shows("accept", "Accepted")

        await here.setting.to_broker.pull()
        await here.setting.to_platform.pull()
        await kiosk.page.wait_for_function("() => document.getElementById('marks').textContent !== ''")
        assert await kiosk.text("#marks") == "No network: go on as usual"
        here.counter.type(here.dynamic("f"))
        await kiosk.shows("ask", "Please wait")
        assert await kiosk.text("#step") == "Dispensing"
        assert kiosk.foreign == []
        assert kiosk.complaints == []
        await kiosk.page.context.close()


async def test_staff_confirm_a_dispensing_with_its_drugs_and_the_platform_gets_the_records(browser, tmp_path):
    async with clinic(tmp_path) as here:
        kiosk = await here.open(browser, "kiosk")
        await kiosk.ready()
        page = await (await browser.new_context(viewport={"width": 1280, "height": 900})).new_page()
        staff = Watched(page, here.setting.console_url)
        await page.goto(f"{here.setting.console_url}/staff")
        await page.wait_for_selector("#pin", state="visible")
        await page.keyboard.type(f"{PIN}\n")
        await page.wait_for_selector("#state .row")

        here.counter.type(here.dynamic("a"))
        await kiosk.shows("ask", "请稍候")
        await page.wait_for_selector("#pending .card")
        field = page.locator("#pending input")
        for number, item in enumerate(ITEMS, 1):
            await field.fill(item)
            await field.press("Enter")  # as a hand scanner that types does
            await page.wait_for_selector(f"#pending .items li:nth-child({number})")
        await page.get_by_role("button", name="确认").press("Enter")
        await kiosk.shows("accept", "已确认")
        await page.wait_for_selector("#pending-none", state="visible")

        await until(lambda: any(one.get(25) == CONFIRMED for one in here.records()))
        (decision,) = [one for one in here.records() if one[5] == DECISION]
        requests = [one for one in here.records() if one[5] == REQUEST]
        assert (decision[10], decision[11], decision[12]) == ("dispensing", 2, "confirm.pharmacist")
        assert [one[25] for one in requests] == [OPENED, ITEMS_ADDED, ITEMS_ADDED, CONFIRMED]
        assert [item for one in requests for item in one.get(22, [])] == ITEMS
        assert {one[24] for one in requests} == {requests[0][24]}
        assert {one[26] for one in requests[-1:]} == {decision[3]}
        assert {one[27] for one in requests[1:]} == {STAFF}
        for one in (staff, kiosk):
            assert one.foreign == []
            assert one.complaints == []
            await one.page.context.close()
