"""Commands are read strictly and remembered for as long as they may come again."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.commands import (
    REMEMBERED_MAX,
    TEXT_BYTES_MAX,
    Command,
    CommandInvalid,
    Memory,
    MemoryFull,
    Outcome,
    encode_answer,
    read_command,
)
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from fakes.altered import altered
from fakes.commands import NOW_MS, command, trust_with_commands
from fakes.ledger_parts import LabelSigner
from fakes.platform import payload_of, sign

NOW = Interval(NOW_MS, NOW_MS + 4_000)


@pytest.fixture(scope="module")
def trust() -> Trust:
    return trust_with_commands()


def test_a_command_is_read(trust):
    assert read_command(command("identify"), "kiosk-1", trust, NOW) == Command(
        b"c" * 16, "identify", NOW_MS, NOW_MS + 60_000
    )


def test_arguments_are_allowed_though_no_kind_has_any(trust):
    assert read_command(command("identify", f6={"volume": 3, "a": "b"}), "kiosk-1", trust, NOW).kind == "identify"


@pytest.mark.parametrize(
    "changes",
    [
        {"f1": b"short"}, {"f1": "text"}, {"f2": "kiosk-2"}, {"f3": "Identify"}, {"f3": "x" * 33}, {"f3": ""},
        {"f4": -1}, {"f5": "soon"}, {"f5": True}, {"f6": {"a": b"bytes"}}, {"f6": {"a": True}}, {"f6": {1: 2}},
        {"f6": []}, {"f7": 1},
    ],
)  # fmt: skip
def test_what_is_not_as_agreed_is_refused(trust, changes):
    with pytest.raises(CommandInvalid):
        read_command(command("identify", **changes), "kiosk-1", trust, NOW)


@pytest.mark.parametrize("aad", ["scanward-receipt-1", "scanward-answer-1", ""])
def test_what_was_signed_as_something_else_is_no_command(trust, aad):
    fields = payload_of(command("identify"))
    with pytest.raises(CommandInvalid, match="signature"):
        read_command(sign(LabelSigner("commander")._key, aad, fields), "kiosk-1", trust, NOW)


@pytest.mark.parametrize("label", ["platform receipt", "terminal", "nobody"])
def test_a_key_for_something_else_commands_nothing(trust, label):
    fields = payload_of(command("identify"))
    with pytest.raises(CommandInvalid, match="does not name"):
        read_command(sign(LabelSigner(label)._key, "scanward-command-1", fields), "kiosk-1", trust, NOW)


def test_a_command_longer_than_the_wire_allows_is_refused(trust):
    with pytest.raises(CommandInvalid, match="longer"):
        read_command(command("identify", f6={"a": "x" * 5_000}), "kiosk-1", trust, NOW)


@given(st.binary(max_size=200))
def test_garbage_never_raises_anything_else(data):
    with pytest.raises(CommandInvalid):
        read_command(data, "kiosk-1", trust_with_commands(), NOW)


ODD = st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.text(max_size=9) | st.binary(max_size=17)
ODD |= st.lists(ODD, max_size=2) | st.dictionaries(st.text(max_size=2), ODD, max_size=2) | st.just(NOW_MS)


@given(altered([payload_of(command("identify", f6={"volume": 3}))], ODD))
def test_whatever_is_signed_as_a_command_is_one_or_refused(fields):
    signed = sign(LabelSigner("commander")._key, "scanward-command-1", fields)
    try:
        read = read_command(signed, "kiosk-1", trust_with_commands(), NOW)
    except CommandInvalid:
        return
    assert (read.id, read.kind) == (fields[1], fields[3])
    assert (len(read.id), fields[2]) == (16, "kiosk-1")


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=7))
def test_any_flipped_bit_refuses(position, bit):
    signed = bytearray(command("identify"))
    signed[position % len(signed)] ^= 1 << bit
    with pytest.raises(CommandInvalid):
        read_command(bytes(signed), "kiosk-1", trust_with_commands(), NOW)


def a_command(number: int, over_ms: int = NOW_MS + 60_000) -> Command:
    return Command(number.to_bytes(16), "identify", NOW_MS, over_ms)


def test_the_memory_outlives_a_restart():
    memory = Memory()
    memory.begin(a_command(1), NOW)
    memory.end(a_command(1), Outcome.DONE, "shown")
    memory.begin(a_command(2), NOW)
    again = Memory.from_bytes(memory.to_bytes())
    assert again.find(a_command(1).id) == memory.find(a_command(1).id)
    assert again.find(a_command(2).id).outcome is None
    assert again.find(a_command(3).id) is None


def test_the_memory_is_bounded_and_forgets_only_what_is_over():
    memory = Memory()
    for number in range(REMEMBERED_MAX):
        memory.begin(a_command(number), NOW)
    with pytest.raises(MemoryFull):
        memory.begin(a_command(99), NOW)
    assert memory.find(a_command(0).id) is not None
    later = Interval(NOW_MS + 60_001, None)
    memory.begin(a_command(99, NOW_MS + 200_000), later)
    assert memory.find(a_command(0).id) is None


def test_a_clock_that_is_set_back_brings_no_forgotten_command_back():
    memory = Memory()
    for number in range(REMEMBERED_MAX):
        memory.begin(a_command(number), NOW)
    memory.begin(a_command(99, NOW_MS + 200_000), Interval(NOW_MS + 60_001, None))
    memory = Memory.from_bytes(memory.to_bytes())
    in_1970 = Interval(0, 4_000)
    assert memory.is_over(a_command(0), in_1970)
    assert not memory.is_over(a_command(100, NOW_MS + 60_001), in_1970)


def test_the_fullest_memory_is_small():
    memory = Memory()
    for number in range(REMEMBERED_MAX):
        memory.begin(a_command(number), NOW)
        memory.end(a_command(number), Outcome.DONE, "x" * 10_000)
    assert len(memory.to_bytes()) < 160_000


@pytest.mark.parametrize(
    "data", [b"", b"\xff", cbor2.dumps(1), cbor2.dumps([1, [[b"x", 1, 9, ""]]]), cbor2.dumps([1, [2]])]
)
def test_what_is_no_memory_is_said_to_be_none(data):
    with pytest.raises(ValueError, match=r"."):
        Memory.from_bytes(data)


def test_an_answer_is_cut_to_what_the_wire_carries():
    fields = payload_of(encode_answer(LabelSigner(), "kiosk-1", b"c" * 16, Outcome.FAILED, "错" * 3_000, NOW_MS))
    assert fields == {1: b"c" * 16, 2: "kiosk-1", 3: 1, 4: "错" * (TEXT_BYTES_MAX // 3), 5: NOW_MS}


def test_the_trust_list_of_these_tests_names_one_key_for_commands():
    keys = trust_with_commands().trust_list.with_usage("platform", "command")
    assert [k.key_id for k in keys] == [LabelSigner("commander").key_id]
