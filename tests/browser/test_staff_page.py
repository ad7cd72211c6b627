"""The staff page in a real browser: sign-in, a yes by keyboard alone, what waits, what is wrong, and letting go."""

import asyncio
import contextlib

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Error

from agent.core.decision import Answer
from agent.core.verdict import Outcome
from demo.pages import PIN
from fakes.browser import Watched
from fakes.waiting import until

NAME = "诸葛明朗"  # invented; must never be shown


async def sign_in(staff: Watched, pin: str = PIN) -> None:
    await staff.page.keyboard.type(pin)
    await staff.page.keyboard.press("Enter")


@pytest_asyncio.fixture(loop_scope="session")
async def staff(open_page) -> Watched:
    """The staff page, signed in with the keyboard."""
    staff = await open_page("/staff")
    await staff.page.wait_for_selector("#pin")
    await sign_in(staff)
    await staff.page.wait_for_selector("#state .row")
    return staff


async def test_a_wrong_pin_is_said_and_the_right_one_lets_in(open_page):
    staff = await open_page("/staff")
    staff.may_fail = True
    await sign_in(staff, "000000")
    await staff.page.wait_for_selector("#sign-in-trouble:not(:empty)")
    assert await staff.text("#sign-in-trouble") == "PIN 不正确，请再试。"
    assert await staff.page.input_value("#pin") == ""
    assert not await staff.page.is_visible("#work")
    await sign_in(staff)
    await staff.page.wait_for_selector("#work", state="visible")
    assert await staff.text("#terminal") == "kiosk-hall-3"


async def test_the_session_is_out_of_reach_of_scripts(staff):
    assert await staff.page.evaluate("document.cookie") == ""
    stored = await staff.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    assert PIN not in stored
    assert PIN not in await staff.page.content()


async def test_a_page_loaded_anew_is_still_signed_in(staff):
    await staff.page.reload()
    await staff.page.wait_for_selector("#state .row")
    assert not await staff.page.is_visible("#sign-in")


async def test_recent_decisions_are_listed_newest_first_and_live(open_page, pages):
    pages.decide(Answer.ACCEPT, name="诸***")
    pages.decide(Answer.REFUSE, "replay.used", step="payment")
    staff = await open_page("/staff")
    await sign_in(staff)
    await staff.page.wait_for_selector("#decisions li:nth-child(2)")
    pages.decide(Answer.PROVISIONAL, "family.no-offline-proof", outcome=Outcome.UNVERIFIABLE)
    await staff.page.wait_for_selector("#decisions li:nth-child(3)")
    rows = await staff.page.locator("#decisions li").all_inner_texts()
    assert ["暂时通过" in rows[0], "未通过" in rows[1], "通过" in rows[2]] == [True] * 3
    assert "缴费 · window · 记录 2" in rows[1]
    assert "诸***" in rows[2]


async def waiting_card(staff, pages, **more) -> int:
    seq = pages.decide(Answer.ASK, "confirm.pharmacist", step="dispensing", **more)
    pages.request("ab12", "asking", seq=seq, expires_in_s=60)
    await staff.page.wait_for_selector("#pending .card")
    return seq


async def test_the_pharmacist_adds_trace_codes_and_confirms_with_the_keyboard_alone(staff, pages):
    await waiting_card(staff, pages, name="诸***")
    card = staff.page.locator("#pending .card")
    assert "取药 · 诸***" in await card.inner_text()
    assert await staff.page.inner_text("#announcement") == "有新的扫码待确认"
    for _ in range(12):
        await staff.page.keyboard.press("Tab")
        if await staff.page.evaluate("document.activeElement.id") == "item-ab12":
            break
    for code in ("81000000000000000017", "81000000000000000024"):
        await staff.page.keyboard.type(f"{code}\n")
        await card.locator(".items li", has_text=code).wait_for()
        await staff.page.wait_for_function("() => document.activeElement.id === 'item-ab12'")
    await staff.page.keyboard.press("Tab")  # the button "add"
    await staff.page.keyboard.press("Tab")
    assert await staff.page.evaluate("document.activeElement.textContent") == "确认"
    await staff.page.keyboard.press("Enter")
    await until(lambda: len(pages.posted) == 3)
    assert pages.posted == [
        ("/v1/requests/ab12/items", {"items": ["81000000000000000017"]}),
        ("/v1/requests/ab12/items", {"items": ["81000000000000000024"]}),
        ("/v1/requests/ab12/confirm", {}),
    ]
    pages.request("ab12", "confirmed")
    await card.wait_for(state="detached")


