"""A profile takes off what it names, and nothing else; what does not fit is a fault, never a shorter scan."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reading.piece import Piece
from agent.core.reading.profile import Profile, fit, is_aim_id
from agent.core.reading.symbologies import Symbology, kinds_of
from agent.core.scan import ScanFault

QR, DATA_MATRIX = (Symbology.QR,), (Symbology.DATA_MATRIX,)


@pytest.mark.parametrize(
    ("settings", "data", "expected"),
    [
        ({}, b"  as it is \x00\xff ", Piece(b"  as it is \x00\xff ")),
        ({}, b"", None),
        ({}, b"]Q1EHC1:A", Piece(b"]Q1EHC1:A")),  # nobody said that an AIM id is sent: it is data
        ({"prefix": "<<"}, b"<<A", Piece(b"A")),
        ({"prefix": "<<"}, b"<A", Piece(b"<A", ScanFault.DAMAGED)),
        ({"prefix": "<<"}, b"<<", None),
        ({"prefix": "<<"}, b"<<<<A", Piece(b"<<A")),
        ({"suffix": "#"}, b"A##", Piece(b"A#")),
        ({"suffix": "#"}, b"A", Piece(b"A", ScanFault.DAMAGED)),
        ({"prefix": "aba", "suffix": "aba"}, b"ababa", Piece(b"ababa", ScanFault.DAMAGED)),  # they share no byte
        ({"prefix": "aba", "suffix": "aba"}, b"abaaba", None),
        ({"prefix": "前"}, "前A".encode(), Piece(b"A")),
        ({"aim_id": True}, b"]Q1A", Piece(b"A", None, "]Q1")),
        ({"aim_id": True}, b"]Q1", None),
        ({"aim_id": True}, b"]Q", Piece(b"]Q", ScanFault.DAMAGED)),
        ({"aim_id": True}, b"Q1]A", Piece(b"Q1]A", ScanFault.DAMAGED)),
        ({"aim_id": True}, b"]\xc51A", Piece(b"]\xc51A", ScanFault.DAMAGED)),
        ({"aim_id": True, "prefix": "<"}, b"<]C1A", Piece(b"A", None, "]C1")),
        ({"aim_id": True, "prefix": "<"}, b"]C1<A", Piece(b"]C1<A", ScanFault.DAMAGED)),
        ({"gs": "~"}, b"01~10~", Piece(b"01\x1d10\x1d")),
        ({"gs": "^]"}, b"01^]10^", Piece(b"01\x1d10^")),
        ({"symbologies": QR}, b"]d1A", Piece(b"]d1A")),  # the scanner does not tell the kind
        ({"symbologies": QR, "aim_id": True}, b"]Q1A", Piece(b"A", None, "]Q1")),
        ({"symbologies": QR, "aim_id": True}, b"]d1A", Piece(b"]d1A", ScanFault.SYMBOLOGY, "]d1")),
        ({"symbologies": DATA_MATRIX, "aim_id": True}, b"]D1A", Piece(b"]D1A", ScanFault.SYMBOLOGY, "]D1")),
        ({"symbologies": QR, "aim_id": True}, b"]X0A", Piece(b"]X0A", ScanFault.SYMBOLOGY, "]X0")),
    ],
)
def test_what_the_profile_names_is_taken_off_and_nothing_else(settings, data, expected):
    assert fit(Piece(data), Profile(id="desk", **settings)) == expected


@pytest.mark.parametrize(
    ("told", "sent", "aim_id", "expected"),
    [
        ("]Q1", b"A", False, Piece(b"A", None, "]Q1")),
        ("]Q1", b"]Q1A", False, Piece(b"]Q1A", None, "]Q1")),
        ("]Q1", b"]Q1A", True, Piece(b"A", None, "]Q1")),
        ("]Q1", b"]d1A", True, Piece(b"]d1A", ScanFault.DAMAGED, "]Q1")),
        ("]Q1", b"]Q2A", True, Piece(b"A", None, "]Q2")),  # the symbol's own modifier
        ("]d2", b"A", False, Piece(b"A", ScanFault.SYMBOLOGY, "]d2")),
    ],
)
def test_a_device_that_tells_the_kind_itself_is_believed_unless_its_data_say_otherwise(told, sent, aim_id, expected):
    profile = Profile(id="desk", aim_id=aim_id, symbologies=QR)
    assert fit(Piece(sent, aim=told), profile) == expected


@pytest.mark.parametrize("fault", list(ScanFault))
def test_a_fault_passes_as_it_came(fault):
    piece = Piece(b"<half", fault, "]d1", 26)
    assert fit(piece, Profile(id="desk", prefix="<", aim_id=True, gs="~", symbologies=QR)) == piece


@given(st.binary(max_size=64), st.none() | st.integers(0, 999_999))
def test_a_profile_that_names_nothing_changes_nothing(data, eci):
    assert fit(Piece(data, None, None, eci), Profile(id="desk")) == (Piece(data, None, None, eci) if data else None)


marks = st.text(max_size=4)


@given(marks, marks, st.booleans(), st.binary(min_size=1, max_size=32))
def test_what_is_put_around_a_payload_comes_off_and_the_payload_is_whole(prefix, suffix, has_aim, payload):
    profile = Profile(id="desk", prefix=prefix, suffix=suffix, aim_id=has_aim)
    sent = prefix.encode() + (b"]Q1" if has_aim else b"") + payload + suffix.encode()
    assert fit(Piece(sent), profile) == Piece(payload, None, "]Q1" if has_aim else None)


@given(marks, marks, marks, st.booleans(), st.lists(st.sampled_from(Symbology)).map(tuple), st.binary(max_size=24))
def test_whatever_is_sent_is_whole_or_a_fault_with_all_that_was_sent(prefix, suffix, gs, has_aim, kinds, sent):
    profile = Profile(id="desk", prefix=prefix, suffix=suffix, gs=gs, aim_id=has_aim, symbologies=kinds)
    piece = fit(Piece(sent), profile)
    if piece is None:
        assert len(sent) <= len(prefix.encode()) + len(suffix.encode()) + 3 * has_aim
    elif piece.fault is not None:
        assert piece.data == sent
    else:
        whole = piece.data.replace(b"\x1d", gs.encode()) if gs and b"\x1d" not in sent else piece.data
        aim = (piece.aim or "").encode()
        if not (gs and b"\x1d" in sent):
            assert prefix.encode() + aim + whole + suffix.encode() == sent


@given(st.binary(max_size=5) | st.tuples(st.integers(0, 255), st.integers(0, 255)).map(lambda t: b"]" + bytes(t)))
def test_an_aim_id_has_the_form_of_the_standard(data):
    text = data.decode("latin-1")
    expected = len(text) == 3 and text[0] == "]" and text.isascii() and text[1].isalpha() and text[2].isalnum()
    assert is_aim_id(data) is expected


@pytest.mark.parametrize(
    ("aim", "kinds"),
    [
        ("]Q1", {"qr", "micro-qr"}), ("]Q3", {"qr", "micro-qr"}), ("]d2", {"data-matrix"}), ("]C1", {"code128"}),
        ("]E0", {"ean13", "upc"}), ("]E3", {"ean13", "upc"}), ("]E4", {"ean8"}), ("]E1", {"ean13", "upc", "ean8"}),
        ("]e0", {"gs1-databar"}), ("]z0", {"aztec"}), ("]h0", {"han-xin"}), ("]L2", {"pdf417"}), ("]A0", {"code39"}),
        ("]G0", {"code93"}), ("]F0", {"codabar"}), ("]I0", {"itf"}), ("]U1", {"maxicode"}),
        ("]X0", set()), ("]B0", set()), ("]Z6", set()), ("]q1", set()), ("", set()), ("]", set()),
    ],
)  # fmt: skip
def test_the_aim_id_tells_the_kind_also_of_gs1_codes(aim, kinds):
    assert kinds_of(aim) == {Symbology(kind) for kind in kinds}


def test_every_kind_a_profile_can_name_has_an_aim_id():
    letters = [f"]{letter}{modifier}" for letter in "ACEFGILQUdehz" for modifier in "04"]
    assert set().union(*map(kinds_of, letters)) == set(Symbology)


@pytest.mark.parametrize(
    "settings",
    [{"prefix": "x" * 33}, {"same_code_interval_ms": -1}, {"same_code_interval_ms": 60_001}, {"scans_per_s_max": 0},
     {"charset": "utf-7"}, {"symbologies": ["qr", "nothing"]}],
)  # fmt: skip
def test_limits_are_the_documented_ones(settings):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"id": "desk", **settings}, Profile)
