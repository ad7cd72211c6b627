"""Targets of what the families are put together from: encodings, envelopes, elements, patterns, cards in parts.

Where another library, or a few lines written otherwise, can do the same, they say what the answer is.
"""

import contextlib
import io
import json
import re

import cbor2

from agent.core.codes import dcc
from agent.core.codes.countries import country_named, two_letters
from agent.core.codes.family import FACTS_MAX, VALUE_CHARACTERS_MAX, Refused
from agent.core.codes.gs1 import parse
from agent.core.codes.gs1_digital_link import elements_of, is_digital_link
from agent.core.codes.hospital_card import CardPatterns, PatternInvalid, read_pattern
from agent.core.formats import base64url, canonical_json, json_text, jws, long_number, tolerant_cbor, tolerant_cose
from agent.core.formats.cose import CoseInvalid
from agent.core.rid_lists import read_rid_list
from fuzz import layers
from fuzz.choices import Choices, value
from fuzz.parts import targets as of_parts
from fuzz.target import Target, fail

_DIGITS_MAX = 7_089
_TO_DIGITS = bytes(48 + byte % 10 for byte in range(256))
_DEPTH_MAX = 32
_BEYOND_16_BITS = 0xF0  # the first byte, in UTF-8, of what is two units of UTF-16
_DCC_NAMES: tuple[object, ...] = (1, 3, 4, 5, -6, "v", "t", "r", "nam", "dob", "ci", "co", "dt", "tr", "tg", "dn", "sd")


def targets() -> list[Target]:
    """Return them."""
    envelope = layers.sign1(cbor2.dumps({1: -7, 4: bytes(8)}), bytes(300), bytes(64))
    claims = cbor2.dumps({1: "AT", 4: 1_800_000_000, 6: 1.5, -260: {1: {"v": [{"ci": "X", "dt": cbor2.undefined}]}}})
    header = layers.b64(b'{"zip":"DEF","alg":"ES256","kid":"AAEC"}')
    rids = json.dumps(["rid", 1, ["abc", "def.1800000000", "abc"]]).encode()
    links = [b"https://id.gs1.org/01/04600439931256/10/LOT%2F1?17=301231&x=y#z", b"http://a/8004/1234;17=301231"]
    return [
        Target("base64url", _base64url, [b"AAEC", b"AA", b"AB", b"-_-_"]),
        Target("canonical-json", _canonical, [b'{"b":[1,{"\xf0\x9f\x98\x80":1,"\xef\xac\xb3":2}],"a":1.0}']),
        Target("long-number", _long_number, [b"1", b"9" * 4_000, b"7" * 5_000, b"1" + b"0" * 4_000]),
        Target(
            "tolerant-cbor", _tolerant_cbor, [claims, b"\xbf\x61a\x01\xff", b"\xc1\x1a\x6b\x49\xd2\x00", b"\x01\xc1"]
        ),
        Target("tolerant-cose", _tolerant_cose, [envelope, b"\xd8\x3d" + envelope], [b"\xd8\x3d\xd2\x84", b"\x43\xa1"]),
        Target("dcc", _dcc, [claims, b"\xff" + bytes(range(200)), b"\xff" + bytes((9, 3) * 50)]),
        Target("jws", _jws, [header + b".AAEC.AAEC", b"e30..", header + b"." + header + b".AA"]),
        Target("rid-list", _rid_list, [rids, b'["rid",true,[""]]', b'["malformed",0,[]]']),
        Target("countries", _country, [b"AT", b"AUT", b"EL", b"XXX"]),
        Target("gs1-elements", _elements, [b"010460043993125610A\x1d17301231", b"(01)04600439931256(21)S", *links]),
        Target("digital-link", _link, links, [b"/01/", b"/8004/", b"%2F", b"?17=", b"/21/"]),
        Target("card-patterns", _pattern, [b"MZ\\d{8}\x00MZ12345678", b"[A-F0-9]{4,6}X\x00ABCDEX", b"a?bcde\x00bcde"]),
        *of_parts(),
    ]


def _base64url(data: bytes) -> None:
    try:
        is_one = layers.b64(layers.from_b64(data)) == data
    except ValueError:
        is_one = False
    try:
        found = base64url.decode(data)
    except base64url.Base64UrlInvalid:
        if is_one:
            fail("refused, and good by the standard")
        return
    if not is_one or base64url.encode(found) != data or found != layers.from_b64(data):
        fail("it does not come back as it was")


def _canonical(data: bytes) -> None:
    try:
        said = json_text.decode_object(data)
        found = canonical_json.encode(said)
    except (json_text.JsonInvalid, canonical_json.NotCanonical):
        return
    if json_text.decode_object(found) != said or canonical_json.encode(json.loads(found)) != found:
        fail("it does not come back as it was")
    if (
        max(data, default=0) < _BEYOND_16_BITS and b"\\u" not in data and found != layers.canonical(said)
    ):  # then names sort alike
        fail("another form than RFC 8785's")


