"""What the issuer mints: byte for byte the vectors' codes, and nothing that the CDDL forbids."""

import io
import re

import pytest
from vectors import generate

from platform_stub.issuing.issuer import Issuer, card_of, national_dynamic_text, national_static_text
from platform_stub.wire.health_code import HealthCodeInvalid, read_code

NOW_S = generate.NOW_S


@pytest.fixture
def issuer(platform_directory):
    return Issuer(platform_directory)


def text_of(vectors, name):
    return next(case["text"] for case in vectors("ehc1")["cases"] if case["name"] == name)


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "SM2"])
def test_the_issuer_mints_the_codes_of_the_vectors(issuer, vectors, alg):
    assert issuer.mint_static(generate.CARD, NOW_S - 86_400, alg=alg) == text_of(vectors, f"static, {alg}")
    assert issuer.mint_dynamic(generate.CARD, NOW_S, alg=alg, cti=generate.CTI) == text_of(vectors, f"dynamic, {alg}")


def test_the_platform_reads_its_own_codes_and_each_vector_as_expected(issuer, vectors):
    seen = set()
    for case in vectors("ehc1")["cases"]:
        stage = case["expect"]
        seen.add(stage)
        try:
            code = read_code(case["text"], "4420", issuer.public_keys())
        except HealthCodeInvalid:
            assert stage in {"decode.", "key.", "signature."}, case["name"]
        else:  # times are the terminal's to judge
            assert stage in {"verified", "time."}, case["name"]
            assert code.card == generate.CARD
    assert seen == {"verified", "time.", "decode.", "key.", "signature."}


def test_each_dynamic_code_is_another_one(issuer):
    first, second = (issuer.mint_dynamic(card_of("a"), NOW_S) for _ in range(2))
    codes = [read_code(text, "4420", issuer.public_keys()) for text in (first, second)]
    assert codes[0].cti != codes[1].cti
    assert [code.expires_at_s for code in codes] == [NOW_S + 60] * 2
    assert len(first) <= 260


@pytest.mark.parametrize(
    ("name", "mint"),
    [
        ("a life of 121 s", lambda i: i.mint_dynamic(bytes(32), NOW_S, life_s=121)),
        ("a life that ends before it begins", lambda i: i.mint_dynamic(bytes(32), NOW_S, life_s=-1)),
        ("a short card", lambda i: i.mint_static(bytes(31), NOW_S)),
        ("a short cti", lambda i: i.mint_dynamic(bytes(32), NOW_S, cti=bytes(7))),
        ("a time in milliseconds", lambda i: i.mint_static(bytes(32), NOW_S * 1000)),
        ("an algorithm there is no key for", lambda i: i.mint_static(bytes(32), NOW_S, alg="RS256")),
    ],
)
def test_the_issuer_does_not_mint_what_the_cddl_forbids(issuer, name, mint):
    with pytest.raises(ValueError, match=r"no EHC1 code|no issuer key"):
        mint(issuer)


def test_national_texts_have_the_shapes_seen_in_hospitals():
    card = card_of("a")
    assert re.fullmatch(r"[0-9A-F]{64}:1", national_static_text(card))
    assert re.fullmatch(r"[0-9A-F]{64}:1::5101", national_static_text(card, "5101"))
    assert re.fullmatch(r"[0-9A-F]{64}:0:[0-9A-F]{32}", national_dynamic_text(card))
    assert national_dynamic_text(card) != national_dynamic_text(card)
    assert national_dynamic_text(card, bytes(16)).endswith(":0:" + "0" * 32)
    with pytest.raises(ValueError, match="token"):
        national_dynamic_text(card, b"short")


def test_a_code_fits_the_qr_version_the_design_promises_and_reads_back(issuer):
    import segno
    import zxingcpp
    from PIL import Image

    text = issuer.mint_dynamic(card_of("a"), NOW_S)
    code = segno.make(text, error="m", micro=False, boost_error=False)
    assert int(code.version) <= 10
    image = io.BytesIO()
    code.save(image, kind="png", scale=4)
    assert [found.text for found in zxingcpp.read_barcodes(Image.open(image).convert("L"))] == [text]
