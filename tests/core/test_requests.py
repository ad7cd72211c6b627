"""Requests as their records tell them: a table of what may follow what, and the fold that rebuilds them."""

from dataclasses import replace
from pathlib import Path

import cbor2
import pycddl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.requests import (
    ITEMS_BYTES_MAX,
    ITEMS_MAX,
    LIVE,
    Event,
    Refusal,
    Request,
    RequestRefused,
    Role,
    State,
    draft_request,
    elapsed_ms,
    fold,
    follow,
    permits,
    require_items,
    stamp_of,
)
from agent.core.time_interval import Interval, Stamp
from agent.core.transaction import empty_chain, extend, record_of
from fakes.ledger_parts import LabelSigner, draft
from fakes.neighbours import samples

NOW = Stamp(bytes(16), 1_000, Interval(1_800_000_000_000, 1_800_000_004_000), "os")
OPEN = Request(b"r" * 16, "dispensing", State.OPEN, NOW, by=Role.PROGRAM)
ASKING = replace(OPEN, state=State.ASKING, decision_seq=7, asks="pharmacist")
SCHEMA = "".join(
    (Path(__file__).parents[2] / "docs" / "protocol" / f"{name}.cddl").read_text() for name in ("cose", "record")
)


@pytest.mark.parametrize(
    ("state", "event", "after"),
    [
        (State.OPEN, Event.SCANNED, State.DONE),
        (State.OPEN, Event.CANCELLED, State.CANCELLED),
        (State.OPEN, Event.LAPSED, State.LAPSED),
        (State.OPEN, Event.CONFIRMED, Refusal.NOTHING_SCANNED),
        (State.OPEN, Event.ITEMS_ADDED, Refusal.NOTHING_SCANNED),
        (State.ASKING, Event.CONFIRMED, State.CONFIRMED),
        (State.ASKING, Event.CANCELLED, State.CANCELLED),
        (State.ASKING, Event.LAPSED, State.LAPSED),
        (State.ASKING, Event.ITEMS_ADDED, State.ASKING),
        (State.CONFIRMED, Event.CONFIRMED, State.CONFIRMED),
        (State.CONFIRMED, Event.CANCELLED, Refusal.REQUEST_OVER),
        (State.CONFIRMED, Event.LAPSED, Refusal.REQUEST_OVER),
        (State.CANCELLED, Event.CANCELLED, State.CANCELLED),
        (State.CANCELLED, Event.CONFIRMED, Refusal.REQUEST_OVER),
        (State.LAPSED, Event.CONFIRMED, Refusal.REQUEST_OVER),
        (State.LAPSED, Event.ITEMS_ADDED, Refusal.REQUEST_OVER),
        (State.DONE, Event.CONFIRMED, Refusal.NOT_ASKED),
        (State.DONE, Event.SCANNED, Refusal.NOT_ASKED),
        (State.DONE, Event.ITEMS_ADDED, State.DONE),
    ],
)
def test_what_may_follow_in_which_state(state, event, after):
    request = replace(ASKING, state=state)
    if isinstance(after, State):
        assert follow(request, event).state is after
    else:
        with pytest.raises(RequestRefused) as refused:
            follow(request, event)
        assert refused.value.why is after
        assert refused.value.about is request


def test_a_scan_that_asks_leaves_the_request_asking():
    assert follow(OPEN, Event.SCANNED, is_asking=True).state is State.ASKING


def test_one_item_twice_in_a_call_is_refused_whole():
    with pytest.raises(RequestRefused) as refused:
        follow(ASKING, Event.ITEMS_ADDED, items=["a", "b", "a"])
    assert refused.value.why is Refusal.ITEM_TWICE


