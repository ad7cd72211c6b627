"""The kiosk page in a real browser: every state, both languages, keyboard, sound, and nothing stale or personal."""

import asyncio

import pytest

from agent.core.decision import Answer
from agent.core.verdict import Outcome
from fakes.waiting import until

NAME = "欧阳雨晴"  # invented; must never be shown
VIEWS = {
    Answer.ACCEPT: ("ok", "通过", "Accepted", "验证成功，请继续。", "Your code is genuine. Please go on."),
    Answer.PROVISIONAL: (
        "family.no-offline-proof", "暂时通过", "Accepted for now",
        "此码无法离线验证，将由工作人员核对。", "This code cannot be checked without the network; staff will check it.",
    ),
    Answer.ASK: ("confirm.pharmacist", "请稍候", "Please wait", "请药师核对身份。",
                 "The pharmacist will confirm your identity."),
    Answer.REFUSE: ("replay.used", "未通过", "Not accepted", "此码已使用，请刷新后再扫。",
                    "This code was already used. Please refresh it and scan again."),
}  # fmt: skip


def decide(pages, answer, **more):
    outcome = Outcome.UNVERIFIABLE if answer is Answer.PROVISIONAL else None
    return pages.decide(answer, VIEWS[answer][0], outcome=outcome, **more)


async def test_the_waiting_page_says_what_to_do_in_both_languages(kiosk):
    assert await kiosk.text("#title") == "请出示健康码"
    assert await kiosk.text("#also") == "Please show your health code"
    assert await kiosk.text("#step") == "挂号"
    assert await kiosk.text("#terminal") == "kiosk-hall-3"
    assert len(await kiosk.text("#clock")) == 5
    assert await kiosk.page.get_attribute("html", "lang") == "zh-CN"
    assert await kiosk.page.get_attribute("#also", "lang") == "en"


@pytest.mark.parametrize("answer", VIEWS, ids=lambda a: a.name.lower())
async def test_a_decision_is_told_by_shape_title_and_one_sentence_in_both_languages(kiosk, pages, answer):
    _, title_zh, title_en, next_zh, next_en = VIEWS[answer]
    view = answer.name.lower()
    decide(pages, answer, step="payment", name="欧**")
    await kiosk.shows(view, title_zh)
    assert await kiosk.page.get_attribute("#shape", "href") == f"#shape-{view}"
    assert await kiosk.text("#sentence") == next_zh
    assert await kiosk.text("#name") == "欧**"
    assert await kiosk.text("#step") == "缴费"
    await kiosk.page.click("#language")
    await kiosk.shows(view, title_en)
    assert await kiosk.text("#sentence") == next_en
    assert await kiosk.text("#step") == "Payment"
    assert await kiosk.page.get_attribute("html", "lang") == "en"
    assert not await kiosk.page.is_visible("#choice")


async def test_no_two_answers_share_a_shape_or_a_colour(kiosk, pages):
    seen = set()
    for answer in VIEWS:
        decide(pages, answer)
        await kiosk.shows(answer.name.lower())
        colour = await kiosk.page.evaluate("getComputedStyle(document.body).backgroundColor")
        outline = await kiosk.page.evaluate(
            "document.querySelector(document.getElementById('shape').getAttribute('href')).innerHTML"
        )
        seen |= {colour, outline}
    assert len(seen) == 2 * len(VIEWS)


@pytest.mark.parametrize(("answer", "stands_ms"), [(Answer.ACCEPT, 6_000), (Answer.REFUSE, 10_000)])
async def test_the_page_goes_back_to_waiting_by_itself(kiosk, pages, answer, stands_ms):
    decide(pages, answer)
    await kiosk.shows(answer.name.lower())
    await kiosk.page.clock.fast_forward(stands_ms - 2_000)
    assert await kiosk.page.get_attribute("body", "data-view") == answer.name.lower()
    await kiosk.page.clock.fast_forward(2_500)
    await kiosk.shows("waiting", "请出示健康码")


