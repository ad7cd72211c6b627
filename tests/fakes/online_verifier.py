"""A platform's word about codes in memory, with the troubles that asking can have. Written from online.cddl alone."""

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.online import Question
from agent.ports import PlatformUnreachable
from fakes.platform import sign

NOW_MS = 1_800_000_000_000


def verification_key() -> Ed25519PrivateKey:
    """Return the key of the vectors."""
    return Ed25519PrivateKey.from_private_bytes(
        hashlib.sha256(b"scanward test vector key: platform verification").digest()
    )


@dataclass
class FakeVerifier:
    """Implements ports.OnlineVerifier: every code is genuine, each one-time code for one attempt.

    troubles: what happens to each question in turn: an exception to raise, "silent" (no answer, whatever the budget),
    "forged" (a stranger's signature), "undecided", "unknown" (not genuine), or None.
    """

    key: Ed25519PrivateKey = field(default_factory=verification_key)
    troubles: Iterable[object] = ()
    delay_s: float = 0.0
    name: str = "张*"
    at_ms: int = NOW_MS
    asked: list[Question] = field(default_factory=list)
    events: list = field(default_factory=list)
    used: dict[bytes, tuple[str, bytes]] = field(default_factory=dict)
    made_ready: int = 0

    def __post_init__(self) -> None:
        self._troubles = iter(self.troubles)

    async def verify(self, question: Question, *, budget_s: float) -> bytes:
        self.asked.append(question)
        self.events.append(("asked", question.attempt_id))
        trouble = next(self._troubles, None)
        if trouble == "silent":
            await asyncio.Event().wait()
        if self.delay_s > budget_s:
            await asyncio.sleep(budget_s)
            raise PlatformUnreachable("not in time")
        await asyncio.sleep(self.delay_s)
        if isinstance(trouble, Exception):
            raise trouble
        return self._answer(question, trouble)

    async def make_ready(self) -> None:
        self.made_ready += 1

    def _answer(self, question: Question, trouble: object) -> bytes:
        finding, reason = 0, "ok"
        if trouble == "undecided":
            finding, reason = 2, "online.issuer-silent"
        elif trouble == "unknown":
            finding, reason = 1, "online.unknown-card"
        elif b":0:" in question.code:
            me = (question.terminal, question.attempt_id)
            if self.used.setdefault(question.code, me) != me:
                finding, reason = 1, "online.used"
        fields = {1: question.attempt_id, 2: question.terminal, 3: finding, 4: reason, 5: self.at_ms}
        if finding == 0:
            fields[6] = self.name
        key = Ed25519PrivateKey.generate() if trouble == "forged" else self.key
        return sign(key, "scanward-verification-1", fields)
