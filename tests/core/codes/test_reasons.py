"""Every reason that can be given is in docs/codes.md, and has the form a record can hold."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCES = [
    *sorted((ROOT / "agent/core/codes").glob("*.py")),
    ROOT / "agent/core/verification.py",
    ROOT / "agent/commands/explain.py",
    ROOT / "agent/commands/verify.py",
]
REASON = re.compile(r'"((?:scan|family|decode|key|signature|time|revoked|input)\.[^"{\s]+)"')


def reasons_in_the_code() -> set[str]:
    return {reason for source in SOURCES for reason in REASON.findall(source.read_text(encoding="utf-8"))}


def test_every_reason_is_documented() -> None:
    found = reasons_in_the_code()
    documented = set(re.findall(r"`([a-z0-9.-]+)`", (ROOT / "docs/codes.md").read_text(encoding="utf-8")))
    assert {"signature.invalid", "family.unknown", "input.json", "decode.token"} <= found
    assert found - documented == set()


def test_every_reason_fits_a_record() -> None:
    assert [r for r in reasons_in_the_code() if not re.fullmatch(r"[a-z0-9.-]{1,64}", r)] == []


def test_every_documented_reason_of_a_family_can_be_given_and_has_one_row() -> None:
    rows = [line for line in (ROOT / "docs/codes.md").read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    stages = r"`((?:family|decode|key|signature|time|revoked)\.[a-z0-9-]+)`"
    told = [reason for row in rows for reason in re.findall(stages, row.split("|")[1])]
    assert len(told) >= 55
    assert sorted(told) == sorted(set(told))
    made = {reason for reason in told if re.fullmatch(r"key\.[a-z0-9]+-unavailable", reason)}  # of an algorithm's name
    assert set(told) - made - reasons_in_the_code() == set()