async def test_a_new_decision_replaces_the_last_at_once_and_is_announced_again_though_equal(kiosk, pages):
    await kiosk.page.evaluate("""() => {
      window.said = [];
      new MutationObserver(() => said.push(document.getElementById('announcement').textContent))
        .observe(document.getElementById('announcement'), {childList: true});
    }""")
    decide(pages, Answer.REFUSE)
    await kiosk.shows("refuse")
    decide(pages, Answer.ACCEPT)
    await kiosk.shows("accept")
    decide(pages, Answer.ACCEPT)
    await kiosk.page.wait_for_function("() => said.length === 3")
    said = await kiosk.page.evaluate("said")
    assert said[0] == "未通过 此码已使用，请刷新后再扫。"
    assert said[1] == said[2] == "通过 验证成功，请继续。"


async def test_a_screen_reader_is_told_the_decision_as_an_alert(kiosk, pages):
    decide(pages, Answer.PROVISIONAL, name="欧**")
    await kiosk.shows("provisional")
    tree = await kiosk.page.locator("body").aria_snapshot()
    assert "- alert:" in tree
    alert = tree.partition("- alert:")[2]
    assert "暂时通过 欧** 此码无法离线验证，将由工作人员核对。" in alert
    assert '- heading "暂时通过" [level=1]' in tree
    assert await kiosk.page.get_attribute("#announcement", "aria-live") == "assertive"


@pytest.mark.parametrize("name", [NAME, f"{NAME}*", "*" * 40, "欧阳雨*", 7, None, ""])
async def test_a_name_that_is_not_masked_is_never_shown(kiosk, pages, name):
    decide(pages, Answer.ACCEPT, name=name)
    await kiosk.shows("accept")
    assert not await kiosk.page.is_visible("#name")
    assert NAME not in await kiosk.page.content()


async def test_nothing_of_an_event_but_what_is_meant_for_people_is_in_the_document(kiosk, pages):
    pages.publish("decision", {
        "seq": 9, "answer": "accept", "reason": "ok", "step": "registration", "text": {"zh": "通过", "en": "Accepted"},
        "card": "planted-card-number", "person": NAME, "code": "planted-code",
    })  # fmt: skip
    await kiosk.shows("accept")
    whole = await kiosk.page.content()
    assert "planted" not in whole
    assert NAME not in whole


async def test_text_of_an_event_is_never_markup(kiosk, pages):
    wild = "<img src=x onerror=alert(1)>"
    pages.publish("decision", {
        "seq": 9, "answer": "refuse", "reason": "made.up", "step": wild,
        "text": {"title_zh": wild, "title_en": wild, "next_zh": wild, "next_en": wild},
    })  # fmt: skip
    await kiosk.shows("refuse", wild)
    assert await kiosk.page.locator("img").count() == 0


async def test_an_answer_the_page_does_not_know_is_shown_as_a_refusal(kiosk, pages):
    pages.publish("decision", {"seq": 9, "answer": "accepted", "reason": "ok", "step": "payment", "text": {}})
    await kiosk.shows("refuse", "未通过")


async def asked(kiosk, pages) -> int:
    seq = pages.decide(Answer.ASK, "confirm.patient", step="family-doctor")
    await kiosk.shows("ask", "请确认")
    pages.request("ab12", "asking", step="family-doctor", seq=seq, expires_in_s=60)
    await kiosk.page.wait_for_function("() => !document.getElementById('yes').disabled")
    return seq


async def posted(pages, count=1) -> list:
    await until(lambda: len(pages.posted) >= count)
    return pages.posted


async def test_whose_yes_it_is_is_taken_from_the_request_where_the_reason_is_another(kiosk, pages):
    seq = pages.decide(Answer.ASK, "family.no-offline-proof", outcome=Outcome.UNVERIFIABLE, step="family-doctor")
    await kiosk.shows("ask", "请稍候")
    pages.request("ab12", "asking", step="family-doctor", seq=seq, asks="patient", expires_in_s=60)
    await kiosk.shows("ask", "请确认")
    assert await kiosk.text("#sentence") == "请您在屏幕上确认。"
    await kiosk.page.click("#yes")
    assert await posted(pages) == [("/v1/requests/ab12/confirm", {})]


async def test_the_patient_says_yes_with_the_keyboard_alone(kiosk, pages):
    await asked(kiosk, pages)
    await kiosk.page.keyboard.press("Tab")
    assert await kiosk.page.evaluate("document.activeElement.id") == "yes"
    await kiosk.page.keyboard.press("Enter")
    assert await posted(pages) == [("/v1/requests/ab12/confirm", {})]
    pages.request("ab12", "confirmed", step="family-doctor")
    await kiosk.shows("accept", "已确认")


