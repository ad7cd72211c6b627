"""What might be a secret although no family claims it is shown to nobody, not even to people who ask."""

import json
import re
import string
from pathlib import Path
from urllib.parse import quote

import pytest

from agent.commands.laboratory import present
from agent.core.codes import recognise
from agent.core.codes.near_secrets import DIGITS_MIN, is_shaped_like_secret
from agent.core.scan import Scan
from agent.core.verification import is_bearer, verify
from fakes.ehc_issuer import NOW, scan_of
from fakes.neighbours import samples

FULL_WIDTH = {ord("0") + n: 0xFF10 + n for n in range(10)}
ARABIC = {ord("0") + n: 0x0660 + n for n in range(10)}
SECRETS = {f: t for f, t in samples().items() if f in ("wechat-pay", "alipay", "unionpay", "insurance", "resident-id")}
DAMAGES = {
    "a digit more": lambda text: (text + "7").encode(),
    "a digit less": lambda text: text[:-1].encode(),
    "its first digit less": lambda text: text[1:].encode(),
    "blanks between": lambda text: " ".join(text[at : at + 4] for at in range(0, len(text), 4)).encode(),
    "full width": lambda text: text.translate(FULL_WIDTH).encode(),
    "full width in GB 18030": lambda text: text.translate(FULL_WIDTH).encode("gb18030"),
    "other digits": lambda text: text.translate(ARABIC).encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "lower case": lambda text: f" {text.lower()}".encode(),
    "in an address": lambda text: f"https://pay.example/c?code={quote(text)}".encode(),
    "in JSON": lambda text: json.dumps({"code": text}).encode(),
    "with its AIM id": lambda text: f"]Q1{text}".encode(),
    "two in one": lambda text: (text + text).encode(),
    "over-long": lambda text: (text * 500).encode(),
    "behind a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "GS1 by its carrier's word": lambda text: f"]C1{text}".encode(),
}


@pytest.mark.parametrize("damage", sorted(DAMAGES))
@pytest.mark.parametrize("family", sorted(SECRETS))
def test_a_damaged_secret_is_not_shown_in_clear(family, damage):
    data = DAMAGES[damage](SECRETS[family])
    plain = scan_of("")
    code = recognise(Scan(data, plain.scanner, plain.at))
    verdict = verify(code, None, NOW)
    shown = present(verdict.family, verdict.claims, clear=True)
    assert verdict.claims.item is None
    assert shown.get("text", "…") == "…"
    assert is_bearer(code.family, data) or code.family == "gs1"


@pytest.mark.parametrize(
    "text", ["hello", "JZ70718293", "13812345678", "4600439931256", "https://a.example/?n=12345678901234"]
)
def test_what_has_too_few_digits_for_a_secret_can_be_looked_at(text):
    verdict = verify(recognise(scan_of(text)), None, NOW)
    assert verdict.family == "unknown"
    assert sum(character in string.digits for character in text) < DIGITS_MIN
    assert present("unknown", verdict.claims, clear=True)["text"] == text


@pytest.mark.parametrize("text", ["2531234567890128", "255123456789012834567", "2531234567890128345678"])
def test_a_payment_code_that_reads_as_gs1_is_no_item_and_shown_to_nobody(text):
    assert is_shaped_like_secret(text.encode())
    verdict = verify(recognise(scan_of(f"]C1{text}")), None, NOW)
    assert (verdict.family, verdict.claims.item, verdict.claims.is_single) == ("gs1", None, False)
    assert verdict.claims.text == text.encode()  # sealed in the record
    assert text[3:] not in json.dumps(present(verdict.family, verdict.claims, clear=True))


PAGE = Path(__file__).parents[3] / "agent/adapters/console/pages/pending.js"


@pytest.mark.parametrize("family", [*sorted(SECRETS), "national"])
def test_the_staff_page_takes_every_secret_out_of_its_field_of_packages(family):
    patterns = re.findall(r"^const PATIENTS\w* = /(.+)/;", PAGE.read_text(), re.MULTILINE)
    assert len(patterns) == 2
    text = SECRETS.get(family, "1122" * 16)
    assert any(re.search(pattern, text, re.ASCII) for pattern in patterns)
    assert not any(
        re.search(pattern, package) for pattern in patterns for package in ("81234567890123456789", "LOT-25")
    )
