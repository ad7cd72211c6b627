"""Records, chain and heads are byte for byte those of the vectors; what is drafted fits the CDDL."""

import contextlib
import hashlib
from pathlib import Path

import cbor2
import pycddl
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.decision import Answer, Decision, ReplayClaim
from agent.core.revocation import parse_revoked
from agent.core.scan import Scan
from agent.core.steps import Policy
from agent.core.time_interval import Interval, Stamp
from agent.core.transaction import (
    Draft,
    Kind,
    Sealed,
    draft_data_key,
    draft_decision,
    empty_chain,
    encode,
    extend,
    link,
    record_of,
    seal,
    sign_head,
)
from agent.core.trust_list import Trust, TrustedKey, TrustList
from agent.core.verdict import Claims, CodeType, Outcome, Verdict

NOW_S = 1_800_000_000
PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol"
BOOT = hashlib.sha256(b"an invented boot").digest()[:16]
X25519_SPKI = bytes.fromhex("302a300506032b656e032100") + bytes(range(32))


class VectorKey:
    """The terminal key of the vectors, from its label."""

    def __init__(self, label: str, key_id: bytes) -> None:
        seed = hashlib.sha256(b"scanward test vector key: " + label.encode()).digest()
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        self.key_id = key_id

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class VectorDataKey:
    """The data key of the vectors, with the wrap the vectors carry."""

    def __init__(self, key: bytes, epoch: bytes, wraps: tuple[tuple[bytes, bytes], ...]) -> None:
        self._aead = AESGCM(key)
        self.epoch = epoch
        self.wraps = wraps

    def seal(self, nonce: bytes, plaintext: bytes, additional: bytes) -> bytes:
        return self._aead.encrypt(nonce, plaintext, additional)


def stamp(raw_ms: int) -> Stamp:
    return Stamp(BOOT, raw_ms, Interval(NOW_S * 1000 + raw_ms, NOW_S * 1000 + raw_ms + 4000), "os")


def trust_of(*keys: TrustedKey, issued_at_s: int = NOW_S - 58) -> Trust:
    return Trust(
        TrustList(17, issued_at_s, tuple(keys)),
        Policy("scanward-policy-1", 1),
        parse_revoked(b""),
        None,
    )


def seal_key(
    key_id: bytes, *, spki: bytes = X25519_SPKI, not_after_s: int = NOW_S + 9, usage: str = "seal"
) -> TrustedKey:
    return TrustedKey("platform", "4420", key_id, "X25519", frozenset({usage}), 0, not_after_s, spki, None)


def test_the_records_of_the_vectors_are_reproduced_byte_for_byte(vectors):
    expected = vectors("records")
    signer = VectorKey(expected["terminal"]["private_label"], bytes.fromhex(expected["terminal"]["kid"]))
    payloads = [cbor2.loads(bytes.fromhex(record["payload"])) for record in expected["records"]]
    data_key = VectorDataKey(
        bytes.fromhex(expected["data_key"]),
        bytes.fromhex(expected["key_epoch"]),
        tuple((key_id, wrapped) for key_id, wrapped in payloads[0][9]),
    )
    accepted = Verdict(
        "ehc",
        Outcome.VERIFIED,
        "ok",
        Claims(CodeType.DYNAMIC, "4420", replay_id=payloads[1][18], card=hashlib.sha256(b"an invented card").digest()),
    )
    refused = Verdict("ehc", Outcome.REFUSED, "signature.invalid", unchecked=("revocation",))
    scans = [Scan(b"", "cashier", stamp(2000)), Scan(b"", "cashier", stamp(3000))]
    # ages 60 and 61 of the vectors: the list was issued 58 s before the vectors' epoch
    trust = trust_of(seal_key(payloads[0][9][0][0]))
    drafts = [
        draft_data_key(stamp(1000), data_key),
        draft_decision(
            scans[0], Decision(Answer.ACCEPT, "ok", "payment", accepted, ReplayClaim(payloads[1][18], 1)), trust
        ),
        draft_decision(scans[1], Decision(Answer.REFUSE, "signature.invalid", "payment", refused), trust),
    ]
    assert drafts[1].sealed_fields == bytes.fromhex(expected["sealed_fields_of_2"])
    chain = empty_chain("kiosk-1", bytes.fromhex(expected["ledger_id"]))
    assert chain.hash == bytes.fromhex(expected["h0"])
    for record, draft, payload in zip(expected["records"], drafts, payloads, strict=True):
        sealed = seal(draft, chain, data_key, payload[8][0]) if 8 in payload else None
        envelope, chain = extend(chain, draft, sealed, signer)
        assert envelope.hex() == record["envelope"]
        assert record_of(envelope) == payload
        assert (chain.seq, chain.hash.hex()) == (record["seq"], record["hash"])
    assert sign_head(chain, signer).hex() == vectors("batch")["head"]


def test_the_signed_head_of_an_empty_ledger_is_that_of_the_vectors(vectors):
    expected = vectors("records")
    signer = VectorKey(expected["terminal"]["private_label"], bytes.fromhex(expected["terminal"]["kid"]))
    chain = empty_chain("kiosk-1", bytes.fromhex(expected["ledger_id"]))
    assert sign_head(chain, signer).hex() == vectors("hello")["empty_head"]