async def test_escape_says_no_and_the_end_is_shown(kiosk, pages):
    await asked(kiosk, pages)
    await kiosk.page.keyboard.press("Escape")
    assert await posted(pages) == [("/v1/requests/ab12/cancel", {})]
    pages.request("ab12", "cancelled", step="family-doctor")
    await kiosk.shows("refuse", "已取消")


async def test_a_scanner_that_types_into_the_page_answers_nothing(kiosk, pages):
    await asked(kiosk, pages)
    await kiosk.page.keyboard.type("EHC1:6BF-AN INVENTED CODE 123456\n", delay=0)
    await kiosk.shows("ask", "请确认")
    assert pages.posted == []


async def test_a_touch_answers_and_is_sent_once(kiosk, pages):
    await asked(kiosk, pages)
    await kiosk.page.evaluate(
        "() => { document.getElementById('yes').click(); document.getElementById('yes').click(); }"
    )
    await posted(pages)
    pages.request("ab12", "confirmed", step="family-doctor")
    await kiosk.shows("accept", "已确认")
    assert len(pages.posted) == 1


async def test_a_screen_that_may_not_confirm_leaves_it_to_staff(kiosk, pages):
    kiosk.may_fail = True
    pages.refusals["/v1/requests/ab12/confirm"] = 403
    await asked(kiosk, pages)
    await kiosk.page.click("#yes")
    await kiosk.shows("ask", "请稍候")
    assert await kiosk.text("#sentence") == "工作人员将为您确认。"
    assert not await kiosk.page.is_visible("#choice")


async def test_an_answer_that_did_not_get_through_is_asked_for_again(kiosk, pages):
    kiosk.may_fail = True
    pages.refusals["/v1/requests/ab12/confirm"] = 503
    await asked(kiosk, pages)
    await kiosk.page.click("#yes")
    await kiosk.page.wait_for_function(
        "() => document.getElementById('sentence').textContent === '没有送达，请再按一次。'"
    )
    del pages.refusals["/v1/requests/ab12/confirm"]
    await kiosk.page.click("#yes")
    assert len(await posted(pages, 2)) == 2


async def test_a_question_nobody_can_take_on_this_screen_goes_to_staff(kiosk, pages):
    pages.decide(Answer.ASK, "confirm.patient", step="family-doctor")
    await kiosk.shows("ask", "请确认")
    await kiosk.page.clock.fast_forward(3_500)
    await kiosk.shows("ask", "请稍候")


async def test_a_question_ends_when_its_time_is_over(kiosk, pages):
    await asked(kiosk, pages)
    pages.request("ab12", "lapsed", step="family-doctor")
    await kiosk.shows("refuse", "已超时")


async def test_what_the_next_scan_is_for_is_shown(kiosk, pages):
    pages.status["request"] = {"request": "ab12", "step": "payment", "state": "open", "seq": None}
    await kiosk.page.wait_for_function("() => document.getElementById('step').textContent === '缴费'")


async def test_staffs_yes_is_shown_to_the_patient(kiosk, pages):
    seq = decide(pages, Answer.ASK)
    pages.request("cd34", "asking", seq=seq, expires_in_s=60)
    await kiosk.shows("ask", "请稍候")
    pages.request("other", "confirmed", seq=seq + 1)
    pages.request("cd34", "confirmed", seq=seq)
    await kiosk.shows("accept", "已确认")


@pytest.mark.parametrize(
    ("status", "title"),
    [
        ({"ready": False}, "终端准备中"),
        ({"scanners": [{"id": "window", "step": "payment", "presence": "absent"}]}, "扫码器未连接"),
    ],
)
async def test_a_terminal_that_cannot_serve_says_so_and_recovers(kiosk, pages, status, title):
    before = dict(pages.status)
    pages.status.update(status)
    await kiosk.shows("trouble", title)
    pages.status.update(before)
    await kiosk.shows("waiting")


