"""German e-prescriptions: what is one, what is refused and why, and that hostile content stays data."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.vision.pictures import read_picture
from agent.commands.laboratory import present
from agent.core.codes import recognise
from agent.core.codes.e_prescription import FAMILY
from agent.core.scan import Scan
from agent.core.verdict import Code, Outcome
from agent.core.verification import verify
from fakes.altered import altered
from fakes.ehc_issuer import NOW, scan_of
from fakes.neighbours import access_code, e_prescription, prescription_id, task

ONE, TWO, THREE, FOUR = (task(label) for label in ("a", "b", "c", "d"))
AC = access_code("a")
ID = prescription_id("a")
VECTORS = os.environ.get("SCANWARD_VECTORS")


def verdict_of(text: str):
    return verify(recognise(scan_of(text)), None, NOW)


def token(*urls: str) -> str:
    return '{"urls":[' + ",".join(f'"{url}"' for url in urls) + "]}"


@pytest.mark.parametrize("labels", [("a",), ("a", "b"), ("a", "b", "c")])
def test_one_to_three_prescriptions_are_unverifiable_and_the_platform_could_settle_them(labels):
    verdict = verdict_of(e_prescription(*labels))
    assert (verdict.family, verdict.outcome) == ("e-prescription", Outcome.UNVERIFIABLE)
    assert (verdict.reason, verdict.needs_online) == ("family.no-offline-proof", True)
    assert verdict.claims.text == e_prescription(*labels).encode()
    assert AC not in repr(verdict)


@pytest.mark.parametrize(
    "text",
    [
        f' {{ "urls" : [ "{ONE}" , "{TWO}" ] }} ',
        token(ONE.replace("Task", "\\u0054ask")),
        token(ONE.replace(AC, AC.upper())),
        token(task("a", "200")),
    ],
)
def test_what_json_leaves_open_is_left_open(text):
    assert verdict_of(text).outcome is Outcome.UNVERIFIABLE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (token(), "decode.urls"),
        (token(ONE, TWO, THREE, FOUR), "decode.urls"),
        (token(ONE, ONE), "decode.urls"),
        ('{"urls":"' + ONE + '"}', "decode.urls"),
        ('{"urls":[7]}', "decode.urls"),
        ('{"urls":[["' + ONE + '"]]}', "decode.urls"),
        ('{"urls":["' + ONE + '"],"more":1}', "decode.urls"),
        ('{"urls":[],"urls":["' + ONE + '"]}', "decode.json"),
        (token(ONE) + "x", "decode.json"),
        (token(ONE)[:-1], "decode.json"),
        (token(ONE) + "\x81" * 8, "decode.json"),
        ('{"urls":[NaN]}', "decode.json"),
        ('{"urls":' + "[" * 900, "decode.json"),
        (token(ONE) + " " * 1_024, "decode.over-long"),
        (token("https://evil.example/" + ONE), "decode.task"),
        (token(ONE + "&next=https://evil.example"), "decode.task"),
        (token("../" + ONE), "decode.task"),
        (token(ONE + "\\n"), "decode.task"),
        (token(ONE[:-1]), "decode.task"),
        (token(ONE + "0"), "decode.task"),
        (token(ONE.replace("$accept", "$abort")), "decode.task"),
        (token(ONE.replace(ID, "4711")), "decode.task"),
        (token(ONE.replace(ID, ID.replace(".", "x"))), "decode.task"),
        (token(ONE.replace(ID, "<script>alert(1)</script>")), "decode.task"),
        (token(ONE.replace(ID, "160.000.000.000.123.77")), "decode.check-digits"),
    ],
)
def test_anything_else_is_refused_by_what_is_wrong_and_nothing_of_it_is_kept(text, reason):
    verdict = verdict_of(text)
    assert (verdict.family, verdict.outcome, verdict.reason) == ("e-prescription", Outcome.REFUSED, reason)
    assert verdict.claims.text is None


def test_the_check_digits_are_those_of_the_publisher():
    assert verdict_of(token(ONE.replace(ID, "160.000.000.000.123.76"))).outcome is Outcome.UNVERIFIABLE


@given(st.integers(0, 16), st.integers(0, 9))
def test_any_other_digit_in_a_prescription_id_is_refused(at, digit):
    place = [i for i, c in enumerate(ID) if c != "."][at]
    changed = ID[:place] + str(digit) + ID[place + 1 :]
    verdict = verdict_of(token(ONE.replace(ID, changed)))
    assert verdict.reason == ("family.no-offline-proof" if changed == ID else "decode.check-digits")


@given(st.text(max_size=200), st.sampled_from(["", '{"urls":', '{"urls":[', '{"urls":["Task/']))
def test_no_text_makes_it_raise(text, head):
    verdict = verify(Code("e-prescription", head + text), None, NOW)
    assert verdict.outcome is Outcome.REFUSED


@given(
    altered(
        [{"urls": [ONE]}, {"urls": [ONE, TWO, THREE]}], st.none() | st.text(max_size=9) | st.sampled_from([ONE, TWO])
    )
)
def test_a_token_with_something_odd_in_it_is_refused_unless_each_prescription_in_it_is_whole(content):
    verdict = verify(Code("e-prescription", json.dumps(content)), None, NOW)
    urls = content.get("urls")
    is_whole = isinstance(urls, list) and 1 <= len(urls) <= 3 and set(content) == {"urls"}
    is_whole = is_whole and all(url in {ONE, TWO, THREE} for url in urls) and len(set(urls)) == len(urls)
    assert (verdict.outcome is Outcome.UNVERIFIABLE) is is_whole


def test_people_who_explain_see_how_many_and_of_which_kind_and_never_the_access_code():
    verdict = verdict_of(token(ONE, task("b", "200")))
    masked, clear = (present("e-prescription", verdict.claims, clear=clear) for clear in (False, True))
    assert masked == {
        "text": "…",
        "prescriptions": "2",
        "kinds": "160, 200",
        "prescription 1": "1…",
        "prescription 2": "2…",
    }
    assert clear["prescription 1"] == ID
    assert clear["text"] == "…"
    told = list[str]()
    verify(recognise(scan_of(token(ONE))), None, NOW, lambda stage, saw: told.append(saw))
    assert AC not in "".join(told)


@pytest.mark.skipif(VECTORS is None, reason="SCANWARD_VECTORS names no folder with gematik-datamatrix")
@pytest.mark.parametrize(
    ("name", "family", "reason"),
    [
        ("datamatrix_sample", "e-prescription", "decode.task"),  # Task/4711: no prescription id has this form
        ("dm_padding_ascii", "unknown", "family.unknown"),  # bytes behind the text that no character set explains
        ("dm_script", "unknown", "family.unknown"),
        ("dm_evil_input", "unknown", "family.unknown"),
    ],
)
def test_pictures_of_the_publisher_are_read_and_hostile_content_stays_data(name, family, reason):
    data = Path(VECTORS or "", "gematik-datamatrix", f"{name}.png").read_bytes()
    (scan,) = read_picture(data, scan_of("").at)
    verdict = verify(recognise(scan), None, NOW)
    assert (verdict.family, verdict.reason) == (family, reason)
    assert not any(word in repr(verdict) for word in ("<script", "DROP", "Task", "777bea"))
    declared = Scan(scan.data, "desk", scan.at, charset="iso-8859-1")  # a site that reads any byte: no better
    assert verify(recognise(declared), None, NOW).outcome is Outcome.REFUSED


def test_it_is_a_bearer_secret():
    assert FAMILY.is_bearer