REASONS = st.from_regex(r"[a-z0-9.-]{1,64}", fullmatch=True)
CLAIMS = st.builds(
    Claims,
    type=st.none() | st.sampled_from(CodeType),
    issuer=st.none() | st.text(max_size=40),
    card=st.none() | st.binary(min_size=32, max_size=32),
    token=st.none() | st.binary(max_size=80),
    text=st.none() | st.binary(max_size=3000),
)
VERDICTS = st.builds(
    Verdict,
    family=st.from_regex(r"[a-z0-9-]{1,16}", fullmatch=True),
    outcome=st.sampled_from(Outcome),
    reason=REASONS,
    claims=CLAIMS,
    unchecked=st.lists(REASONS, max_size=10).map(tuple),
)
DECISIONS = st.builds(
    Decision,
    is_provisional=st.booleans(),
    answer=st.sampled_from(Answer),
    reason=REASONS,
    step=st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True),
    verdict=VERDICTS,
    claim=st.none() | st.builds(ReplayClaim, replay_id=st.binary(min_size=16, max_size=16), keep_until_ms=st.just(1)),
)


@settings(max_examples=150, deadline=None)
@given(decision=DECISIONS, latest=st.none() | st.integers(NOW_S * 1000, 2**62))
def test_every_decision_becomes_a_record_that_fits_the_cddl(decision, latest):
    schema = pycddl.Schema(
        "root = record\n" + (PROTOCOL / "cose.cddl").read_text() + (PROTOCOL / "record.cddl").read_text()
    )
    at = Stamp(BOOT, 5, Interval(NOW_S * 1000, latest), "os")
    draft = draft_decision(Scan(b"", "desk", at), decision, trust_of(seal_key(b"k" * 8)))
    key = VectorDataKey(bytes(32), b"e" * 8, ())
    chain = empty_chain("kiosk-1", b"l" * 16)
    sealed = seal(draft, chain, key, b"n" * 12)
    envelope, after = extend(chain, draft, sealed, VectorKey("terminal", b"k" * 8))
    schema.validate_cbor(cbor2.loads(envelope).value[2])
    assert cbor2.dumps(cbor2.loads(envelope), canonical=True) == envelope
    payload = cbor2.loads(envelope).value[2]
    assert cbor2.dumps(cbor2.loads(payload), canonical=True) == payload
    assert after.hash == link(chain.hash, 1, envelope)
    assert draft.provisional is decision.is_provisional


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (seal_key(b"k" * 8, not_after_s=NOW_S - 1), "expired beyond doubt"),
        (seal_key(b"k" * 8, spki=X25519_SPKI[:-1]), "not the DER of an X25519 key"),
        (seal_key(b"k" * 8, usage="receipt"), "another usage"),
    ],
)
def test_an_unusable_key_seals_nothing(key, why):
    verdict = Verdict("ehc", Outcome.VERIFIED, "ok", Claims(card=bytes(32)))
    scan = Scan(b"", "desk", stamp(0))
    draft = draft_decision(scan, Decision(Answer.ACCEPT, "ok", "payment", verdict), trust_of(key))
    assert draft.recipients == (), why


def test_recipients_are_in_the_order_of_their_ids_and_at_most_four():
    trust = trust_of(*(seal_key(bytes([n]) * 8) for n in (5, 3, 4, 1, 2)))
    scan = Scan(b"", "desk", stamp(0))
    decision = Decision(Answer.REFUSE, "policy.none", "payment", Verdict("ehc", Outcome.VERIFIED, "ok"))
    assert [r.key_id[0] for r in draft_decision(scan, decision, trust).recipients] == [1, 2, 3, 4]


def test_a_record_larger_than_the_protocol_carries_is_a_bug_and_raises():
    draft = Draft(Kind.AUDIT, stamp(0), {22: ["x" * 9000]})
    with pytest.raises(ValueError, match="at most 8192"):
        extend(empty_chain("kiosk-1", b"l" * 16), draft, None, VectorKey("terminal", b"k" * 8))


@given(st.binary(max_size=200))
def test_what_is_no_envelope_is_a_value_error(data):
    with contextlib.suppress(ValueError):
        assert isinstance(record_of(data), dict)


def test_sealed_fields_are_tied_to_ledger_number_and_kind():
    key = VectorDataKey(bytes(32), b"e" * 8, ())
    draft = Draft(Kind.DECISION, stamp(0), {}, sealed_fields=encode({1: bytes(32)}))
    sealed = seal(draft, empty_chain("kiosk-1", b"l" * 16), key, b"n" * 12)
    assert isinstance(sealed, Sealed)
    opened = AESGCM(bytes(32)).decrypt(sealed.nonce, sealed.ciphertext, encode([b"l" * 16, 1, 0]))
    assert cbor2.loads(opened) == {1: bytes(32)}
    for other in ([b"l" * 16, 2, 0], [b"m" * 16, 1, 0], [b"l" * 16, 1, 1]):
        with pytest.raises(InvalidTag):
            AESGCM(bytes(32)).decrypt(sealed.nonce, sealed.ciphertext, encode(other))
