"""From any scan to a verdict: what no family claims, what cannot be read, and that nothing raises."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.codes import FAMILIES, recognise
from agent.core.scan import Scan, ScanFault
from agent.core.time_interval import Interval, Stamp
from agent.core.verdict import Outcome
from agent.core.verification import verify
from fakes.ehc_issuer import CARD, DYNAMIC, NOW, EhcIssuer, scan_of, trust_of

AT = Stamp(bytes(16), 0, NOW, "os")
TRUST = trust_of(EhcIssuer().entry())
REASON = re.compile(r"[a-z0-9.-]{1,64}")
INTERVALS = st.tuples(st.integers(0, 2**48), st.none() | st.integers(0, 2**40)).map(
    lambda pair: Interval(pair[0], None if pair[1] is None else pair[0] + pair[1])
)
HEADS = st.sampled_from([b"", b"EHC1:", CARD.hex().encode(), CARD.hex().encode() + b":0:", b"HC1:", b"shc:/"])


@given(HEADS, st.binary(max_size=300), st.none() | st.just(TRUST), INTERVALS)
def test_every_scan_gets_a_verdict_with_a_stable_reason(head: bytes, tail: bytes, trust: object, now: Interval) -> None:
    verdict = verify(recognise(Scan(head + tail, "desk", AT)), trust, now)  # type: ignore[arg-type]
    assert REASON.fullmatch(verdict.reason)
    assert verdict.outcome is not Outcome.VERIFIED
    assert verdict.family in {family.name for family in FAMILIES} | {"unknown"}
    assert (verdict.outcome is Outcome.REFUSED) <= (verdict.claims.card is None and verdict.claims.replay_id is None)


@pytest.mark.parametrize("fault", list(ScanFault))
def test_a_faulty_scan_is_refused_for_its_fault(fault: ScanFault) -> None:
    whole = EhcIssuer().code(DYNAMIC).encode()
    verdict = verify(recognise(Scan(whole, "desk", AT, fault=fault)), TRUST, NOW)
    assert (verdict.family, verdict.outcome, verdict.reason) == ("unreadable", Outcome.REFUSED, f"scan.{fault.value}")
    assert verdict.claims.text is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"what is this", b"what is this"),
        ("二维码".encode(), "二维码".encode()),
        (b"\xff\xfe\x00binary", b"\xff\xfe\x00binary"),
        (b"x" * 1_024, b"x" * 1_024),
        (b"x" * 2_000, b"x" * 1_024),
        (b"\xe4" * 2_000, b"\xe4" * 1_024),
        (b"", None),
    ],
)
def test_an_unknown_code_is_refused_and_its_first_bytes_are_kept_as_they_were(data: bytes, text: bytes | None) -> None:
    verdict = verify(recognise(Scan(data, "desk", AT)), TRUST, NOW)
    assert (verdict.family, verdict.outcome, verdict.reason) == ("unknown", Outcome.REFUSED, "family.unknown")
    assert verdict.claims.text == text


def test_what_a_verdict_holds_of_a_person_never_shows_in_its_repr() -> None:
    national = f"{CARD.hex()}:0:{'5e' * 16}"
    for text in (EhcIssuer().code(DYNAMIC), national, "a text of nobody's business"):
        verdict = verify(recognise(scan_of(text)), TRUST, NOW)
        shown = repr(verdict).lower()
        assert verdict.reason in shown
        for secret in (CARD.hex()[:8], repr(CARD)[2:10].lower(), "5e5e", "business"):
            assert secret not in shown
