"""The same pages served by the agent's own server: real console, sessions, request desk and ledger."""

import json

import pytest

from agent.core.decision import Answer, Decision
from agent.core.transaction import Transaction
from agent.core.verdict import Claims, CodeType, Outcome, Verdict
from fakes import console_parts
from fakes.browser import Watched

VERDICT = Verdict("ehc", Outcome.VERIFIED, "ok", Claims(type=CodeType.STATIC, issuer="4420", card=bytes(range(32))))


async def asked(agent, step: str, whom: str, seq: int) -> None:
    """Decide as a checkpoint does: the desk hears of it, then the screens."""
    decision = Decision(Answer.ASK, f"confirm.{whom}", step, VERDICT)
    transaction = Transaction(agent.ledger.ledger_id, seq, bytes([seq]) * 32)
    await agent.console.show("desk", decision, transaction)
    await agent.desk.decided("desk", decision, transaction)


async def enter(browser, agent, role) -> Watched:
    """Open a page by a one-time link, as `scanward console link` prints it."""
    page = await (await browser.new_context(viewport={"width": 1024, "height": 600})).new_page()
    watched = Watched(page, agent.server.address)
    await page.goto(f"{agent.server.address}/enter?key={agent.entrance.link(role)}")
    return watched


@pytest.fixture
def roles():
    from agent.core.requests import Role

    return Role


async def test_the_kiosk_page_works_on_the_agents_own_server(browser, tmp_path, roles):
    async with console_parts.served(tmp_path) as agent:
        kiosk = await enter(browser, agent, roles.KIOSK)
        await kiosk.ready()
        await kiosk.shows("waiting")
        assert await kiosk.text("#terminal") == "kiosk-1"
        decision = Decision(Answer.ACCEPT, "ok", "payment", VERDICT)
        await agent.console.show("desk", decision, Transaction(agent.ledger.ledger_id, 1, b"1" * 32))
        await kiosk.shows("accept", "通过")
        await asked(agent, "record-query", "patient", 2)
        await kiosk.shows("ask", "请确认")
        await kiosk.page.wait_for_function("() => !document.getElementById('yes').disabled")
        await kiosk.page.keyboard.press("Tab")
        await kiosk.page.keyboard.press("Enter")
        await kiosk.shows("accept", "已确认")
        assert kiosk.foreign == []
        assert kiosk.complaints == []
        await kiosk.page.context.close()


async def test_staff_sign_in_and_confirm_on_the_agents_own_server(browser, tmp_path, roles):
    async with console_parts.served(tmp_path, pin=console_parts.quick_pin()) as agent:
        kiosk = await enter(browser, agent, roles.KIOSK)
        await kiosk.ready()
        staff = Watched(await kiosk.page.context.browser.new_page(), agent.server.address)
        await staff.page.goto(f"{agent.server.address}/staff")
        await staff.page.wait_for_selector("#pin", state="visible")
        await staff.page.keyboard.type(f"{console_parts.PIN}\n")
        await staff.page.wait_for_selector("#state .row")
        await asked(agent, "dispensing", "pharmacist", 1)
        await kiosk.shows("ask", "请稍候")
        await staff.page.wait_for_selector("#pending .card")
        field = staff.page.locator("#pending input")
        await field.fill("81000000000000000017")
        await field.press("Enter")
        await staff.page.wait_for_selector("#pending .items li")
        await staff.page.get_by_role("button", name="确认").press("Enter")
        await kiosk.shows("accept", "已确认")
        await staff.page.wait_for_selector("#pending-none", state="visible")
        (request,) = agent.desk._requests.values()
        assert request.items == ("81000000000000000017",)
        assert "8100000" not in json.dumps(await kiosk.page.content())
        await staff.page.click("#sign-out")
        await staff.page.wait_for_selector("#pin", state="visible")
        assert staff.complaints == []
        assert kiosk.complaints == []
        await staff.page.context.close()
        await kiosk.page.context.close()
