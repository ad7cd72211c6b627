"""Gathering the parts of a card: any order, one card at a time for each scanner, an end for every set."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from agent.core.codes.parts import PARTS_WAIT_MS_MAX, SETS_MAX, Parts
from agent.core.scan import Scan
from agent.core.time_interval import Stamp
from fakes.ehc_issuer import NOW
from fakes.shc_issuer import code_of, parts_of

ONE, OTHER = parts_of("eyJ" + "a" * 60, 3), parts_of("eyJ" + "b" * 60, 3)


def scan_of(text: str, raw_ms: int = 0, scanner: str = "desk") -> Scan:
    return Scan(text.encode(), scanner, Stamp(bytes(16), raw_ms, NOW, "os"))


def take(parts: Parts, text: str, raw_ms: int = 0, scanner: str = "desk"):
    return parts.take(scan_of(text, raw_ms, scanner), "payment", text)


@given(st.permutations([0, 1, 2]), st.lists(st.sampled_from([0, 1, 2]), max_size=4))
def test_a_card_is_whole_once_each_part_was_there_whatever_the_order(order: list[int], before: list[int]) -> None:
    parts, seen = Parts(), set[int]()
    for number in [*before, *order]:
        taken = take(parts, ONE[number])
        seen.add(number)
        if len(seen) == 3:
            assert sorted(taken.texts) == sorted(ONE)
            return
        assert taken.missing == tuple(n + 1 for n in range(3) if n not in seen)
        assert (taken.texts, taken.given_up) == ((), ())
    raise AssertionError("never whole")


def test_what_is_no_part_is_not_waited_for() -> None:
    parts = Parts()
    for text in (code_of("eyJ"), "shc:/1/1/56", "shc:/3/2/56", "shc:/1/2/567", "shc:/1/2/99", "shc:/1/2", "EHC1:"):
        assert take(parts, text) is None


def test_another_cards_part_gives_the_card_begun_up_and_begins_anew() -> None:
    for other in (OTHER[0], parts_of("eyJ" + "a" * 60, 2)[0]):
        parts = Parts()
        take(parts, ONE[0])
        taken = take(parts, other, 1_000)
        assert [(scan.data.decode(), step) for scan, step in taken.given_up] == [(ONE[0], "payment")]
        assert 1 not in taken.missing


def test_each_scanner_has_its_own_card() -> None:
    parts = Parts()
    for scanner, texts in (("a", ONE), ("b", OTHER)):
        take(parts, texts[0], scanner=scanner)
        take(parts, texts[1], scanner=scanner)
    assert set(take(parts, ONE[2], scanner="a").texts) == set(ONE)
    assert set(take(parts, OTHER[2], scanner="b").texts) == set(OTHER)


def test_a_card_that_is_not_shown_to_its_end_is_given_up_after_a_while_from_its_last_part() -> None:
    parts = Parts()
    take(parts, ONE[0])
    take(parts, ONE[1], 50_000)
    assert parts.overdue(50_000 + PARTS_WAIT_MS_MAX) == []
    ((scan, step),) = parts.overdue(50_001 + PARTS_WAIT_MS_MAX)
    assert (scan.data.decode(), step) == (ONE[1], "payment")
    assert parts.overdue(10**9) == []
    assert take(parts, ONE[2], 10**9).missing == (1, 2)


def test_a_late_part_begins_a_card_of_its_own() -> None:
    parts = Parts()
    take(parts, ONE[0])
    taken = take(parts, ONE[1], PARTS_WAIT_MS_MAX + 1)
    assert (taken.missing, len(taken.given_up)) == ((1, 3), 1)


def test_more_cards_at_once_than_there_is_room_for_give_the_oldest_up() -> None:
    parts = Parts()
    for number in range(SETS_MAX):
        assert take(parts, ONE[0], number, f"s{number}").given_up == ()
    ((scan, _),) = take(parts, ONE[0], 100, "one more").given_up
    assert scan.scanner == "s0"


def test_no_payload_shows_in_a_repr() -> None:
    parts = Parts()
    taken = take(parts, ONE[0])
    assert ONE[0][9:] not in repr(taken) + repr(parts._sets)
    whole = dataclasses.replace(taken, texts=tuple(ONE))
    assert ONE[0][9:] not in repr(whole)
