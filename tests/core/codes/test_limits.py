"""What a code may cost, of every family: time and memory for the worst texts that fit in one symbol."""

import time
import zlib
from collections.abc import Iterator

import cbor2
import pytest

from agent.core.codes import FAMILIES, recognise
from agent.core.codes.shc import BRACKETS_MAX
from agent.core.codes.shc import INFLATED_BYTES_MAX as SHC_INFLATED_BYTES_MAX
from agent.core.scan import SCAN_BYTES_MAX
from agent.core.verification import verify
from fuzz import layers
from fuzz.examples import EXAMPLES, SIGNED, adversarial
from fuzz.issuers import NOW, trust_of
from fuzz.judging import scan_of
from fuzz.target import CPU_S_MAX, CPU_TRIES, PEAK_BYTES_MAX, PEAK_INPUT_BYTES_MAX, peak_of

TRUST = trust_of(*(key for family in SIGNED.values() for key in family.trust.trust_list.keys))
DEEP = 60_000


def judge(text: str) -> None:
    verify(recognise(scan_of(text.encode())), TRUST, NOW)


def bombs() -> Iterator[tuple[str, str]]:
    """Yield (what, text): what is small in a symbol and large or deep or slow to read."""
    ehc = {
        "an array of 2^64 - 1 items": b"\x9b" + b"\xff" * 8,
        "a text of 2^63 bytes": b"\x7b\x7f" + b"\xff" * 7,
        "a map in a map": b"\xa1\x01" * 300,
        "arrays in arrays": b"\x81" * 600,
        "a thousand empty maps": b"\x99\x02\x58" + b"\xa0" * 600,
    }
    protected = cbor2.dumps({1: -7, 4: bytes(range(8))})
    for what, payload in ehc.items():
        yield f"ehc: {what}", "EHC1:" + layers.base45(layers.sign1(protected, payload, bytes(64)))
        yield f"hcert: {what}", "HC1:" + layers.base45(zlib.compress(layers.sign1(protected, payload, bytes(64))))
    plain = {
        "zeros": bytes(2_000_000),
        "empty maps": b"\x99\xff\xff" + b"\xa0" * 65_535,
        "floats": b"\x99\xff\xff" + b"\xf9\x3c\x00" * 65_535,
        "arrays in arrays": b"\x81" * DEEP,
    }
    for what, content in plain.items():
        yield f"hcert: deflated {what}", "HC1:" + layers.base45(zlib.compress(content, 9))
        yield f"aadhaar: deflated {what}", layers.aadhaar_text(content)
    header = b'{"zip":"DEF","alg":"ES256","kid":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}'
    pieces = {
        "lists": b"[],", "maps": b'{"a":{}},', "maps in lists": b"[{}],", "maps without a name": b'{"":{}},',
        "numbers": b"1e9,", "texts": b'"",', "letters": b'"a",',
    }  # fmt: skip
    for what, piece in pieces.items():
        for size, how in ((250_000, "deflated"), (SHC_INFLATED_BYTES_MAX - 50, "just not too many deflated")):
            for spaced, written in ((b"", ""), (b" ", ", not as we would write them")):
                body = layers.raw_deflate(b'{"x":[' + spaced + piece * (size // len(piece)) + b"0]}")
                jws = layers.b64(header) + b"." + layers.b64(body) + b"." + layers.b64(bytes(64))
                yield f"shc: {how} {what}{written}", layers.shc_digits(jws)
    for what in ("maps", "maps in lists", "maps without a name"):  # no more of them than a card may have, and letters
        heavy = pieces[what] * (BRACKETS_MAX // 2 - 1)
        heavy += pieces["letters"] * ((SHC_INFLATED_BYTES_MAX - 50 - len(heavy)) // len(pieces["letters"]))
        body = layers.raw_deflate(b'{"x":[' + heavy + b"0]}")
        jws = layers.b64(header) + b"." + layers.b64(body) + b"." + layers.b64(bytes(64))
        yield f"shc: deflated letters and just not too many {what}", layers.shc_digits(jws)
    yield (
        "shc: lists in lists",
        layers.shc_digits(layers.b64(header) + b"." + layers.b64(layers.raw_deflate(b"[" * DEEP))),
    )
    yield "vds-nc: lists in lists", '{"data":{"hdr":' + "[" * 2_000 + '"sigvl"'
    yield "vds-nc: a long number", '{"data":{"hdr":' + "9" * 2_500 + '},"sig":{"sigvl":""}}'
    yield "e-prescription: lists in lists", '{"urls":' + "[" * 2_900
    yield "gs1: separators", "01" + "\x1d" * 2_900
    yield "gs1: a long link", "https://id.gs1.org" + "/01" * 950
    yield "digits", "9" * 7_089


BOMBS = dict(bombs())


def cpu_s(text: str) -> float:
    took_s = list[float]()
    for _ in range(CPU_TRIES):
        started = time.process_time()
        judge(text)
        took_s.append(time.process_time() - started)
    return min(took_s)


@pytest.mark.parametrize("what", BOMBS)
def test_what_is_small_in_a_symbol_takes_little_time_and_memory(what: str) -> None:
    judge(BOMBS[what])  # what is loaded once is not this text's
    assert peak_of(lambda: judge(BOMBS[what])) <= PEAK_BYTES_MAX
    assert cpu_s(BOMBS[what]) <= CPU_S_MAX


@pytest.mark.parametrize("name", [family.name for family in FAMILIES if family.name in EXAMPLES])
def test_a_good_code_takes_little_memory(name: str) -> None:
    for example in EXAMPLES[name]:
        judge(example.text)
        assert peak_of(lambda text=example.text: judge(text)) <= PEAK_BYTES_MAX  # type: ignore[misc]


def test_any_text_that_fits_in_a_symbol_takes_little_memory() -> None:
    worst = max(peak_of(lambda text=text: judge(text)) for text in adversarial(PEAK_INPUT_BYTES_MAX))  # type: ignore[misc]
    assert worst <= PEAK_BYTES_MAX


def test_no_text_of_a_scan_takes_long() -> None:
    for text in adversarial(SCAN_BYTES_MAX):
        started = time.process_time()
        judge(text)
        if time.process_time() - started > CPU_S_MAX:
            assert cpu_s(text) <= CPU_S_MAX