async def test_a_code_that_is_none_or_there_already_is_not_sent_and_stays_in_the_field(staff, pages):
    staff.may_fail = True
    await waiting_card(staff, pages)
    field = staff.page.locator("#item-ab12")
    trouble = staff.page.locator("#pending .trouble")
    await field.fill("码")
    await field.press("Enter")
    assert "4 至 64 位" in await trouble.inner_text()
    assert pages.posted == []
    pages.refusals["/v1/requests/ab12/items"] = 409
    await field.fill("81000000000000000017")
    await field.press("Enter")
    await trouble.get_by_text("未能完成").wait_for()
    assert await field.input_value() == "81000000000000000017"
    del pages.refusals["/v1/requests/ab12/items"]
    await field.press("Enter")
    await staff.page.wait_for_selector("#pending .items li")
    await field.fill("81000000000000000017")
    await field.press("Enter")
    assert await trouble.inner_text() == "此码已添加。"
    assert len(pages.posted) == 2


async def test_typing_is_not_lost_when_something_else_happens(staff, pages):
    seq = await waiting_card(staff, pages)
    await staff.page.fill("#item-ab12", "8100")
    pages.request("ab12", "asking", seq=seq, expires_in_s=55)
    pages.decide(Answer.ACCEPT)
    await staff.page.wait_for_selector("#decisions li:nth-child(2)")
    await staff.page.click("#language")
    assert await staff.page.input_value("#item-ab12") == "8100"


async def test_cancelling_is_posted_and_a_lapsed_request_goes(staff, pages):
    await waiting_card(staff, pages)
    await staff.page.get_by_role("button", name="取消").click()
    await until(lambda: pages.posted == [("/v1/requests/ab12/cancel", {})])
    pages.request("ab12", "cancelled")
    await staff.page.wait_for_selector("#pending-none", state="visible")
    pages.request("cd34", "open", step="payment", expires_in_s=60)
    await staff.page.wait_for_selector("#pending .card")
    assert "等待扫码" in await staff.text("#pending")
    pages.request("cd34", "lapsed", step="payment")
    await staff.page.wait_for_selector("#pending-none", state="visible")


async def test_what_waited_before_the_page_was_opened_is_there_with_its_codes(open_page, pages):
    pages.details = {"requests": [
        {"request": "ab12", "step": "dispensing", "state": "asking", "seq": 4, "expires_in_s": 40, "items": ["8100-17"]}
    ]}  # fmt: skip
    staff = await open_page("/staff")
    await sign_in(staff)
    await staff.page.wait_for_selector("#pending .items li")
    assert await staff.text("#pending .items") == "8100-17"
    pages.details = {"requests": []}
    await staff.page.wait_for_selector("#pending-none", state="visible")


async def test_rejected_records_are_listed_and_sent_again(open_page, pages):
    pages.parked = [{"seq": 17, "reason": "record.malformed", "uplink": "http"}]
    staff = await open_page("/staff")
    await sign_in(staff)
    await staff.page.wait_for_selector("#parked .row")
    assert "http · record.malformed" in await staff.text("#parked")
    await staff.page.get_by_role("button", name="重新发送: 记录 17").press("Enter")
    await staff.page.get_by_text("将重新发送", exact=True).wait_for()
    assert pages.posted == [("/v1/parked/17/retry", {})]


async def test_what_is_wrong_is_said_in_plain_words_with_what_to_do(staff, pages):
    pages.details = {
        "uplink": {"is_up": False, "waiting": 12}, "trust": {"freshness": "provisional"},
        "scanners": [{"id": "window", "step": "registration", "presence": "absent"}],
    }  # fmt: skip
    await staff.page.get_by_text("待发送记录：12").wait_for()
    said = await staff.text("#state")
    assert "检查网线和路由器" in said
    assert "已过期，只能暂时通过" in said
    assert "请检查插头" in said
    await staff.page.click("#language")
    said = await staff.text("#state")
    assert "check cable and router" in said
    assert "Check its plug" in said


async def test_a_scanner_that_comes_or_goes_is_shown_at_once_with_why_and_what_it_did_not_read(staff, pages):
    scanner = {"id": "window", "step": "registration", "presence": "present", "faults": {"keys": 2, "cut": 1}}
    pages.details = {"scanners": [scanner]}
    await staff.page.get_by_text("启动以来未读好：键盘布局不符 2, 读码中断开 1").wait_for()
    pages.details = {"scanners": [scanner | {"presence": "absent", "why": "/dev/x is not there: plug it in"}]}
    pages.publish("scanner", {"scanner": "window", "presence": "absent", "why": "/dev/x is not there: plug it in"})
    await staff.page.get_by_text("/dev/x is not there: plug it in").wait_for()
    assert "请检查插头" in await staff.text("#state")
    await staff.page.click("#language")
    assert "wrong keyboard layout 2, cut off 1" in await staff.text("#state")
    pages.details = {"scanners": [scanner]}
    pages.publish("scanner", {"scanner": "window", "presence": "present", "why": "/dev/x"})
    await staff.page.get_by_text("Connected.").wait_for()
    assert "/dev/x" not in await staff.text("#state")


async def test_an_event_of_delivery_is_shown_at_once(staff, pages):
    pages.publish("delivery", {"is_up": True, "waiting": 5})
    await staff.page.get_by_text("待发送记录：5").wait_for()


