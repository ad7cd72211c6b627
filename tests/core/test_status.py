"""What a terminal says of itself fits the wire, whatever there is to say."""

import json

import cbor2
from hypothesis import given
from hypothesis import strategies as st
from test_protocol_vectors import schema

from agent.core.scan import ScanFault
from agent.core.status import TEXT_BYTES_MAX, State, as_text, encode_status
from fakes.ledger_parts import LabelSigner
from fakes.platform import payload_of


def test_a_status_fits_the_cddl():
    signed = encode_status(LabelSigner(), "kiosk-1", "demo", State.LOST, 7, "scanward/1", {"waiting": 3})
    assert payload_of(signed) == {1: "kiosk-1", 2: "demo", 3: 2, 4: 7, 5: "scanward/1", 6: '{"waiting":3}'}
    schema("status", "command").validate_cbor(cbor2.loads(signed).value[2])


def test_what_is_too_much_is_left_out_the_largest_first_and_named():
    said = {"terminal": "kiosk-1", "scanners": ["x" * 100] * 200, "uplink": {"waiting": 3}}
    assert json.loads(as_text(said, TEXT_BYTES_MAX)) == {
        "terminal": "kiosk-1", "uplink": {"waiting": 3}, "left_out": ["scanners"],
    }  # fmt: skip


def test_of_sixteen_scanners_with_everything_to_say_it_is_still_told_which_are_there():
    faults = {fault.value: 123_456 for fault in ScanFault}
    scanners = [
        {"id": f"{i:032}", "type": "keyboard", "step": "s" * 32, "presence": "absent", "why": "不" * 160, "scans": 9,
         "repeats": 9, "dropped": 9, "faults": faults}
        for i in range(16)
    ]  # fmt: skip
    said = json.loads(as_text({"terminal": "kiosk-1", "scanners": scanners, "trust": {"version": 7}}, TEXT_BYTES_MAX))
    assert said["trust"] == {"version": 7}
    assert said["scanners"] == [{"id": f"{i:032}", "step": "s" * 32, "presence": "absent"} for i in range(16)]
    assert said["left_out"] == ["scanners' counts and reasons"]


@given(st.dictionaries(st.text(max_size=50), st.text(max_size=3_000), max_size=40))
def test_it_never_has_more_bytes_than_allowed_and_is_always_json(said):
    text = as_text(said, 4_096)
    assert len(text.encode()) <= 4_096
    assert isinstance(json.loads(text), dict)
