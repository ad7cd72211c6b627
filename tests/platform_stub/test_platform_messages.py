"""Batches, hellos and records: the vectors are read, everything else is refused with the module's own error."""

import contextlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vectors import generate

from platform_stub.wire import message, receipt, record
from platform_stub.wire.message import MessageInvalid, read_batch, read_hello
from platform_stub.wire.receipt import ContiguousHead, Result, Status, hello_answer, sign_receipt
from platform_stub.wire.record import RecordMalformed, read_record


def test_the_vectors_are_read(vectors):
    batch = read_batch(bytes.fromhex(vectors("batch")["batch"]))
    assert (batch.terminal, batch.first_seq, len(batch.envelopes), batch.head.seq) == ("kiosk-1", 1, 3, 3)
    hello = read_hello(bytes.fromhex(vectors("hello")["hello"]))
    assert (hello.site, hello.versions, hello.software, hello.receipted_seq) == ("demo", (1,), "scanward/0.1.0", 0)
    for vector in vectors("records")["records"]:
        assert read_record(bytes.fromhex(vector["envelope"])).signed.payload.hex() == vector["payload"]


def test_the_receipt_and_the_answer_are_those_of_the_vectors(vectors):
    ledger, hashes = vectors("records"), [bytes.fromhex(r["hash"]) for r in vectors("records")["records"]]
    ledger_id, batch_id = bytes.fromhex(ledger["ledger_id"]), generate.seed("batch id")[:16]
    results = [
        Result(1, hashes[0], Status.ACCEPTED, "ok"),
        Result(2, hashes[1], Status.CONFLICT, "replay.used-elsewhere"),
        Result(3, hashes[2], Status.REJECTED, "record.malformed"),
    ]
    at_ms, about = generate.NOW_S * 1000, (generate.PLATFORM, batch_id, "kiosk-1", ledger_id)
    signed = sign_receipt(*about, results, ContiguousHead(3, hashes[2]), at_ms)
    assert signed.hex() == vectors("batch")["receipt"]
    hello_id, nothing = generate.seed("hello id")[:16], ContiguousHead(0, bytes.fromhex(ledger["h0"]))
    answer = hello_answer(sign_receipt(generate.PLATFORM, hello_id, "kiosk-1", ledger_id, (), nothing, at_ms))
    assert answer.hex() == vectors("hello")["answer"]
    assert receipt.RECEIPT_AAD == "scanward-receipt-1"


READERS = [(read_batch, "batch", "batch"), (read_hello, "hello", "hello")]


@pytest.mark.parametrize(("read", "file", "name"), READERS)
@given(noise=st.binary(max_size=60), data=st.data())
def test_damaged_messages_raise_only_the_modules_own_error(vectors, read, file, name, noise, data):
    good = bytes.fromhex(vectors(file)[name])
    at = data.draw(st.integers(0, len(good)))
    for damaged in (
        noise,
        good[:at] + noise,
        good[:at] + noise + good[at:],
        good[:at] + noise + good[at + len(noise) :],
    ):
        try:
            read(damaged)
        except MessageInvalid:
            continue


WRONG = st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=40) | st.text(max_size=40)
WRONG |= st.lists(WRONG, max_size=3)


@pytest.mark.parametrize(("read", "file", "name"), READERS)
@given(number=st.integers(0, 9), value=WRONG)
def test_any_value_in_any_field_is_taken_or_refused(vectors, read, file, name, number, value):
    fields = cbor2.loads(bytes.fromhex(vectors(file)[name])) | {number: value}
    with contextlib.suppress(MessageInvalid):
        read(generate.cbor(dict(sorted(fields.items()))))


