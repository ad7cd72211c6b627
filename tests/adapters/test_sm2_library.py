"""The binding to libcrypto: memory, threads, hostile bytes, and machines where it cannot be used."""

import copy
import ctypes
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vectors import generate

from agent.adapters.keys import sm2
from agent.adapters.keys.verification import build_key
from agent.core.codes import recognise
from agent.core.trust_entries import parse_trust_list
from agent.core.trust_list import AlgorithmUnavailable, Trust, VerificationKey
from agent.core.verification import verify
from fakes.ehc_issuer import NOW, STATIC, EhcIssuer, scan_of, trust_list_file

ROOT = Path(__file__).parents[2]
GROWTH_BYTES_MAX = 1_000_000
PRIVATE = generate.sm2_key("a signer of the library's tests")
MESSAGE = b"a message"
SIGNATURE = PRIVATE.sign(MESSAGE)
LIBRARY = sm2.Libcrypto(sm2.LIBRARIES[0])


def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment},
    )  # fmt: skip


def test_sm2_can_be_verified_on_this_machine() -> None:
    assert sm2.availability() is None


MEMORY = """
import gc, os, sys
from agent.adapters.keys import sm2

spki, message, signature = (bytes.fromhex(text) for text in sys.argv[1:])
key = sm2.load_key(spki)
bad = bytes((signature[0] ^ 1,)) + signature[1:]

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def verify(times):
    for _ in range(times):
        assert key.verify(signature, message)
        assert not key.verify(bad, message)

def load(times):
    for _ in range(times):
        sm2.load_key(spki)
        for off in (spki[:-1] + bytes((spki[-1] ^ 1,)), spki[:27] + bytes(64)):
            try:
                sm2.load_key(off)
            except ValueError:
                continue
            raise AssertionError("a key that is none")

verify(500), load(200)
start = resident()
verify(10_000)
between = resident()
load(2_000)
print(between - start, resident() - between)
"""


def test_memory_stays_flat_over_20_000_verifications_and_2_000_keys() -> None:
    done = run(MEMORY, PRIVATE.spki.hex(), MESSAGE.hex(), SIGNATURE.hex())
    assert done.returncode == 0, done.stderr
    by_verifying, by_loading = map(int, done.stdout.split())
    assert by_verifying < GROWTH_BYTES_MAX
    assert by_loading < GROWTH_BYTES_MAX


def test_a_key_is_freed_once_when_the_last_who_holds_it_is_gone() -> None:
    freed = list[int]()
    key = sm2._PublicKey(4_711, freed.append)
    holder = [key, key]
    del key
    holder.pop()
    assert freed == []
    holder.pop()
    assert freed == [4_711]


def test_a_key_is_neither_copied_nor_sent_but_shared() -> None:
    key = sm2.load_key(PRIVATE.spki)
    shared = copy.copy(key)
    del key
    assert shared.verify(SIGNATURE, MESSAGE)
    for make in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied"):
            make(shared)


def test_many_threads_may_use_a_key_and_make_keys_at_once() -> None:
    key = sm2.load_key(PRIVATE.spki, library=LIBRARY)
    other = generate.sm2_key("another signer of the library's tests")

    def work(number: int) -> list[bool]:
        message = b"%d" % number
        mine = sm2.load_key(other.spki, library=LIBRARY)
        return [
            key.verify(SIGNATURE, MESSAGE),
            key.verify(SIGNATURE, message),
            mine.verify(other.sign(message), message),
        ]

    with ThreadPoolExecutor(8) as pool:
        assert set(map(tuple, pool.map(work, range(400)))) == {(True, False, True)}


def test_other_threads_go_on_while_one_verifies() -> None:
    # PyDLL holds the interpreter's lock during a call, CDLL gives it back.
    assert type(LIBRARY._functions) is ctypes.CDLL


def test_nothing_is_left_in_the_threads_error_queue() -> None:
    peek = LIBRARY._functions.ERR_peek_error
    peek.restype = ctypes.c_ulong
    key = sm2.load_key(PRIVATE.spki, library=LIBRARY)
    for signature in (bytes(63) + b"\1", b"\xff" * 64, SIGNATURE[32:] + SIGNATURE[:32]):
        assert not key.verify(signature, MESSAGE)
        assert peek() == 0
    assert not LIBRARY.is_signature(LIBRARY.read_key(PRIVATE.spki), b"no DER", bytes(32))
    assert peek() == 0
    for data in (b"", b"no DER", PRIVATE.spki[:-1] + b"\0"):
        with pytest.raises(ValueError, match=r"not a"):
            LIBRARY.read_key(data)
        assert peek() == 0


@given(st.binary(max_size=120), st.integers(0, 90), st.integers(0, 90))
@settings(deadline=None, max_examples=400)
def test_hostile_bytes_are_no_key_and_end_nothing(noise: bytes, start: int, end: int) -> None:
    disturbed = PRIVATE.spki[:start] + noise + PRIVATE.spki[end:]
    for data in (noise, disturbed):
        for read in (sm2.load_key, LIBRARY.read_key):
            try:
                read(data)
            except ValueError:
                continue
            assert data.startswith(PRIVATE.spki), "libcrypto took other bytes for a key"