def _long_number(data: bytes) -> None:
    digits = data[:_DIGITS_MAX].translate(_TO_DIGITS).decode() or "0"
    if long_number.bytes_of(digits) != layers.from_decimal(digits):
        fail("another number")


def _tolerant_cbor(data: bytes) -> None:
    try:
        found = tolerant_cbor.decode(data)
    except tolerant_cbor.ForeignCborInvalid:
        return
    with contextlib.suppress(tolerant_cbor.ForeignCborInvalid):
        tolerant_cbor.decode_map(data)
    stream = io.BytesIO(data)
    said = cbor2.load(stream, semantic_decoders=dict.fromkeys(layers.DATES, layers.untagged), max_depth=_DEPTH_MAX)
    if stream.tell() != len(data) or repr(said) != repr(found):
        fail("another value than cbor2's, or bytes behind it")


def _tolerant_cose(data: bytes) -> None:
    try:
        found = tolerant_cose.decode_sign1(data)
    except CoseInvalid:
        return
    if found.signed != layers.signed_of_sign1(data, b""):
        fail("other bytes are signed than by the standard")
    dates = dict.fromkeys(layers.DATES, layers.untagged)
    protected = cbor2.loads(cbor2.loads(found.signed)[1], semantic_decoders=dates)
    if {-7: "ES256", -37: "PS256"}.get(protected[1]) != found.alg or protected.get(4, found.key_id) != found.key_id:
        fail("the protected header says something else")


def _dcc(data: bytes) -> None:
    """Read containers as CBOR says them, or (behind 0xFF) drawn from the bytes."""
    content: object
    if data[:1] == b"\xff":
        content = value(Choices(data[1:]), lambda choices: _DCC_NAMES[choices.byte() % len(_DCC_NAMES)])
    else:
        try:
            content = tolerant_cbor.decode_map(data).get(-260)
        except tolerant_cbor.ForeignCborInvalid:
            return
    found = dcc.read_container(content)
    if not found.kinds <= {*dcc.KINDS, dcc.OTHER} or not all(0 < len(name) <= 256 for name in found.ids):
        fail("a kind that there is not, or a name of no sensible length")
    facts = dcc.describe_container(content)
    if len(facts) > FACTS_MAX or any(len(fact.value) > VALUE_CHARACTERS_MAX for fact in facts):
        fail("more facts, or longer ones, than people can read")
    if not all(fact.value.isprintable() and fact.name.isprintable() for fact in facts):
        fail("characters that steer a terminal")


def _jws(data: bytes) -> None:
    try:
        found = jws.decode(data)
    except jws.JwsInvalid:
        return
    if found.signed != layers.signed_of_jws(data):
        fail("other bytes are signed than by the standard")
    header = json.loads(layers.from_b64(data.partition(b".")[0]))
    if header["alg"] != found.header.alg or {"crit", "b64"} & header.keys() or header.get("zip") != found.header.zip:
        fail("the header says something else")


def _rid_list(data: bytes) -> None:
    try:
        method, counter, rids = json.loads(data)
    except (ValueError, TypeError, RecursionError):
        return
    found = read_rid_list("shc", "https://health.example", b"k", method, counter, rids)
    if found.why_invalid is None:
        names = [rid.partition(".")[0] for rid in rids]
        if method != "rid" or len(set(names)) != len(names) or not all(found.has(name, 0) for name in names):
            fail("a list that is malformed, or does not have what it lists")
    elif found.until_s:
        fail("a malformed list that lists cards")


def _country(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    three, two = country_named(text), two_letters(text)
    if three is None:
        if two is not None:
            fail("two letters for what is no country")
    elif two is None or len(three) != len("AUT") or country_named(two) != three or country_named(three) != three:
        fail("a country that is not the same by its other code")


def _elements(data: bytes) -> None:
    text = data.decode("latin-1")
    try:
        found = parse(text)
    except Refused:
        return
    written = "".join(f"({ai}){said}" for ai, said in found)
    if not {"(", ")"} & set("".join(said for _, said in found)) and parse(written) != found:
        fail("the same elements in brackets are others")
    if not all(said.isascii() and said.isprintable() for _, said in found):
        fail("a value with characters that GS1 does not have")


def _link(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    is_link = is_digital_link(text)
    try:
        found = elements_of(text)
    except Refused:
        return
    if is_link and not all(ai.isdigit() and said.isascii() and said.isprintable() for ai, said in found):
        fail("an element that is none")


def _pattern(data: bytes) -> None:
    """Check that a pattern means what it means as a regular expression, for any text."""
    source, _, body = data.partition(b"\x00")
    pattern, text = source.decode("utf-8", "replace"), body.decode("utf-8", "replace")
    try:
        cards = CardPatterns([read_pattern(pattern)])
    except PatternInvalid:
        return
    if (cards.recognise(text) is not None) != (re.fullmatch(pattern, text, re.ASCII) is not None):
        fail("a pattern that means something else than it says")
