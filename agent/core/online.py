"""Asking the platform about a code that has no offline proof (docs/protocol/online.cddl): question, answer, verdict.

The law: an answer counts only where a platform key signed it for this terminal, this attempt and about now. Whatever
else comes, or does not come, is no answer: the code stays unverifiable and policy decides. Asking is tasks/online.py's.
"""

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum

from msgspec.structs import replace

from agent.core.platform_word import REASON, NotThePlatform, is_whole, open_word
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.transaction import Draft, Kind, Signer, encode, sign1
from agent.core.trust_list import Trust
from agent.core.verdict import Claims, Outcome, Verdict

VERIFY_AAD = b"scanward-verify-1"
VERIFICATION_AAD = b"scanward-verification-1"
USAGE = "verification"
ATTEMPT_ID_BYTES = 16
CODE_BYTES_MAX = 1_024  # online.cddl, verification-request 6
VERIFICATION_BYTES_MAX = 4_096
NAME_BYTES_MAX = 32  # online.cddl, verification 6
NAME_CLEAR_MAX = 2  # characters of a masked name that are not "*"
ANSWER_AGE_MS_MAX = 300_000  # the attempt id of a one-time code comes again: an old answer must not
FAILURES_MAX = 3
PAUSE_S = 15.0

NO_ANSWER = "online.no-answer"
NOT_BELIEVED = "online.not-believed"
_NOT_GENUINE = "online.not-genuine"
_UNDECIDED = "online.undecided"


class VerificationInvalid(Exception):
    """What came is no answer to what was asked; the message says why, without its content."""


class Finding(IntEnum):
    """online.cddl, verification 3."""

    GENUINE = 0
    NOT_GENUINE = 1
    UNDECIDED = 2


@dataclass(frozen=True, slots=True)
class Question:
    """What the platform is asked (online.cddl, verification-request). code: as read, at most 1,024 bytes."""

    attempt_id: bytes
    terminal: str
    site: str
    step: str
    family: str
    code: bytes = field(repr=False)
    asked_at_ms: int


@dataclass(frozen=True, slots=True)
class Verification:
    """A verified answer. reason: "ok" when genuine. masked_name: for the eyes of people on the spot, never kept."""

    finding: Finding
    reason: str
    at_ms: int
    masked_name: str | None = field(default=None, repr=False)


def attempt_id_of(terminal: str, replay_id: bytes) -> bytes:
    """Return the 16-byte attempt id of a one-time code: the same whenever this terminal asks about it (online.cddl)."""
    name = terminal.encode("ascii")
    return hashlib.sha256(b"scanward-attempt-1%c%b%b" % (len(name), name, replay_id)).digest()[:ATTEMPT_ID_BYTES]


def draft_attempt(scan: Scan, verdict: Verdict, step: str, attempt_id: bytes) -> Draft:
    """Draft the record that says the platform is about to be asked (record.cddl, attempt-record)."""
    body: dict[int, object] = {10: step, 15: verdict.family, 23: scan.scanner, 28: attempt_id}
    if verdict.claims.type is not None:
        body[16] = int(verdict.claims.type)
    if verdict.claims.replay_id is not None:
        body[18] = verdict.claims.replay_id  # asked about; used up only by a decision
    return Draft(Kind.ATTEMPT, scan.at, body)


def sign_question(question: Question, signer: Signer) -> bytes:
    """Return the signed verification-request."""
    payload = {
        1: question.attempt_id,
        2: question.terminal,
        3: question.site,
        4: question.step,
        5: question.family,
        6: question.code,
        7: question.asked_at_ms,
    }
    return sign1(signer, VERIFY_AAD, encode(payload))


