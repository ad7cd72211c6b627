"""What every verdict must be, whatever was scanned; and when a code may be called verified.

Written from the rules, not from the agent: a verdict that passes here and is wrong is the fuzzer's failure, too.
"""

import json
import re
from collections.abc import Callable, Iterable

import msgspec

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
BEARERS = frozenset({"e-prescription", "insurance", "wechat-pay", "alipay", "unionpay", "resident-id"})
_REASON = re.compile(r"(?:scan|decode|key|signature|time|revoked|family|replay|policy)\.[a-z0-9.-]{1,58}")
_UNCHECKED = re.compile(r"[a-z0-9-]{1,32}")
_STAMP = SystemClock().now()
_SEALED_BYTES_MAX = 8_192
_MASKED_CHARACTERS_MAX = 2
_ACCESS_CODE = re.compile(r"ac=([0-9A-Fa-f]{8,})")
_JSON = msgspec.json.Encoder()


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
    _require_presentable(scan, verdict)
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


def require_discreet(text: str, trust: Trust, people: Iterable[str]) -> None:
    """Check that neither what is shown nor what is traced says what a text of one's own says of a person."""
    traced = list[str]()
    code = recognise(scan_of(text.encode()))
    verdict = verify(code, trust, NOW, lambda stage, saw: traced.append(saw))
    shown = json.dumps([repr(code), repr(verdict), present(verdict.family, verdict.claims, clear=False), traced])
    if any(said in shown for said in people):
        fail(f"{verdict.family}: personal data is shown to people who did not ask for it")
    clear = json.dumps(present(verdict.family, verdict.claims, clear=True))
    if not all(said in clear for said in people):
        fail(f"{verdict.family}: what the fuzzer takes for personal data is never shown")


def _require_presentable(scan: Scan, verdict: Verdict) -> None:
    claims = verdict.claims
    facts = describe(verdict.family, claims)
    if len(facts) > FACTS_MAX or any(len(fact.value) > VALUE_CHARACTERS_MAX for fact in facts):
        fail("more facts, or longer ones, than people can read")
    shown, clear = (present(verdict.family, claims, clear=wanted) for wanted in (False, True))
    for fact in facts:
        if fact.is_personal and len(str(shown[fact.name])) > _MASKED_CHARACTERS_MAX:
            fail("personal data that is not masked")
    try:
        _JSON.encode((shown, clear))
    except (ValueError, TypeError, UnicodeEncodeError) as error:
        fail(f"claims that no JSON can hold: {type(error).__name__}")
    if not all(str(value).isprintable() for value in shown.values()):
        fail("characters that steer a terminal are shown as they are")
    if verdict.family in BEARERS and _gives_away(scan, repr((shown, clear))):
        fail("a secret that whoever has it can use is shown")
    if claims.text is not None and len(claims.text) > _SEALED_BYTES_MAX:
        fail("more sealed text than a record holds")
    if claims.item is not None and not (claims.item.isascii() and claims.item.isprintable()):
        fail("an item that is not printable ASCII")


def _gives_away(scan: Scan, shown: str) -> bool:
    """Say whether any eight characters of a bearer's text are shown; of a prescription, of an access code."""
    text = scan.text or ""
    secrets = _ACCESS_CODE.findall(text) if "accept" in text else [text]
    return any(secret[at : at + 8] in shown for secret in secrets for at in range(max(1, len(secret) - 7)))
