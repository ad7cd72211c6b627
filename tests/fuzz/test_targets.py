"""Every target of the fuzzer, without one: it runs, begins with codes that verify, and is there for every family."""

import pytest

from agent.core.codes import FAMILIES, recognise
from fuzz.examples import EXAMPLES, OF_A_SITE, SIGNED
from fuzz.judging import SIGNED as SIGNED_NAMES
from fuzz.judging import judged, require_unforged, scan_of
from fuzz.plain import Found, fuzz
from fuzz.target import CPU_S_MAX, PEAK_BYTES_MAX, Finding, Target, fail, peak_of
from fuzz.targets import targets

EXECUTIONS = 400
TARGETS = targets()
NAMES = [family.name for family in FAMILIES if family.name not in OF_A_SITE]


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_finds_nothing(name: str) -> None:
    assert fuzz(TARGETS[name], EXECUTIONS).executions == EXECUTIONS


@pytest.mark.parametrize("name", NAMES)
def test_every_family_has_a_target_and_examples_that_are_of_it(name: str) -> None:
    assert name in TARGETS
    assert [recognise(example.scan).family for example in EXAMPLES[name]] == [name] * len(EXAMPLES[name])
    assert EXAMPLES[name]


def test_every_signed_family_is_signed_by_the_fuzzer_too() -> None:
    assert set(SIGNED_NAMES) == set(SIGNED)
    assert set(SIGNED) <= set(NAMES)


def test_what_an_execution_raises_comes_with_its_input() -> None:
    def run(data: bytes) -> None:
        if data == b"bad":
            fail("it is bad")

    with pytest.raises(Found) as found:
        fuzz(Target("one", run, [b"good", b"bad"]), 10)
    assert found.value.data == b"bad"
    assert isinstance(found.value.__cause__, Finding)


def test_an_execution_that_takes_too_long_each_time_is_found() -> None:
    def run(data: bytes) -> None:
        sum(range(int(CPU_S_MAX * 200_000_000)))

    with pytest.raises(Found) as found:
        fuzz(Target("slow", run, [b""]), 1)
    assert "ms of CPU" in str(found.value.__cause__)


def test_an_execution_that_takes_too_much_memory_is_found() -> None:
    held = list[bytes]()

    def run(data: bytes) -> None:
        held[:] = [bytes(PEAK_BYTES_MAX + 1)]

    assert peak_of(lambda: run(b"")) > PEAK_BYTES_MAX
    with pytest.raises(Found) as found:
        fuzz(Target("large", run, [b""]), 1_000)
    assert "bytes at the peak" in str(found.value.__cause__)


def test_a_forgery_is_found() -> None:
    """The judge is judged: a signature over other bytes than the text says must not pass."""
    ehc = SIGNED["ehc"]
    text, verdict = judged(scan_of(ehc.texts[0].encode()), ehc.trust, ehc.seals)
    with pytest.raises(Finding, match="over other bytes"):
        require_unforged(ehc.texts[1], verdict, ehc.seals, ehc.signed_of)
    require_unforged(text, verdict, ehc.seals, ehc.signed_of)
    for seal in ehc.seals:
        seal.vouched.clear()
    with pytest.raises(Finding):
        require_unforged(text, verdict, ehc.seals, ehc.signed_of)
