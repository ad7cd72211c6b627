"""When a package is over: dates without a zone, some with two digits for the year, against an interval of time.

The law: only what is certain refuses. A date ends when it has ended everywhere on Earth; from when it may have ended
somewhere, the verdict says that it did not check.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from agent.core.codes.family import Refused
from agent.core.time_interval import Interval
from agent.core.trust_list import END_OF_TIME_S
from agent.core.verdict import Claims

YEAR_MIN = 2025  # no terminal of ours runs earlier: a clock that says so does not know the time
DAY_S = 86_400
FIRST_ZONE_S, LAST_ZONE_S = 14 * 3600, 12 * 3600  # a day ends first at UTC+14, last at UTC-12


@dataclass(frozen=True, slots=True)
class Expiry:
    """vague_s: from then on it may be over; certain_s: after it, it is over everywhere. Seconds since 1970."""

    vague_s: int
    certain_s: int

    @classmethod
    def at(cls, wall_s: int) -> "Expiry":
        """Return the expiry at an instant on the wall clock of an unknown zone, given as if it were UTC's."""
        return cls(wall_s - FIRST_ZONE_S, wall_s + LAST_ZONE_S)

    @classmethod
    def at_end_of(cls, year: int, month: int, day: int) -> "Expiry":
        """Return the expiry of what is good to the end of a day."""
        return cls.at(_midnight_s(year, month, day) + DAY_S)

    @classmethod
    def on(cls, year: int, month: int, day: int) -> "Expiry":
        """Return the expiry of what ends on a day, where nobody says whether at its beginning or its end."""
        midnight_s = _midnight_s(year, month, day)
        return cls(midnight_s - FIRST_ZONE_S, midnight_s + DAY_S + LAST_ZONE_S)


def full_year(year: int, now: Interval) -> int:
    """Return the year of two digits: 49 before to 50 after the present one (GS1 General Specifications, 7.12)."""
    present = max(YEAR_MIN, datetime.fromtimestamp(min(now.earliest_ms // 1000, END_OF_TIME_S), UTC).year)
    century, rest = present - present % 100, present % 100
    if year - rest >= 51:
        return century - 100 + year
    return century + (100 if year - rest <= -50 else 0) + year


def require_not_expired(expiry: Expiry | None, claims: Claims, now: Interval) -> tuple[str, ...]:
    """Refuse what is certainly over; return ("time",) where it may be, else nothing. Raises Refused."""
    if expiry is None:
        return ()
    if now.earliest_ms > expiry.certain_s * 1000:
        raise Refused("time.item-expired", claims, detail="certainly past the expiry that the code states")
    return ("time",) if now.latest_ms is None or now.latest_ms > expiry.vague_s * 1000 else ()


def _midnight_s(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())
