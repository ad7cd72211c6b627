"""Whether a camera still sees."""

from agent.core.reading.frame import Frame
from agent.core.reading.stillness import STILL_MS_MAX, Seen, Stillness


def frame_of(luma: bytes, width: int = 64) -> Frame:
    return Frame(width, len(luma) // width, width, memoryview(luma))


DESK = bytes(range(250)) * 64
NIGHT = bytes([16, 17, 18, 17]) * 4_000


def noisy(luma: bytes, at: int) -> bytes:
    changed = bytearray(luma)
    for place in range(0, len(luma), 5):
        changed[place] = (changed[place] + at) % 3 + changed[place] // 3 * 3 & 255
    return bytes(changed)


def test_an_empty_desk_is_a_picture_for_ever() -> None:
    stillness = Stillness()
    for at_ms in range(0, 300_000, 1_000):
        assert stillness.judge(frame_of(noisy(DESK, at_ms // 1_000)), at_ms) is Seen.PICTURE


def test_the_very_same_picture_for_long_is_frozen_until_it_changes() -> None:
    stillness = Stillness()
    seen = [stillness.judge(frame_of(DESK), at_ms) for at_ms in range(0, STILL_MS_MAX + 2_000, 1_000)]
    assert seen == [Seen.PICTURE] * 30 + [Seen.FROZEN] * 2
    assert stillness.judge(frame_of(noisy(DESK, 1)), STILL_MS_MAX + 2_000) is Seen.PICTURE


def test_one_shade_for_long_is_empty_and_never_frozen() -> None:
    stillness = Stillness()
    seen = [stillness.judge(frame_of(NIGHT), at_ms) for at_ms in range(0, 3 * STILL_MS_MAX, 1_000)]
    assert seen == [Seen.PICTURE] * 30 + [Seen.EMPTY] * 60
    assert stillness.judge(frame_of(DESK), 3 * STILL_MS_MAX) is Seen.PICTURE