def test_items_that_are_sent_again_are_there_once_and_there_is_a_limit():
    once = follow(ASKING, Event.ITEMS_ADDED, items=["a", "b"])
    assert once.items == ("a", "b")
    assert follow(once, Event.ITEMS_ADDED, items=["b"]) == once
    for items in (
        [str(n) for n in range(ITEMS_MAX + 1)],
        ["x" * 64 + str(n) for n in range(ITEMS_BYTES_MAX // 65 + 1)],
    ):
        with pytest.raises(RequestRefused) as refused:
            follow(ASKING, Event.ITEMS_ADDED, items=items)
        assert refused.value.why is Refusal.TOO_MANY_ITEMS


PATIENTS = replace(ASKING, asks="patient")


@pytest.mark.parametrize(
    ("request_", "event", "by", "may_confirm", "allowed"),
    [
        (ASKING, Event.CONFIRMED, Role.STAFF, False, True),
        (ASKING, Event.ITEMS_ADDED, Role.STAFF, False, True),
        (ASKING, Event.CONFIRMED, Role.KIOSK, True, False),
        (ASKING, Event.ITEMS_ADDED, Role.KIOSK, True, False),
        (ASKING, Event.CANCELLED, Role.KIOSK, False, False),
        (replace(ASKING, asks=None), Event.CONFIRMED, Role.KIOSK, True, False),
        (replace(OPEN, by=Role.KIOSK), Event.CANCELLED, Role.KIOSK, False, True),
        (PATIENTS, Event.CONFIRMED, Role.KIOSK, False, True),
        (PATIENTS, Event.ITEMS_ADDED, Role.KIOSK, False, False),
        (replace(OPEN, asks="patient"), Event.CONFIRMED, Role.KIOSK, False, False),
        (ASKING, Event.CONFIRMED, Role.PROGRAM, False, False),
        (ASKING, Event.CONFIRMED, Role.PROGRAM, True, True),
        (ASKING, Event.ITEMS_ADDED, Role.PROGRAM, False, False),
        (ASKING, Event.ITEMS_ADDED, Role.PROGRAM, True, True),
        (ASKING, Event.CANCELLED, Role.PROGRAM, False, True),
    ],
)
def test_who_may_do_what(request_, event, by, may_confirm, allowed):
    assert permits(request_, event, by, program_may_confirm=may_confirm) is allowed


class Written:
    """Records as a ledger would write them, in order."""

    def __init__(self) -> None:
        self.chain = empty_chain("kiosk-1", b"L" * 16)
        self.envelopes: list[bytes] = []

    def add(self, one) -> int:
        envelope, self.chain = extend(self.chain, one, None, LabelSigner())
        self.envelopes.append(envelope)
        return self.chain.seq

    def event(self, event: Event, *, seq: int | None = None, by: Role | None = Role.STAFF, items=()) -> int:
        return self.add(draft_request(NOW, OPEN, event, by=by, seq=seq, items=items))

    def decision(self, answer: int = 2) -> int:
        one = draft()
        return self.add(replace(one, body={**one.body, 11: answer}, sealed_fields=None))

    def folded(self):
        return fold(record_of(envelope) for envelope in self.envelopes)


def test_every_event_fits_the_cddl():
    written = Written()
    written.event(Event.OPENED, by=Role.KIOSK)
    written.event(Event.SCANNED, seq=1, by=None)
    written.event(Event.ITEMS_ADDED, items=["81234567890123456789"])
    written.event(Event.CONFIRMED, seq=1)
    written.event(Event.CANCELLED, by=Role.PROGRAM)
    written.event(Event.LAPSED, by=None)
    schema = pycddl.Schema(f"root = request-record\n{SCHEMA}")
    for envelope in written.envelopes:
        schema.validate_cbor(cbor2.loads(envelope).value[2])


def test_the_records_of_a_confirmed_request_fold_to_it():
    written = Written()
    written.event(Event.OPENED, by=Role.PROGRAM)
    seq = written.decision()
    written.event(Event.SCANNED, seq=seq, by=None)
    written.event(Event.ITEMS_ADDED, items=["a"])
    written.event(Event.CONFIRMED)
    requests, asked = written.folded()
    (request,) = requests.values()
    assert (request.state, request.decision_seq, request.items, request.by) == (
        State.CONFIRMED, seq, ("a",), Role.PROGRAM,
    )  # fmt: skip
    assert asked == []


@pytest.mark.parametrize(("answer", "state"), [(2, State.ASKING), (0, State.DONE)])
def test_whether_a_scanned_request_asks_is_what_the_decision_says(answer, state):
    written = Written()
    written.event(Event.OPENED)
    written.event(Event.SCANNED, seq=written.decision(answer), by=None)
    ((request,), asked) = (list(part.values()) if isinstance(part, dict) else part for part in written.folded())
    assert request.state is state
    assert asked == []


def test_a_decision_that_asked_and_has_no_request_is_told():
    written = Written()
    written.decision(0)
    seq = written.decision()
    requests, (asked,) = written.folded()
    assert requests == {}
    assert (asked.state, asked.decision_seq, asked.step) == (State.ASKING, seq, "payment")


def test_a_request_that_a_decision_opened_asks_at_once():
    written = Written()
    seq = written.decision()
    written.event(Event.OPENED, seq=seq, by=None)
    requests, asked = written.folded()
    ((request,), _) = list(requests.values()), asked
    assert (request.state, request.by, asked) == (State.ASKING, None, [])


def test_records_whose_beginning_is_not_there_and_ones_that_do_not_fit_are_passed_over():
    written = Written()
    written.event(Event.CONFIRMED)
    written.event(Event.OPENED)
    written.event(Event.CONFIRMED)
    requests, _ = written.folded()
    assert [request.state for request in requests.values()] == [State.OPEN]


@given(st.lists(st.sampled_from(list(Event)), max_size=12))
def test_whatever_the_order_a_request_that_is_over_stays_over(events):
    request = OPEN
    for event in events:
        over = None if request.state in LIVE else request.state
        try:
            request = follow(request, event, is_asking=True, items=["a"] if event is Event.ITEMS_ADDED else ())
        except RequestRefused:
            continue
        assert over in (None, request.state)


@pytest.mark.parametrize(
    ("now", "elapsed"),
    [
        (replace(NOW, raw_ms=1_250), 250),
        (replace(NOW, raw_ms=900), 0),
        (Stamp(b"b" * 16, 5, Interval(1_800_000_010_000, 1_800_000_014_000), "os"), 14_000),
        (Stamp(b"b" * 16, 5, Interval(1_800_000_010_000, None), "os"), None),
    ],
)
def test_how_long_ago_something_was(now, elapsed):
    assert elapsed_ms(NOW, now) == elapsed


def test_the_records_of_the_vectors_are_reproduced_field_by_field_and_folded(vectors):
    expected = vectors("requests")
    envelopes = [bytes.fromhex(envelope) for envelope in expected["records"].values()]
    first = record_of(envelopes[0])
    request = Request(bytes.fromhex(expected["request_id"]), "dispensing", State.ASKING, stamp_of(first))
    events = [
        draft_request(request.at, request, Event.OPENED, by=None, seq=1),
        draft_request(request.at, request, Event.ITEMS_ADDED, by=Role.STAFF, seq=1, items=record_of(envelopes[1])[22]),
        draft_request(request.at, request, Event.CONFIRMED, by=Role.STAFF, seq=1),
        draft_request(request.at, request, Event.LAPSED, by=None),
    ]
    chain, signer = empty_chain("kiosk-1", first[2]), LabelSigner()
    for event, envelope in zip(events, envelopes, strict=True):
        made, chain = extend(chain, event, None, signer)
        assert record_of(made) == record_of(envelope)
    known, _ = fold(record_of(envelope) for envelope in envelopes[:3])
    found = known[request.id]
    assert (found.state, found.decision_seq, len(found.items)) == (State.CONFIRMED, 1, 2)


@pytest.mark.parametrize("family", ["wechat-pay", "alipay", "unionpay", "insurance", "resident-id", "national"])
def test_a_patient_s_code_scanned_into_the_wrong_field_is_no_item(family):
    code = {**samples(), "national": "5E" * 32}[family]
    with pytest.raises(RequestRefused) as refused:
        require_items(ASKING, ["81000010000000000017", code])
    assert refused.value.why is Refusal.NOT_A_PACKAGE
    assert code not in str(refused.value)


def test_packages_of_every_kind_are_items():
    require_items(ASKING, ["81000010000000000017", "(01)04600439931256(21)1", "010460043993125621SCANWARD", "LOT-42"])