async def test_a_full_storage_sends_the_patient_to_the_desk_until_something_is_decided(kiosk, pages):
    pages.publish("notice", {"topic": "ledger-full", "text": "storage is full: nothing can be accepted now"})
    await kiosk.shows("trouble", "暂停使用")
    decide(pages, Answer.ACCEPT)
    await kiosk.shows("accept")
    await kiosk.page.clock.fast_forward(7_000)
    await kiosk.shows("waiting")


async def test_without_a_network_the_page_works_on_and_only_a_small_mark_says_so(kiosk, pages):
    pages.status["uplink_up"] = False
    await kiosk.page.wait_for_selector("#marks li")
    assert await kiosk.text("#marks") == "网络暂断，可照常使用"
    await kiosk.shows("waiting")
    decide(pages, Answer.ACCEPT)
    await kiosk.shows("accept")


async def test_a_browser_that_is_not_linked_is_told_how(kiosk, pages):
    kiosk.may_fail = True
    pages.is_linked = False
    await kiosk.shows("trouble", "屏幕未登录")
    pages.is_linked = True
    await kiosk.shows("waiting")


async def test_the_terminal_shows_who_it_is_when_asked(kiosk, pages):
    pages.publish("notice", {"topic": "identify", "text": "identify"})
    await kiosk.shows("identify", "kiosk-hall-3")


async def test_a_card_of_several_codes_says_which_are_missing(kiosk, pages):
    pages.publish(
        "notice", {"topic": "parts", "text": "此卡共 3 个码，请继续出示第 2 个 / this card has 3 codes: show 2 too"}
    )
    await kiosk.shows("identify", "请继续扫码")


async def test_escape_takes_a_decision_away(kiosk, pages):
    decide(pages, Answer.REFUSE)
    await kiosk.shows("refuse")
    await kiosk.page.keyboard.press("Escape")
    await kiosk.shows("waiting")


async def test_the_language_is_remembered(kiosk):
    await kiosk.page.click("#language")
    await kiosk.shows("waiting", "Please show your health code")
    await kiosk.page.reload()
    await kiosk.shows("waiting", "Please show your health code")
    assert await kiosk.page.get_attribute("html", "lang") == "en"
    assert await kiosk.text("#language") == "中文"


async def test_the_volume_goes_round_with_the_keyboard_and_is_remembered(kiosk):
    await kiosk.page.focus("#volume")
    told = []
    for _ in range(4):
        told.append(await kiosk.page.get_attribute("#volume", "aria-label"))
        await kiosk.page.keyboard.press("Enter")
    assert told == ["音量: 中", "音量: 高", "音量: 关", "音量: 低"]
    await kiosk.page.keyboard.press("Enter")
    await kiosk.page.reload()
    await kiosk.ready()
    assert await kiosk.page.get_attribute("#volume", "aria-label") == "音量: 高"


async def test_the_tab_order_is_the_order_of_the_page_and_focus_is_seen(kiosk, pages):
    await asked(kiosk, pages)
    order = []
    for _ in range(5):  # round once: after the last comes the browser's own bar
        await kiosk.page.keyboard.press("Tab")
        if where := await kiosk.page.evaluate("document.activeElement.id"):
            order.append(where)
            assert await kiosk.page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 3
    assert order == ["yes", "no", "volume", "language"]


async def test_who_wants_no_movement_gets_none(open_page, pages):
    kiosk = await open_page("/", reduced_motion="reduce")
    await kiosk.ready()
    decide(pages, Answer.ACCEPT)
    await kiosk.shows("accept")
    assert await kiosk.page.evaluate("document.getAnimations().length") == 0


async def test_the_whole_page_is_at_most_100_kb(open_page, pages):
    kiosk = await open_page("/")
    session = await kiosk.page.context.new_cdp_session(kiosk.page)
    sizes = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    await kiosk.page.reload(wait_until="load")
    await kiosk.ready()
    assert len(sizes) >= 8  # document, two style sheets, five scripts at the least
    assert 10_000 < sum(sizes) <= 100_000


async def test_an_event_without_end_does_not_stop_the_page(kiosk, pages):
    pages.publish("decision", {"seq": 1, "answer": "accept", "pad": "x" * 200_000})
    async with asyncio.timeout(10):
        while await kiosk.page.get_attribute("body", "data-view") != "refuse":
            decide(pages, Answer.REFUSE)
            await asyncio.sleep(0.2)
    assert await kiosk.page.title() == "未通过 · 健康码扫码终端"