def read_verification(signed: bytes, attempt_id: bytes, terminal: str, trust: Trust, now: Interval) -> Verification:
    """Return the answer about an attempt, if a platform key says so. Raises VerificationInvalid.

    1. At most 4,096 bytes.
    2. The platform's word, by a key with the usage "verification", with the external_aad of verifications.
    3. The fields are those of online.cddl, for this terminal and this attempt.
    4. It was signed about now: at most five minutes from the terminal's time, where that is known.
    """
    # 1
    if len(signed) > VERIFICATION_BYTES_MAX:
        raise VerificationInvalid("it is too long")
    # 2
    try:
        fields = open_word(signed, USAGE, VERIFICATION_AAD, trust, now)
    except NotThePlatform as error:
        raise VerificationInvalid(str(error)) from error
    # 3
    verification = _verification(fields, attempt_id, terminal)
    # 4
    at_ms = verification.at_ms
    if now.is_certainly_after(at_ms + ANSWER_AGE_MS_MAX) or now.is_certainly_before(at_ms - ANSWER_AGE_MS_MAX):
        raise VerificationInvalid("it was not signed about now: it is old, or one of the two clocks is wrong")
    return verification


def settled(verdict: Verdict, attempt_id: bytes, verification: Verification) -> Verdict:
    """Return the verdict that the platform's answer makes of an unverifiable one.

    Genuine: verified, by the platform's word. Not genuine: refused, without card, token or text. Undecided: no answer.
    """
    claims, reason = verdict.claims, verification.reason
    match verification.finding:
        case Finding.GENUINE:
            return replace(
                verdict,
                outcome=Outcome.VERIFIED,
                reason="ok",
                claims=replace(claims, masked_name=verification.masked_name),
                needs_online=False,
                attempt_id=attempt_id,
            )
        case Finding.NOT_GENUINE:
            return Verdict(
                verdict.family,
                Outcome.REFUSED,
                reason if reason.startswith("online.") else _NOT_GENUINE,
                Claims(claims.type, claims.issuer),
                attempt_id=attempt_id,
            )
        case Finding.UNDECIDED:
            return unanswered(verdict, reason if reason.startswith("online.") else _UNDECIDED, attempt_id)


def unanswered(verdict: Verdict, reason: str, attempt_id: bytes | None = None) -> Verdict:
    """Return the verdict where the platform settled nothing. attempt_id: None where it was not even asked."""
    return replace(verdict, reason=reason, unchecked=(*verdict.unchecked, "online"), attempt_id=attempt_id)


class Breaker:
    """Stops asking a platform that does not answer, so that nobody waits for it scan after scan.

    After three failures in a row nobody asks for 15 s; then one tries, and the others wait for what comes of it.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._again_at_s: float | None = None  # None: asking goes on

    def may_ask(self, now_s: float) -> bool:
        """Say whether to ask now."""
        if self._again_at_s is None:
            return True
        if now_s < self._again_at_s:
            return False
        self._again_at_s = now_s + PAUSE_S
        return True

    def failed(self, now_s: float) -> bool:
        """Count a question without an answer; say whether that began a pause."""
        was_open = self._again_at_s is not None
        self._failures += 1
        if was_open or self._failures >= FAILURES_MAX:
            self._again_at_s = now_s + PAUSE_S
        return not was_open and self._again_at_s is not None

    def succeeded(self) -> bool:
        """Take note of an answer; say whether that ended a pause."""
        was_open = self._again_at_s is not None
        self._failures, self._again_at_s = 0, None
        return was_open


def _verification(fields: object, attempt_id: bytes, terminal: str) -> Verification:
    match fields:
        case {1: bytes(about), 2: str(audience), 3: finding, 4: str(reason), 5: at_ms, **rest} if (
            is_whole(finding, at_ms) and finding <= 2 and REASON.fullmatch(reason) and rest.keys() <= {6}
        ):
            if about != attempt_id:
                raise VerificationInvalid("it is about another attempt")
            if audience != terminal:
                raise VerificationInvalid("it is for another terminal")
            if (finding == Finding.GENUINE) != (reason == "ok"):
                raise VerificationInvalid("its finding and its reason do not agree")
            return Verification(Finding(finding), reason, at_ms, _masked(rest.get(6)))
    raise VerificationInvalid("its fields are not those of a verification")


def _masked(name: object) -> str | None:
    """Return a name that is masked; one that is not (or is no name) is dropped, whoever signed it."""
    if type(name) is not str or not name.isprintable() or not 1 <= len(name.encode()) <= NAME_BYTES_MAX:
        return None
    clear = len(name) - name.count("*")
    return name if clear <= NAME_CLEAR_MAX and clear < len(name) else None