@given(st.binary(max_size=120), st.integers(0, 80), st.integers(0, 80))
@settings(deadline=None, max_examples=400)
def test_hostile_bytes_are_no_der_signature_and_end_nothing(noise: bytes, start: int, end: int) -> None:
    key = sm2.load_key(PRIVATE.spki, library=LIBRARY)
    digest = LIBRARY.sm3(key.za + MESSAGE)
    der = sm2.encode_dss_signature(int.from_bytes(SIGNATURE[:32], "big"), int.from_bytes(SIGNATURE[32:], "big"))
    assert LIBRARY.is_signature(key._key, der, digest)
    for data in (noise, der[:start] + noise + der[end:]):
        assert data == der or not LIBRARY.is_signature(key._key, data, digest)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_sm3_is_that_of_another_implementation(data: bytes) -> None:
    assert LIBRARY.sm3(data) == generate.sm3(data)


@pytest.mark.parametrize(
    ("name", "says"),
    [("libm.so.6", "is not OpenSSL 3"), ("libscanward-is-not-there.so", "cannot be loaded"), ("/dev/null", "loaded")],
)
def test_a_library_that_is_none_is_said(name: str, says: str) -> None:
    with pytest.raises(AlgorithmUnavailable, match=says):
        sm2.Libcrypto(name)


def test_the_first_library_that_works_is_taken() -> None:
    assert sm2._first_of(["libm.so.6"]).sm3(b"") == LIBRARY.sm3(b"")


@pytest.mark.parametrize(
    "example",
    [
        sm2.EXAMPLE._replace(message=b"message digesT"),
        sm2.EXAMPLE._replace(signature=sm2.EXAMPLE.signature[:-1] + b"\0"),
        sm2.EXAMPLE._replace(spki=PRIVATE.spki),
    ],
    ids=["message", "signature", "key"],
)
def test_a_library_that_fails_its_example_is_not_used(example: sm2.Example) -> None:
    with pytest.raises(AlgorithmUnavailable, match="fails the example"):
        sm2.Libcrypto(sm2.LIBRARIES[0], example)


def test_a_library_that_takes_no_sm2_key_is_not_used() -> None:
    p256 = EhcIssuer("ES256").spki
    with pytest.raises(AlgorithmUnavailable, match="has no SM2"):
        sm2.Libcrypto(sm2.LIBRARIES[0], sm2.EXAMPLE._replace(spki=p256))


# An administrator may restrict libcrypto to what FIPS knows: then it has neither SM3 nor SM2.
RESTRICTED = """\
openssl_conf = start
[start]
alg_section = algorithms
[algorithms]
default_properties = fips=yes
"""

WITHOUT = """
import logging, sys
from agent.adapters.keys import sm2
from agent.core.trust_list import AlgorithmUnavailable

logging.basicConfig(stream=sys.stdout)
for _ in range(2):
    try:
        sm2.load_key(bytes.fromhex(sys.argv[1]))
    except AlgorithmUnavailable as error:
        print(error)
print(sm2.availability())
"""


def test_where_libcrypto_lacks_sm2_it_is_said_why_and_logged_once(tmp_path: Path) -> None:
    config = tmp_path / "openssl.cnf"
    config.write_text(RESTRICTED)
    done = run(WITHOUT, PRIVATE.spki.hex(), OPENSSL_CONF=str(config))
    assert done.returncode == 0, done.stderr
    warning, *said = done.stdout.splitlines()
    assert warning.startswith("WARNING:agent.adapters.keys.sm2:codes signed with SM2 are refused")
    assert len(said) == 3
    assert len(set(said)) == 1
    assert said[0].endswith("has no SM3: its build or its openssl.cnf leaves it out")
    assert run(WITHOUT, PRIVATE.spki.hex()).stdout == "None\n"


def test_where_sm2_is_not_to_be_had_such_codes_are_refused_and_all_others_judged() -> None:
    def build(alg: str, spki: bytes) -> VerificationKey:
        if alg == "SM2":
            return sm2.load_key(spki, library=sm2.Libcrypto("libm.so.6"))
        return build_key(alg, spki)

    issuer, sm2_issuer = EhcIssuer(), EhcIssuer("SM2")
    entries = trust_list_file(issuer.entry(), sm2_issuer.entry(), EhcIssuer("SM2", b"its next key").entry())
    for builder, expected in ((build, "key.sm2-unavailable"), (build_key, "ok")):
        trust = Trust(parse_trust_list(entries, builder), None, None, None)
        codes = [sm2_issuer.code(STATIC), issuer.code(STATIC)]
        assert [verify(recognise(scan_of(code)), trust, NOW).reason for code in codes] == [expected, "ok"]


def test_an_agent_without_sm2_keys_loads_nothing_for_them() -> None:
    program = """
import sys
from agent.adapters.keys.verification import build_key
from agent.core.trust_entries import parse_trust_list
parse_trust_list(sys.argv[1].encode(), build_key)
print([name for name in sys.modules if "sm2" in name or name == "ctypes"])
"""
    done = run(program, trust_list_file(EhcIssuer().entry(), EhcIssuer("EdDSA").entry()).decode())
    assert (done.stdout, done.stderr) == ("[]\n", "")