@given(noise=st.binary(max_size=60), number=st.integers(0, 25), value=WRONG, index=st.integers(0, 2))
def test_damaged_records_raise_only_the_modules_own_error(vectors, noise, number, value, index):
    vector = vectors("records")["records"][index]
    good = bytes.fromhex(vector["envelope"])
    fields = cbor2.loads(bytes.fromhex(vector["payload"])) | {number: value}
    payload = generate.cbor(dict(sorted(fields.items())))
    for damaged in (noise, good[: len(noise)] + noise, generate.cose_sign1(generate.TERMINAL, "x", payload)):
        try:
            read_record(damaged)
        except RecordMalformed:
            continue


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("no envelopes", {5: []}),
        ("201 envelopes", {5: [b"x"] * 201}),
        ("an empty envelope", {5: [b""]}),
        ("an envelope of 8,193 bytes", {5: [bytes(8193)]}),
        ("an envelope as text", {5: ["x"]}),
        ("seq 0", {4: 0}),
        ("a seq past 63 bits", {4: 2**63 - 1}),
        ("a boolean as seq", {4: True}),
        ("a ledger id of 15 bytes", {3: bytes(15)}),
        ("a terminal with capitals", {2: "KIOSK"}),
        ("a terminal with a line end", {2: "kiosk\n"}),
        ("an unknown field", {7: 0}),
        ("a head that is none", {6: b"head"}),
    ],
)
def test_a_batch_with_a_wrong_field_is_refused(vectors, name, changes):
    fields = cbor2.loads(bytes.fromhex(vectors("batch")["batch"])) | changes
    with pytest.raises(MessageInvalid):
        read_batch(generate.cbor(fields))


def test_a_batch_over_the_byte_limit_is_refused_and_one_at_the_limits_is_read(make_terminal):
    terminal = make_terminal().fill(message.ENVELOPES_MAX)
    assert len(read_batch(terminal.batch()).envelopes) == 200
    with pytest.raises(MessageInvalid, match="at most 262144 bytes"):
        read_batch(bytes(message.BATCH_BYTES_MAX + 1))
    with pytest.raises(MessageInvalid, match="at most 2048 bytes"):
        read_hello(bytes(message.HELLO_BYTES_MAX + 1))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("no step", {"f10": None}),
        ("a step with capitals", {"f10": "Payment"}),
        ("answer 4", {"f11": 4}),
        ("a boolean as answer", {"f11": False}),
        ("a reason with a space", {"f12": "not ok"}),
        ("kind 1, reserved", {"f5": 1}),
        ("kind 6 with the fields of a decision", {"f5": 6}),
        ("a key epoch without sealed fields", {"f7": bytes(8)}),
        ("sealed fields without a key epoch", {"f8": [bytes(12), bytes(17)]}),
        ("a replay id without scope", {"f18": bytes(16)}),
        ("a scope without replay id", {"f19": 0}),
        ("a replay id of 15 bytes", {"f18": bytes(15), "f19": 0}),
        ("an empty issuer", {"f17": ""}),
        ("an issuer of 33 bytes", {"f17": "号" * 11}),
        ("no unchecked reasons", {"f21": []}),
        ("201 items", {"f22": ["x"] * 201}),
        ("an unknown field", {"f24": 0}),
        ("a stamp of four", {"f6": [bytes(16), 1, 2, 3]}),
        ("a stamp with a negative time", {"f6": [bytes(16), -1, 2, 3, "os"]}),
        ("a trust version below zero", {"f20": [-1, 0]}),
    ],
)
def test_a_record_with_a_wrong_field_is_malformed(terminal, name, changes):
    with pytest.raises(RecordMalformed):
        read_record(terminal.add(**changes))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("an unbounded time", {"f6": [bytes(16), 1, 2, None, "anchor"]}),
        ("every optional field", {"f7": bytes(8), "f8": [bytes(12), bytes(17)], "f16": 0, "f17": "4420",
                                  "f18": bytes(16), "f19": 2, "f20": [17, 60], "f21": ["time"],
                                  "f22": ["81234567890123456789"]}),
    ],
)  # fmt: skip
def test_a_record_with_every_allowed_field_is_read(terminal, name, changes):
    assert read_record(terminal.add(**changes)).fields[10] == "registration"
    assert record.DECISION == 0
