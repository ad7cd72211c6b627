"""What every verdict must be, whatever was scanned; and when a code may be called verified.

Written from the rules, not from the agent: a verdict that passes here and is wrong is the fuzzer's failure, too.
"""

import re
from collections.abc import Callable, Iterable

from agent.adapters.clock import SystemClock
from agent.commands.laboratory import present
from agent.core.codes import FAMILIES, UNKNOWN, UNREADABLE, recognise
from agent.core.codes.family import FACTS_MAX, VALUE_CHARACTERS_MAX
from agent.core.scan import Scan
from agent.core.trust_list import Trust
from agent.core.verdict import Outcome, Verdict
from agent.core.verification import describe, verify
from fuzz.issuers import NOW, Seal
from fuzz.target import fail

NAMES = tuple(family.name for family in FAMILIES)
SIGNED = frozenset({"ehc", "hcert", "shc", "aadhaar", "vds-nc"})
_REASON = re.compile(r"(?:scan|decode|key|signature|time|revoked|family|replay|policy)\.[a-z0-9.-]{1,58}")
_UNCHECKED = re.compile(r"[a-z0-9-]{1,32}")
_STAMP = SystemClock().now()
_SEALED_BYTES_MAX = 8_192


def scan_of(data: bytes, aim: str | None = None, eci: int | None = None) -> Scan:
    """Return these bytes as a scanner gives them."""
    return Scan(data, "fuzz", _STAMP, aim=aim, eci=eci)


def judged(scan: Scan, trust: Trust, seals: Iterable[Seal]) -> tuple[str, Verdict]:
    """Recognise and verify; return the code's text and the verdict. Raises Finding where one is not as it must be."""
    for seal in seals:
        seal.vouched.clear()
    code = recognise(scan)
    if code.family not in NAMES and code.family not in (UNKNOWN, UNREADABLE):
        fail("a family that does not exist")
    verdict = verify(code, trust, NOW)
    if verdict.family != code.family:
        fail("the verdict is of another family")
    if verdict.outcome is Outcome.REFUSED:
        _require_refused(verdict)
    elif verdict.outcome is Outcome.VERIFIED:
        if verdict.family not in SIGNED or verdict.reason != "ok" or not any(seal.vouched for seal in seals):
            fail(f"{verdict.family} is verified without a signature that was checked")
    elif not _REASON.fullmatch(verdict.reason):
        fail("a reason that a record cannot hold")
    if not all(_UNCHECKED.fullmatch(what) for what in verdict.unchecked):
        fail("what was not checked has a name that a record cannot hold")
    _require_presentable(verdict)
    return code.text, verdict


def require_unforged(text: str, verdict: Verdict, seals: Iterable[Seal], signed_of: Callable[[str], bytes]) -> None:
    """Check that a verified text says itself that just those bytes were signed that a key said yes to."""
    if verdict.outcome is not Outcome.VERIFIED:
        return
    try:
        signed = signed_of(text)
    except Exception as error:  # noqa: BLE001  # whatever it is, the text could not be read as the agent read it
        fail(f"{verdict.family} is verified, and not readable by the standard: {type(error).__name__}")
    if not any(signed in seal.vouched for seal in seals):
        fail(f"{verdict.family} is verified by a signature over other bytes")


def _require_refused(verdict: Verdict) -> None:
    claims = verdict.claims
    if not _REASON.fullmatch(verdict.reason):
        fail("a reason that a record cannot hold")
    if (claims.card, claims.token, claims.replay_id) != (None, None, None):
        fail("a refused code with a card, a token or a replay id")


def _require_presentable(verdict: Verdict) -> None:
    claims = verdict.claims
    facts = describe(verdict.family, claims)
    if len(facts) > FACTS_MAX or any(len(fact.value) > VALUE_CHARACTERS_MAX for fact in facts):
        fail("more facts, or longer ones, than people can read")
    if claims.text is not None and len(claims.text) > _SEALED_BYTES_MAX:
        fail("more sealed text than a record holds")
    if claims.item is not None and not (claims.item.isascii() and claims.item.isprintable()):
        fail("an item that is not printable ASCII")
    repr(verdict)
    present(verdict.family, claims, clear=False)