async def test_diagnostics_are_shown_as_terms(staff):
    await staff.page.click("#diagnose")
    await staff.page.wait_for_selector("#diagnostics dl dl")
    assert "head_seq" in await staff.text("#diagnostics")


async def test_signing_out_leaves_nothing_in_the_page(staff, pages):
    await waiting_card(staff, pages, name="诸***")
    await staff.page.click("#sign-out")
    await staff.page.wait_for_selector("#pin", state="visible")
    assert ("/v1/sign-out", {}) in pages.posted
    for left in ("诸***", "kiosk-hall-3", "待确认 ", "记录 1"):
        assert left not in await staff.page.inner_text("body")
    assert await staff.page.locator("#decisions li, #pending li, #state li").count() == 0


async def test_signing_out_drops_what_was_asked_and_would_be_refused(staff, pages):
    asked, signed_out, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late(route):
        asked.set()
        await signed_out.wait()
        with contextlib.suppress(Error):  # the page has hung up
            await route.fulfill(status=401, json={})
        answered.set()

    await staff.page.route("**/v1/status", late)
    await asked.wait()
    await staff.page.click("#sign-out")
    await staff.page.wait_for_selector("#pin", state="visible")
    assert ("/v1/sign-out", {}) in pages.posted
    signed_out.set()
    await answered.wait()
    await staff.page.evaluate("() => new Promise((done) => setTimeout(done, 50))")
    assert staff.complaints == []


async def test_a_session_that_ends_at_the_agent_ends_in_the_page(staff, pages):
    staff.may_fail = True
    pages.is_linked = False
    await staff.page.context.clear_cookies()
    await staff.page.wait_for_selector("#pin", state="visible")
    assert "已退出" in await staff.text("#sign-in-trouble")


async def test_an_unattended_desk_is_signed_out(open_page, pages):
    staff = await open_page("/staff", clock=True)
    staff.may_fail = True
    await staff.page.wait_for_selector("#pin")
    await sign_in(staff)
    await staff.page.wait_for_selector("#state .row")
    await staff.page.clock.fast_forward("09:00")
    assert await staff.page.is_visible("#work")
    await staff.page.clock.fast_forward("01:10")
    await staff.page.wait_for_selector("#pin", state="visible")
    assert ("/v1/sign-out", {}) in pages.posted


async def test_a_lost_agent_is_said_and_found_again(staff, pages):
    staff.may_fail = True
    await pages.stop()
    await staff.page.wait_for_selector("#link:not(:empty)")
    assert "正在重连" in await staff.text("#link")
    await pages.start()
    await staff.page.wait_for_function("() => document.getElementById('link').textContent === ''")
    pages.decide(Answer.ACCEPT)
    await staff.page.wait_for_selector("#decisions li")


async def test_nothing_personal_and_no_markup_of_an_event_gets_into_the_page(staff, pages):
    wild = "<img src=x onerror=alert(1)>"
    pages.decide(Answer.ACCEPT, name=NAME)
    pages.publish("notice", {"topic": "scanner", "text": wild})
    await staff.page.wait_for_selector("#decisions li")
    await staff.page.wait_for_selector("#notices li")
    assert NAME not in await staff.page.content()
    assert await staff.page.locator("img").count() == 0


async def test_notices_are_named_in_the_pages_language_and_only_what_needs_a_person_is_marked(staff, pages):
    pages.publish("notice", {"topic": "uplink", "text": "the platform answers"})
    pages.publish("notice", {"topic": "parked", "text": "the platform rejected record 17"})
    await staff.page.wait_for_selector("#notices li:nth-child(2)")
    lines = staff.page.locator("#notices li")
    assert [await lines.nth(n).locator("strong").inner_text() for n in (0, 1)] == ["平台拒收", "平台连接"]
    assert [await lines.nth(n).get_attribute("data-tone") for n in (0, 1)] == ["trouble", "none"]
    assert [await lines.nth(n).locator("small").get_attribute("lang") for n in (0, 1)] == ["en", "en"]


@pytest.mark.parametrize("screen", [(1280, 900), (390, 844)], ids=["desk", "phone"])
async def test_axe_finds_nothing_serious_in_either_language(open_page, pages, screen):
    staff = await open_page("/staff", viewport={"width": screen[0], "height": screen[1]})
    await staff.page.wait_for_selector("#pin")

    async def judged() -> list[str]:
        found = await Axe().run(staff.page)
        return [v["id"] for v in found.response["violations"] if v["impact"] in {"serious", "critical"}]

    assert await judged() == []
    await staff.page.focus("#pin")
    await sign_in(staff)
    await waiting_card(staff, pages)
    pages.parked = [{"seq": 17, "reason": "record.malformed"}]
    pages.publish("notice", {"topic": "parked", "text": "the platform rejected record 17"})
    await staff.page.wait_for_selector("#parked .row")
    await staff.page.click("#diagnose")
    await staff.page.wait_for_selector("#diagnostics dl")
    for _ in range(2):
        assert await judged() == []
        assert await staff.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await staff.page.click("#language")
