"""What counts as a receipt: signed for it, about what was sent, by a key that may. Everything else moves nothing."""

import dataclasses
import hashlib
import json

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.keys.verification import build_key
from agent.core.delivery import (
    ReceiptInvalid,
    Status,
    StoredRecord,
    decode_hello_answer,
    encode_batch,
    encode_hello,
    read_receipt,
    require_results_for,
)
from agent.core.revocation import parse_revoked
from agent.core.time_interval import Interval
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import Trust
from fakes.altered import altered
from fakes.ledger_parts import LabelSigner
from fakes.platform import sign

NOW = Interval(1_800_000_000_000, 1_800_000_004_000)
HASH = b"h" * 32


@pytest.fixture(scope="session")
def world(vectors):
    records, batch = vectors("records"), vectors("batch")
    return {
        "trust": Trust(
            parse_trust_list(json.dumps(vectors("ehc1")["trust_list"]).encode(), build_key), None, None, None
        ),
        "ledger_id": bytes.fromhex(records["ledger_id"]),
        "about": cbor2.loads(bytes.fromhex(batch["batch"]))[1],
        "receipt": bytes.fromhex(batch["receipt"]),
        "forged": bytes.fromhex(batch["forged_receipt"]),
        "records": [
            StoredRecord(r["seq"], bytes.fromhex(r["envelope"]), bytes.fromhex(r["hash"])) for r in records["records"]
        ],
        "key": LabelSigner("platform receipt")._key,
    }


def read(world, signed, **changes):
    asked = {"about": world["about"], "terminal": "kiosk-1", "ledger_id": world["ledger_id"]} | changes
    return read_receipt(signed, **asked, trust=world["trust"], now=changes.pop("now", NOW))


def fields(world, **changes):
    good = {1: world["about"], 2: "kiosk-1", 3: world["ledger_id"], 4: [[1, HASH, 0, "ok"]], 5: [1, HASH], 6: 7}
    return good | {int(key[1:]): value for key, value in changes.items()}


def test_the_vector_is_read(world):
    receipt = read(world, world["receipt"])
    assert [(r.seq, r.status, r.reason) for r in receipt.results] == [
        (1, Status.ACCEPTED, "ok"),
        (2, Status.CONFLICT, "replay.used-elsewhere"),
        (3, Status.REJECTED, "record.malformed"),
    ]
    assert (receipt.head_seq, receipt.head_hash) == (3, world["records"][2].hash)
    require_results_for(world["records"], receipt)


def test_the_forged_vector_is_not(world):
    with pytest.raises(ReceiptInvalid, match="does not name"):
        read(world, world["forged"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"about": b"x" * 16}, "something else"),
        ({"terminal": "kiosk-2"}, "another terminal"),
        ({"ledger_id": b"x" * 16}, "another ledger"),
    ],
)
def test_a_receipt_about_something_else_is_refused(world, changes, says):
    with pytest.raises(ReceiptInvalid, match=says):
        read(world, world["receipt"], **changes)


@pytest.mark.parametrize(
    "aad", ["scanward-head-1", "scanward-record-1", "scanward-command-1", "scanward-receipt-2", ""]
)
def test_what_was_signed_as_something_else_is_refused(world, aad):
    with pytest.raises(ReceiptInvalid, match="signature"):
        read(world, sign(world["key"], aad, fields(world)))


@pytest.mark.parametrize("label", ["issuer eddsa", "terminal", "nobody"])
def test_a_key_without_the_usage_is_refused(world, label):
    signed = sign(LabelSigner(label)._key, "scanward-receipt-1", fields(world))
    with pytest.raises(ReceiptInvalid, match="does not name"):
        read(world, signed)


@pytest.mark.parametrize("now_s", [1_700_000_000, 2_200_000_000])
def test_a_key_outside_its_validity_is_refused(world, now_s):
    with pytest.raises(ReceiptInvalid, match="does not name"):
        read_receipt(
            world["receipt"], world["about"], "kiosk-1", world["ledger_id"], world["trust"],
            Interval(now_s * 1000, now_s * 1000 + 4_000),
        )  # fmt: skip


