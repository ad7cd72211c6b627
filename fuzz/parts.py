"""Target of the gathering of parts: scanners that read parts of cards, in any order, at any time, of any card.

A second gathering, written from its law alone, says what should come of each.
"""

from dataclasses import dataclass, field

from agent.core.codes.parts import PARTS_MAX, PARTS_WAIT_MS_MAX, SETS_MAX, Parts, join, read_part
from agent.core.scan import Scan
from agent.core.time_interval import Interval, Stamp
from fuzz.choices import Choices
from fuzz.target import Target, fail

_SCANNERS = 70  # more than SETS_MAX
_WAITS_MS = (0, 1, 50, 1_000, PARTS_WAIT_MS_MAX - 1, PARTS_WAIT_MS_MAX, PARTS_WAIT_MS_MAX + 1, 10 * PARTS_WAIT_MS_MAX)
_EVENTS_MAX = 150


def targets() -> list[Target]:
    """Return it."""
    in_order = b"".join(bytes((0, 0, 2, number, 0)) for number in range(3))
    many = b"".join(bytes((scanner, 0, 3, 0, 1)) for scanner in range(_SCANNERS))
    return [Target("parts", _gather, [in_order, many, in_order[::-1]], is_bounded=False)]


@dataclass(slots=True)
class _Set:
    total: int
    last: Scan
    texts: dict[int, str] = field(default_factory=dict)


def _gather(data: bytes) -> None:
    """Execute events of five bytes: scanner, card, total, number, how long after the one before."""
    gathered, begun, at_ms, choices = Parts(), dict[str, _Set](), 0, Choices(data)
    for _ in range(_EVENTS_MAX):
        if choices.is_empty:
            break
        scanner, card = f"scanner-{choices.byte() % _SCANNERS}", choices.byte() % 4
        total, number = choices.byte() % (PARTS_MAX + 2), choices.byte() % (PARTS_MAX + 2)
        at_ms += _WAITS_MS[choices.byte() % len(_WAITS_MS)]
        text = f"shc:/{number + 1}/{total + 1}/{card:02}{number:02}"
        scan = Scan(text.encode(), scanner, Stamp(bytes(16), at_ms, Interval(at_ms, at_ms), "os"))
        taken = gathered.take(scan, "registration", text)
        if total == 0 or total >= PARTS_MAX or number > total:
            if taken is not None:
                fail("taken, and no part of several")
            continue
        given_up = _overdue(begun, at_ms)
        found = begun.pop(scanner, None)
        if found is not None and (found.total != total + 1 or found.texts.get(number + 1, text) != text):
            given_up.append(found.last)
            found = None
        found = found or _Set(total + 1, scan)
        found.last = scan
        found.texts[number + 1] = text
        is_whole = len(found.texts) == total + 1
        if not is_whole:
            if len(begun) >= SETS_MAX:
                given_up.append(begun.pop(next(iter(begun))).last)
            begun[scanner] = found
        if taken is None or bool(taken.texts) is not is_whole or [scan for scan, _ in taken.given_up] != given_up:
            fail("other sets are whole, or given up, than by the law")
        if is_whole and join([read_part(one) for one in taken.texts]) != join(
            [read_part(one) for one in found.texts.values()]
        ):
            fail("another card than was scanned")
    at_ms += PARTS_WAIT_MS_MAX + 1
    if [scan for scan, _ in gathered.overdue(at_ms)] != _overdue(begun, at_ms) or gathered.overdue(at_ms):
        fail("a set that is never given up")


def _overdue(begun: dict[str, _Set], at_ms: int) -> list[Scan]:
    """Take out what has waited too long; return the last scan of each."""
    gone = [name for name, found in begun.items() if at_ms - found.last.at.raw_ms > PARTS_WAIT_MS_MAX]
    return [begun.pop(name).last for name in gone]
