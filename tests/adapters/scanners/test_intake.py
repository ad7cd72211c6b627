"""What stands behind every scanner: what passes is stamped, queued and counted, and what does not is counted too."""

import pytest

from agent.adapters.scanners.intake import SCANS_QUEUED_MAX, Intake
from agent.adapters.scanners.presence import Presence
from agent.core.reading.piece import Piece
from agent.core.reading.profile import Profile
from agent.core.scan import ScanFault
from agent.ports import ScanCounts
from fakes.tty import Presences
from fakes.world import EPOCH_MS, FakeClock

pytestmark = pytest.mark.looptime


def intake_of(told: Presences | None = None, **settings: object) -> Intake:
    return Intake(Profile(id="desk", **settings), FakeClock(), told or Presences())


async def test_what_passes_is_queued_with_all_that_is_known_of_it():
    one = intake_of(charset="big5")
    assert one.take([Piece(b"A", None, "]Q2", 26), Piece(b"B", ScanFault.CUT)]) == 2
    first, second = await one.next(), await one.next()
    assert (first.data, first.aim, first.eci, first.charset, first.scanner) == (b"A", "]Q2", 26, "big5", "desk")
    assert first.at.now.earliest_ms == EPOCH_MS
    assert (second.data, second.fault) == (b"B", ScanFault.CUT)


async def test_counts_stay_over_coming_and_going():
    one = intake_of(prefix="<")
    one.be_present("here")
    assert one.take([Piece(b"<A"), Piece(b"<A"), Piece(b"B"), Piece(b"<")]) == 2
    one.be_absent("unplugged")
    one.be_present("here")
    assert one.counts == ScanCounts(scans=2, faults={"damaged": 1}, repeats=1, dropped=0)


async def test_a_flood_leaves_a_bounded_queue_and_is_counted():
    one = intake_of()
    one.take(Piece(str(number).encode()) for number in range(10_000))
    assert one.counts == ScanCounts(scans=65, faults={"flood": 1}, repeats=0, dropped=10_000 - 64)
    assert one.is_full
    assert len(one._waiting) == SCANS_QUEUED_MAX + 1


async def test_presence_is_told_once_for_each_change():
    told = Presences()
    one = intake_of(told)
    assert one.presence is None
    for why in ("gone", "gone", "no permission"):
        one.be_absent(why)
    one.be_present("here")
    one.be_absent("gone")
    absent, present = Presence.ABSENT, Presence.PRESENT
    assert [(presence, why) for _, presence, why in told.told] == [
        (absent, "gone"), (absent, "no permission"), (present, "here"), (absent, "gone"),
    ]  # fmt: skip