def test_a_revoked_key_is_refused(world):
    key_id = LabelSigner("platform receipt").key_id
    revoked = parse_revoked(hashlib.sha256(b"kid" + b"platform" + b"\x00" + key_id).digest()[:8])
    trust = dataclasses.replace(world["trust"], revoked=revoked)
    with pytest.raises(ReceiptInvalid, match="does not name"):
        read_receipt(world["receipt"], world["about"], "kiosk-1", world["ledger_id"], trust, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"f4": "none"}, {"f4": [[1, HASH, 0]]}, {"f4": [[1, HASH, 4, "ok"]]}, {"f4": [[1, HASH, 0, "x" * 65]]},
        {"f4": [[1, HASH, 0, "ok", 1]]}, {"f4": [[True, HASH, 0, "ok"]]}, {"f4": [[1, HASH, True, "ok"]]},
        {"f4": [[1, HASH, 0, "ok"]] * 201}, {"f5": [1, HASH[:31]]}, {"f5": [-1, HASH]}, {"f5": [True, HASH]},
        {"f5": [2**63, HASH]}, {"f4": [[1, HASH, 0, ""]]}, {"f4": [[1, HASH, 0, "\x1b[2J"]]},
        {"f5": [1]}, {"f6": "now"}, {"f7": 1}, {"f1": 5}, {"f2": b"kiosk-1"}, {"f3": None},
    ],
)  # fmt: skip
def test_a_receipt_of_another_shape_is_refused(world, changes):
    with pytest.raises(ReceiptInvalid):
        read(world, sign(world["key"], "scanward-receipt-1", fields(world, **changes)))


@pytest.mark.parametrize("missing", range(1, 7))
def test_a_receipt_that_lacks_a_field_is_refused(world, missing):
    rest = {key: value for key, value in fields(world).items() if key != missing}
    with pytest.raises(ReceiptInvalid):
        read(world, sign(world["key"], "scanward-receipt-1", rest))


@given(data=st.data())
def test_any_flipped_bit_of_a_receipt_is_refused(world, data):
    signed = bytearray(world["receipt"])
    bit = data.draw(st.integers(0, len(signed) * 8 - 1))
    signed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ReceiptInvalid):
        read(world, bytes(signed))


@given(garbage=st.binary(max_size=400))
def test_no_bytes_raise_anything_else(world, garbage):
    with pytest.raises(ReceiptInvalid):
        read(world, garbage)
    with pytest.raises(ReceiptInvalid):
        decode_hello_answer(garbage)


ODD = st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.text(max_size=9) | st.binary(max_size=33)
ODD |= st.sampled_from([0, 1, 2, 3, HASH, "ok"]) | st.lists(ODD, max_size=4)
FIELDS = {1: b"a" * 16, 2: "kiosk-1", 3: b"l" * 16, 4: [[1, HASH, 0, "ok"], [2, HASH, 1, "ok"]], 5: [2, HASH], 6: 7}


@given(changed=altered([FIELDS], ODD))
def test_whatever_is_signed_as_a_receipt_is_one_or_refused(world, changed):
    signed = sign(world["key"], "scanward-receipt-1", changed)
    try:
        receipt = read(world, signed, about=b"a" * 16, ledger_id=b"l" * 16)
    except ReceiptInvalid:
        return
    assert [[r.seq, r.hash, r.status, r.reason] for r in receipt.results] == changed[4]
    assert [receipt.head_seq, receipt.head_hash] == changed[5]


def test_a_receipt_must_answer_for_exactly_what_was_sent(world):
    receipt, records = read(world, world["receipt"]), world["records"]
    for wrong in (records[:2], [*records, records[0]], records[::-1], []):
        with pytest.raises(ReceiptInvalid):
            require_results_for(wrong, receipt)


@pytest.mark.parametrize(
    "answer", [{1: 2, 2: b"r", 3: []}, {1: 1, 2: b"r"}, {1: 1, 2: b"r", 3: [1]}, {1: 1, 2: b"r", 3: [b"c"] * 17}]
)
def test_an_answer_to_a_hello_of_another_shape_is_refused(answer):
    with pytest.raises(ReceiptInvalid):
        decode_hello_answer(cbor2.dumps(answer, canonical=True))


def test_batch_and_hello_are_those_of_the_vectors(world, vectors):
    batch, hello = bytes.fromhex(vectors("batch")["batch"]), bytes.fromhex(vectors("hello")["hello"])
    head = bytes.fromhex(vectors("batch")["head"])
    assert encode_batch(world["about"], "kiosk-1", world["ledger_id"], world["records"], head) == batch
    hello_id = cbor2.loads(hello)[1]
    assert encode_hello(hello_id, "kiosk-1", "demo", "scanward/0.1.0", world["ledger_id"], head, 0) == hello


def test_the_answer_of_the_vectors_is_read(vectors):
    signed, commands = decode_hello_answer(bytes.fromhex(vectors("hello")["answer"]))
    assert commands == ()
    assert cbor2.loads(signed).tag == 18
