"""Whether the kiosk page can be read: sizes, contrast, nothing cut off on any screen, and what axe finds."""

import pytest
from axe_playwright_python.async_playwright import Axe

from agent.adapters.console.texts import TITLES, sentences
from agent.core.decision import Answer
from fakes.browser import Watched

SCREENS = [(800, 480), (1024, 600), (1080, 1920), (1920, 1080)]
CONTRAST_MIN = 7.0  # WCAG 2.2, 1.4.6
TITLE_VMIN_MIN = 9.0
TARGET_PX_MIN = 44  # WCAG 2.2, 2.5.5

MEASURE = """() => {
  const luminance = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[0-9.]+/g).map(Number);
    if (a !== 1) throw new Error(`${colour} is not opaque`);
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)') return colour;
    }
    throw new Error('no ground');
  };
  const seen = [...document.querySelectorAll('h1, p, time, li, button')]
    .filter((one) => !one.closest('.away') && one.getClientRects().length && one.textContent.trim());
  const size = parseFloat(getComputedStyle(document.getElementById('title')).fontSize);
  return {
    contrast: Math.min(...seen.map((one) => {
      const [low, high] = [getComputedStyle(one).color, ground(one)].map(luminance).sort((a, b) => a - b);
      return (high + 0.05) / (low + 0.05);
    })),
    count: seen.length,
    title_vmin: size / Math.min(innerWidth, innerHeight) * 100,
    targets: [...document.querySelectorAll('button')].filter((one) => one.getClientRects().length)
      .map((one) => Math.min(one.getBoundingClientRect().width, one.getBoundingClientRect().height)),
  };
}"""

CUT_OFF = """() => {
  const inside = (one, box) => {
    const it = one.getBoundingClientRect();
    return it.left >= box.left - 1 && it.right <= box.right + 1 && it.top >= box.top - 1 && it.bottom <= box.bottom + 1;
  };
  const whole = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
  const main = document.querySelector('main').getBoundingClientRect();
  const shown = (one) => one.getClientRects().length > 0 && one.textContent.trim() !== '';
  const cut = [...document.querySelectorAll('main h1, main p, main button')]
    .filter((one) => shown(one) && (!inside(one, main) || one.scrollWidth > one.clientWidth + 1));
  const out = [...document.querySelectorAll('header p, header time, header button, footer p, .shape')]
    .filter((one) => one.getClientRects().length && !inside(one, whole));
  return [...cut, ...out].map((one) => `${one.id || one.className}: ${one.textContent}`);
}"""


async def shown(kiosk, pages, state):
    """Bring the page into a state."""
    match state:
        case "waiting":
            pass
        case "trouble":
            pages.status["ready"] = False
        case "ask":
            seq = pages.decide(Answer.ASK, "confirm.patient", step="family-doctor", name="欧**")
            pages.request("ab12", "asking", seq=seq, expires_in_s=60)
        case _:
            pages.decide(Answer[state.upper()], "ok" if state == "accept" else "key.unknown", name="欧**")
    pages.status["uplink_up"] = False
    await kiosk.shows(state)
    await kiosk.page.wait_for_selector("#marks li")


STATES = ["waiting", "accept", "provisional", "ask", "refuse", "trouble"]


@pytest.mark.parametrize("state", STATES)
async def test_every_state_keeps_to_contrast_sizes_and_axe_in_both_languages(kiosk: Watched, pages, state):
    await shown(kiosk, pages, state)
    for _ in range(2):
        await kiosk.page.click("#language")
        measured = await kiosk.page.evaluate(MEASURE)
        assert measured["count"] >= 6
        assert measured["contrast"] >= CONTRAST_MIN
        assert measured["title_vmin"] >= TITLE_VMIN_MIN
        assert min(measured["targets"]) >= TARGET_PX_MIN
        found = await Axe().run(kiosk.page)
        serious = [v["id"] for v in found.response["violations"] if v["impact"] in {"serious", "critical"}]
        assert serious == []


@pytest.mark.parametrize("screen", SCREENS, ids=lambda s: f"{s[0]}x{s[1]}")
async def test_no_text_of_any_decision_is_cut_off(open_page, pages, screen):
    kiosk = await open_page("/", viewport={"width": screen[0], "height": screen[1]})
    await kiosk.ready()
    texts = sorted(sentences())
    assert len(texts) >= 20
    cut = []
    for language in ("zh", "en"):
        for number, (zh, en) in enumerate(texts):
            answer = list(TITLES)[number % len(TITLES)]
            title_zh, title_en = TITLES[answer]
            pages.publish("decision", {
                "seq": 1_000_000, "answer": answer.name.lower(), "reason": "x", "step": "family-doctor", "name": "欧**",
                "text": {"title_zh": title_zh, "title_en": title_en, "next_zh": zh, "next_en": en},
            })  # fmt: skip
            text = zh if language == "zh" else en
            await kiosk.page.wait_for_function("(t) => document.getElementById('sentence').textContent === t", arg=text)
            cut += await kiosk.page.evaluate(CUT_OFF)
        await kiosk.page.click("#language")
    assert cut == []


@pytest.mark.parametrize("screen", SCREENS, ids=lambda s: f"{s[0]}x{s[1]}")
async def test_no_question_and_no_trouble_is_cut_off(open_page, pages, screen):
    kiosk = await open_page("/", viewport={"width": screen[0], "height": screen[1]})
    await kiosk.ready()
    seq = pages.decide(Answer.ASK, "confirm.patient", step="family-doctor", name="欧**")
    pages.request("ab12", "asking", seq=seq, expires_in_s=60)
    await kiosk.shows("ask")
    for _ in range(2):
        assert await kiosk.page.evaluate(CUT_OFF) == []
        await kiosk.page.click("#language")
    pages.publish("notice", {"topic": "ledger-full", "text": ""})
    await kiosk.shows("trouble")
    for _ in range(2):
        assert await kiosk.page.evaluate(CUT_OFF) == []
        await kiosk.page.click("#language")
