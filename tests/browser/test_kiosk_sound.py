"""What a decision sounds like, rendered by the browser and read back as frequencies."""

from agent.core.decision import Answer

RENDER = """async (answer) => {
  const { schedule } = await import('/assets/sounds.js');
  const context = new OfflineAudioContext(1, 44100, 44100);
  schedule(context, answer, 0.5);
  const samples = (await context.startRendering()).getChannelData(0);
  const tones = [];
  const step = 882;  // 20 ms
  for (let at = 0; at + step <= samples.length; at += step) {
    let crossings = 0, loudest = 0;
    for (let i = at + 1; i < at + step; i++) {
      if (samples[i - 1] < 0 && samples[i] >= 0) crossings++;
      loudest = Math.max(loudest, Math.abs(samples[i]));
    }
    tones.push(loudest < 0.05 ? 0 : crossings * 50);
  }
  return tones;
}"""


def runs(tones: list[int]) -> list[list[int]]:
    """Split into what sounds without a pause."""
    found: list[list[int]] = [[]]
    for tone in tones:
        if tone:
            found[-1].append(tone)
        elif found[-1]:
            found.append([])
    return [run for run in found if run]


async def test_the_four_sounds_rise_stay_stand_alone_and_fall(kiosk):
    accept, provisional, ask, refuse = [
        runs(await kiosk.page.evaluate(RENDER, answer.name.lower())) for answer in Answer
    ]
    assert len(accept) == 2
    assert min(accept[1][1:-1]) > max(accept[0][1:-1])
    assert len(provisional) == 2
    assert abs(provisional[0][2] - provisional[1][2]) <= 50
    assert len(ask) == 1
    assert len(refuse) == 1
    assert refuse[0][1] > refuse[0][-2]
    assert max(refuse[0]) < min(accept[0][1:-1])


COUNT_TONES = """() => {
  window.started = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...when) { started++; return start.apply(this, when); };
}"""


async def test_a_decision_sounds_unless_the_volume_is_off(kiosk, pages):
    await kiosk.page.evaluate(COUNT_TONES)
    pages.decide(Answer.ACCEPT)
    await kiosk.shows("accept")
    await kiosk.page.wait_for_function("() => started === 2")
    await kiosk.page.click("#volume")
    await kiosk.page.wait_for_function("() => started === 3")  # how loud it is now
    await kiosk.page.click("#volume")
    assert await kiosk.page.get_attribute("#volume", "data-volume") == "0"
    pages.decide(Answer.REFUSE, "time.expired")
    await kiosk.shows("refuse")
    assert await kiosk.page.evaluate("started") == 3
