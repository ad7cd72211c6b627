import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.decision import Answer
from agent.core.reading.vendors import REPLY_MS, SIGNAL_BYTES_MAX, ReplyFilter, Vendor, signals_of

NEWLAND_ON = b"~\x010000#SCNTRG1;\x03"
NEWLAND_REPLY = b"\x02\x010000#SCNTRG1\x06;\x03"


@pytest.mark.parametrize(
    ("vendor", "accepted", "refused", "trigger_on", "trigger_off"),
    [
        (Vendor.NONE, "", "", "", ""),
        (Vendor.ZEBRA_SSI, "05e6040000ff11", "05e6040006ff0b", "04e40400ff14", "04e50400ff13"),
        (Vendor.HONEYWELL, "1b372c", "1b382c1b382c", "16540d", "16550d"),
        (Vendor.DATALOGIC, "01", "4645", "54", "58"),
    ],
)
def test_each_maker_is_sent_what_its_manual_says(
    vendor: Vendor, accepted: str, refused: str, trigger_on: str, trigger_off: str
) -> None:
    signals = signals_of(vendor)
    assert signals.of(Answer.ACCEPT).hex() == accepted
    assert signals.of(Answer.PROVISIONAL) == signals.of(Answer.ACCEPT)
    assert signals.of(Answer.REFUSE).hex() == refused
    assert (signals.trigger_on.hex(), signals.trigger_off.hex()) == (trigger_on, trigger_off)


def test_newland_commands_are_in_their_frame_and_are_not_stored() -> None:
    signals = signals_of(Vendor.NEWLAND)
    for command in (signals.accepted, signals.asked, signals.refused, signals.trigger_on, signals.trigger_off):
        assert command.startswith(b"~\x010000#")
        assert command.endswith(b";\x03")
    assert signals.trigger_on == bytes.fromhex("7e013030303023534" + "34e545247313b03")


@pytest.mark.parametrize("vendor", Vendor)
def test_to_ask_never_sounds_accepted_or_refused_and_signals_are_short(vendor: Vendor) -> None:
    signals = signals_of(vendor)
    asked = signals.of(Answer.ASK)
    assert not asked or asked not in {signals.accepted, signals.refused}
    assert max(len(signals.of(answer)) for answer in Answer) <= SIGNAL_BYTES_MAX


@given(st.integers(0, len(NEWLAND_REPLY)), st.sampled_from([6, 0x15, 5]), st.binary(max_size=9))
def test_a_reply_between_scans_is_taken_out_however_it_is_cut(cut: int, said: int, behind: bytes) -> None:
    replies = ReplyFilter()
    replies.expect(NEWLAND_ON, 0)
    stream = NEWLAND_REPLY.replace(b"\x06", bytes([said])) + behind
    assert replies.take(stream[:cut], 1) + replies.take(stream[cut:], 2) == behind


@given(st.binary(max_size=40))
def test_what_is_no_reply_is_left_as_it_is(data: bytes) -> None:
    replies = ReplyFilter()
    replies.expect(NEWLAND_ON, 0)
    replies.expect(b"\x1b7,", 0)
    assert replies.take(data, 1) + replies.take(b"", 2) + replies._held == data


def test_a_reply_is_expected_once_and_not_for_long() -> None:
    replies = ReplyFilter()
    replies.expect(NEWLAND_ON, 0)
    assert replies.take(NEWLAND_REPLY + NEWLAND_REPLY, 1) == NEWLAND_REPLY
    assert replies.spoils(b"x" + NEWLAND_REPLY)
    replies.expect(NEWLAND_ON, 10)
    assert replies.take(NEWLAND_REPLY, 10 + REPLY_MS) == NEWLAND_REPLY


def test_half_a_reply_that_broke_off_is_told_once() -> None:
    replies = ReplyFilter()
    replies.expect(NEWLAND_ON, 0)
    assert replies.take(NEWLAND_REPLY[:5], 1) == b""
    assert not replies.broke_off(2)
    assert replies.broke_off(1 + REPLY_MS)
    assert not replies.broke_off(2 + REPLY_MS)
